keyturn_library(delivery_publish
  SRCS atomic_writer.cc atomic_writer_generation.cc atomic_writer_paths.cc atomic_writer_target.cc wiper.cc
  DEPS keyturn::base keyturn::fs keyturn::metrics
  PRIVATE_DEPS keyturn::crypto)
