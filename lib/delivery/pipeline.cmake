keyturn_library(delivery_fetch
  SRCS fetch.cc fetch_endpoint.cc refresh_schedule.cc await_watcher.cc
  DEPS keyturn::base keyturn::aws keyturn::metrics keyturn::plan)
