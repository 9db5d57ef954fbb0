// Raw clients, certificates and a running server for the tests of HttpServer. The clients are raw
// on purpose: a library would not send what an attacker sends.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "lib/base/unique_fd.h"
#include "lib/net/http_server.h"
#include "tests/fakes/fake_logger.h"

struct ssl_st;
struct ssl_ctx_st;
struct ssl_session_st;

namespace keyturn::testing {

using namespace std::chrono_literals;

// A self-signed P-256 certificate for "localhost"; each call makes a new key.
net::ServerCertificate MakeCertificate(const std::string& common_name = "localhost");

// A connected blocking socket with a receive timeout, so that a silent server fails a test instead
// of hanging it.
class RawClient {
 public:
  explicit RawClient(uint16_t port, const char* host = "127.0.0.1");
  virtual ~RawClient() = default;

  // False when the server has closed.
  virtual bool Send(std::string_view bytes);
  // Everything until the server closes (or resets).
  std::string ReadToEnd();
  // One response: header and as much body as Content-Length says.
  std::string ReadResponse(bool head = false);

  // True if the server closes without sending anything.
  bool ClosedSilently() { return ReadToEnd().empty() && !timed_out_; }

  // Send and ReadToEnd.
  std::string Exchange(std::string_view bytes);

  bool timed_out() const { return timed_out_; }

  int fd() const { return fd_.get(); }

  // A reset instead of an orderly end.
  void Abort();

 protected:
  // Bytes, 0 at the end or on a reset.
  virtual size_t Receive(char* out, size_t size);

  UniqueFd fd_;
  bool timed_out_ = false;
  std::string buffered_;
};

// The same over TLS, without verifying the server.
class TlsClient final : public RawClient {
 public:
  struct Options {
    int min_version = 0;
    int max_version = 0;
    ssl_session_st* resume = nullptr;
    bool offer_http2 = false;
  };

  explicit TlsClient(uint16_t port) : TlsClient(port, Options()) {}

  TlsClient(uint16_t port, const Options& options);
  ~TlsClient() override;

  bool connected() const { return connected_; }

  bool Send(std::string_view bytes) override;
  std::string PeerCommonName() const;
  std::string AlpnProtocol() const;
  bool resumed() const;
  // Owned by the caller (SSL_SESSION_free).
  ssl_session_st* TakeSession();
  void SendCloseNotify();

 protected:
  size_t Receive(char* out, size_t size) override;

 private:
  ssl_ctx_st* context_ = nullptr;
  ssl_st* ssl_ = nullptr;
  bool connected_ = false;
};

// A server on a free loopback port; the default handler answers 200 and "METHOD target body".
struct TestServer {
  explicit TestServer(std::function<void(net::ServerOptions&)> change = nullptr);

  uint16_t port() const { return server->port(); }

  FakeLogger logger;
  std::unique_ptr<net::HttpServer> server;
};

net::HttpResponse TextResponse(int status, std::string body);

// Waits at most 5 s; for effects in another thread that leave nothing to wait on.
bool Eventually(const std::function<bool()>& condition);

size_t OpenDescriptors();

}  // namespace keyturn::testing
