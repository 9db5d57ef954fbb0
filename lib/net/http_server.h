// HttpServer: an HTTP/1.1 server with limits, one-shot responders and hot-swappable certificates.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "lib/base/log.h"
#include "lib/base/result.h"
#include "lib/net/http_types.h"

namespace keyturn::net {

struct ServerRequest {
  std::string method;
  std::string target;  // as received: path and query
  HttpHeaders headers;
  std::string body;
  std::string peer;  // "127.0.0.1:5000", "[::1]:5000"
};

// The right to answer one request. Movable, so that a handler may answer later and from another
// thread (long polls, group commit). Answering twice is a checked error; a Responder destroyed
// unanswered answers 500. After the server is gone an answer is dropped.
class Responder {
 public:
  class Impl;
  explicit Responder(std::shared_ptr<Impl> impl);
  Responder(Responder&&) noexcept;
  Responder& operator=(Responder&&) noexcept;
  ~Responder();

  // Sets Content-Length, Date and Connection itself.
  void Send(HttpResponse response);
  // True once the peer has gone away; a long poll may give up. THREAD: safe.
  bool Closed() const;

 private:
  std::shared_ptr<Impl> impl_;
};

// Called on a server thread; must not block.
using RequestHandler = std::function<void(ServerRequest request, Responder responder)>;

struct ServerLimits {
  size_t max_header_bytes = 16 * 1024;
  size_t max_body_bytes = 1024 * 1024;
  size_t max_connections = 4096;  // further ones are closed at once
  std::chrono::milliseconds handshake_timeout{10'000};
  std::chrono::milliseconds read_timeout{30'000};  // first byte of a request to its last
  std::chrono::milliseconds write_timeout{30'000};
  std::chrono::milliseconds idle_timeout{60'000};  // between requests
};

// PEM certificate chain and key of a server.
struct ServerCertificate {
  std::string chain_pem;
  std::string key_pem;
};

struct ServerOptions {
  // "127.0.0.1:0", "[::]:8443". Port 0 takes a free one.
  std::string listen;
  int threads = 1;
  ServerLimits limits;
  // Present: TLS 1.2 or later only. Absent: plain HTTP.
  std::shared_ptr<const ServerCertificate> certificate;
  RequestHandler handler;
  Logger* logger = nullptr;  // REQUIRED; outlives the server
};

// Rejects, before the handler sees anything: an over-long or malformed header, both
// Transfer-Encoding and Content-Length, repeated or bad Content-Length, a missing Host (HTTP/1.1),
// a bad or huge chunk, a body over the limit (413), TRACE and CONNECT (405). Answers "Expect:
// 100-continue".
class HttpServer {
 public:
  virtual ~HttpServer() = default;
  // "127.0.0.1:41234": the address that it really listens on.
  virtual std::string address() const = 0;
  virtual uint16_t port() const = 0;
  // New handshakes use `certificate`; running connections are not touched. THREAD: safe.
  virtual Status SetCertificate(const ServerCertificate& certificate) = 0;
  // Stops accepting, lets running requests finish for at most `grace`, then closes everything and
  // joins the threads. Idempotent; the destructor does it with a grace of zero.
  virtual void Drain(std::chrono::milliseconds grace) = 0;
  virtual size_t open_connections() const = 0;
};

// Binds and starts serving. ERRORS: INVALID_ARGUMENT for a bad address or certificate,
// ALREADY_EXISTS or PERMISSION_DENIED from bind.
Result<std::unique_ptr<HttpServer>> CreateBeastServer(ServerOptions options);

}  // namespace keyturn::net
