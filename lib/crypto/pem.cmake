keyturn_library(pem SRCS pem.cc DEPS keyturn::base PRIVATE_DEPS keyturn::crypto keyturn::openssl)
