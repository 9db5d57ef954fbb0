keyturn_library(delivery_notify
  SRCS notify.cc notify_exec.cc notify_http.cc notify_sentinel.cc notify_signal.cc
  DEPS keyturn::base keyturn::fs keyturn::net keyturn::metrics keyturn::plan)
