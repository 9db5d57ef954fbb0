keyturn_library(delivery_fetch
  SRCS fetch.cc fetch_endpoint.cc refresh_schedule.cc await_watcher.cc
  DEPS keyturn::base keyturn::aws keyturn::metrics keyturn::plan)
# The clients are a target of their own: nothing else of delivery needs the credential chain.
keyturn_library(delivery_clients
  SRCS aws_client_pool.cc
  DEPS keyturn::delivery_fetch keyturn::config keyturn::fs keyturn::net
  PRIVATE_DEPS keyturn::aws_credentials)
keyturn_library(delivery
  SRCS pipeline.cc pipeline_failure.cc pipeline_target.cc
  DEPS keyturn::delivery_fetch keyturn::delivery_clients keyturn::delivery_render keyturn::delivery_publish
       keyturn::delivery_notify)
