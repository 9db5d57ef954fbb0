# The HTTP server.
keyturn_library(net_server
  SRCS beast_server.cc server_connection.cc server_listen.cc server_request_parser.cc server_response.cc
       server_tls.cc server_worker.cc
  DEPS keyturn::base keyturn::net
  PRIVATE_DEPS keyturn::asio keyturn::openssl)

if(KEYTURN_SANITIZE)
  # The vptr check opens a pipe to look at an object, and aborts in the test that uses up all descriptors.
  target_compile_options(keyturn_net_server PRIVATE -fno-sanitize=vptr)
endif()
