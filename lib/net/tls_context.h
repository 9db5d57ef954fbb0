// ClientTlsContext: whom a client trusts, and how a failed handshake is explained.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "lib/base/result.h"
#include "lib/net/http_transport.h"

// OpenSSL's own tags, so that this header needs none of its headers.
struct ssl_st;
struct ssl_ctx_st;
struct bio_method_st;
struct X509_VERIFY_PARAM_st;

namespace keyturn::net {

struct SslDeleter {
  void operator()(ssl_st* ssl) const;
};

using SslHandle = std::unique_ptr<ssl_st, SslDeleter>;

// TLS 1.2 or later, peer and host name always verified. Either the given certificates or the given
// directory are trusted, never both: whoever names a CA wants no other. THREAD: safe once made.
class ClientTlsContext {
 public:
  // ERRORS: INVALID_ARGUMENT for PEM without a certificate, or a path that cannot be read. Only the
  // default path may be missing (an image without CA certificates that talks plain HTTP).
  static Result<std::unique_ptr<ClientTlsContext>> Create(const ClientTlsSettings& settings);
  ~ClientTlsContext();

  // A client session on `fd` (borrowed) that expects `host`: a name (with SNI) or an IP literal.
  Result<SslHandle> NewSession(int fd, const std::string& host) const;

  // For client libraries that make their own sessions; owned by this object. It verifies the chain
  // but knows no host: see ExpectTlsHost.
  ssl_ctx_st* native_handle() const { return context_; }

 private:
  ClientTlsContext() = default;

  ssl_ctx_st* context_ = nullptr;
  // Socket I/O with MSG_NOSIGNAL: OpenSSL's own would kill the program with SIGPIPE.
  bio_method_st* socket_method_ = nullptr;
};

// Makes the verification of a certificate chain check that the leaf is for `host` (a name or an IP
// literal). False when out of memory.
bool ExpectTlsHost(X509_VERIFY_PARAM_st* parameters, const std::string& host);

// UNAUTHENTICATED, with a remedy, for `code` (X509_V_ERR_…).
Status CertificateError(long code, const std::string& host);

// Explains why the handshake of `ssl` failed; empties OpenSSL's error queue.
// ERRORS: UNAUTHENTICATED when the certificate or its name does not verify, UNAVAILABLE otherwise.
Status HandshakeError(ssl_st* ssl, const std::string& host);

}  // namespace keyturn::net
