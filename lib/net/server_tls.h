// Server side TLS: a certificate as an OpenSSL context, and a stream over a descriptor that is
// plain or TLS. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "lib/base/result.h"
#include "lib/net/http_server.h"

struct ssl_st;
struct ssl_ctx_st;

namespace keyturn::net::server {

// An immutable SSL_CTX, shared by the connections that began under it. THREAD: safe.
class TlsContext {
 public:
  // TLS 1.2 or later, resumption by stateless tickets, ALPN "http/1.1".
  // ERRORS: INVALID_ARGUMENT when chain or key cannot be read or do not belong together.
  // SECURITY: messages carry no text of the inputs.
  static Result<std::shared_ptr<const TlsContext>> Create(const ServerCertificate& certificate);

  explicit TlsContext(ssl_ctx_st* context) : context_(context) {}

  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  ssl_ctx_st* get() const { return context_; }

 private:
  ssl_ctx_st* const context_;
};

enum class IoStatus {
  kDone,
  kWantRead,   // again when the descriptor is readable
  kWantWrite,  // again when it is writable
  kClosed,     // the peer ended its side in order
  kFailed,     // nothing more can be sent or received
};

struct IoResult {
  IoStatus status = IoStatus::kFailed;
  size_t bytes = 0;
};

// Bytes over a non-blocking socket that the caller owns. OpenSSL works on the descriptor directly
// and gives its buffers back while nothing is in flight: an idle connection costs about 10 KiB
// instead of the 70 and more of asio::ssl::stream. Not thread-safe.
class Stream {
 public:
  // Plain when `tls` is null.
  Stream(int fd, const TlsContext* tls);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Done at once on a plain stream.
  IoResult Handshake();
  // Done with at least one byte, or another status.
  IoResult Read(std::span<char> out);
  // May write a part. REQUIRES: after kWantWrite the same bytes are offered again.
  IoResult Write(std::string_view bytes);
  // Tells a TLS peer that nothing more comes. Harmless in every state.
  void CloseNotify();

  // OpenSSL's name of what failed, for the log: "tlsv1 alert unknown ca". Never text of the peer.
  const char* failure() const { return failure_; }

 private:
  IoResult FromSsl(int result);

  const int fd_;
  ssl_st* ssl_ = nullptr;
  const char* failure_ = "connection closed";
  bool broken_ = false;       // after a fatal error OpenSSL must not be called again
  bool established_ = false;  // no close_notify before the handshake is complete
};

}  // namespace keyturn::net::server
