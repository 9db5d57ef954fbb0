// SPDX-License-Identifier: Apache-2.0
#include "lib/net/server_tls.h"

#include <errno.h>
#include <limits.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdint>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "lib/base/check.h"

namespace keyturn::net::server {
namespace {

template <auto Function>
struct Deleter {
  template <typename T>
  void operator()(T* object) const {
    Function(object);
  }
};

using BioPtr = std::unique_ptr<BIO, Deleter<BIO_free_all>>;
using CertificatePtr = std::unique_ptr<X509, Deleter<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using ContextPtr = std::unique_ptr<SSL_CTX, Deleter<SSL_CTX_free>>;

// An own BIO instead of SSL_set_fd: OpenSSL's socket BIO calls write(2), which raises SIGPIPE in
// programs that do not ignore it.
int BioDescriptor(BIO* bio) {
  return static_cast<int>(reinterpret_cast<intptr_t>(BIO_get_data(bio)));
}

int BioSend(BIO* bio, const char* data, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t count = ::send(BioDescriptor(bio), data, static_cast<size_t>(size), MSG_NOSIGNAL);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_write(bio);
  return static_cast<int>(count);
}

int BioReceive(BIO* bio, char* data, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t count = ::recv(BioDescriptor(bio), data, static_cast<size_t>(size), 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
  return static_cast<int>(count);
}

long BioControl(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD* MakeSocketMethod() {
  BIO_METHOD* const method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
  KEYTURN_CHECK(method != nullptr);
  BIO_meth_set_write(method, BioSend);
  BIO_meth_set_read(method, BioReceive);
  BIO_meth_set_ctrl(method, BioControl);
  return method;
}

BIO* NewSocketBio(int fd) {
  // Lives as long as the process: BIOs refer to it without counting.
  static BIO_METHOD* const method = MakeSocketMethod();
  BIO* const bio = BIO_new(method);
  KEYTURN_CHECK(bio != nullptr);
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<intptr_t>(fd)));
  BIO_set_init(bio, 1);
  return bio;
}

BioPtr ReadOnlyBio(std::string_view text) {
  const size_t size = std::min<size_t>(text.size(), INT_MAX);
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(size)));
}

// An encrypted key must fail instead of asking for a pass phrase on the terminal.
int NoPassphrase(char*, int, int, void*) {
  return -1;
}

bool UseChain(SSL_CTX* context, std::string_view pem) {
  const BioPtr bio = ReadOnlyBio(pem);
  const CertificatePtr leaf(PEM_read_bio_X509(bio.get(), nullptr, NoPassphrase, nullptr));
  if (!leaf || SSL_CTX_use_certificate(context, leaf.get()) != 1) return false;
  while (X509* const issuer = PEM_read_bio_X509(bio.get(), nullptr, NoPassphrase, nullptr)) {
    if (SSL_CTX_add0_chain_cert(context, issuer) != 1) {
      X509_free(issuer);
      return false;
    }
  }
  // The end of the text shows as "no start line"; anything else is a damaged certificate.
  return ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
}

bool UseKey(SSL_CTX* context, std::string_view pem) {
  const BioPtr bio = ReadOnlyBio(pem);
  const KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassphrase, nullptr));
  return key && SSL_CTX_use_PrivateKey(context, key.get()) == 1;
}

// Without an answer some clients assume HTTP/2, which we do not speak.
int SelectHttp1(SSL*, const unsigned char** out, unsigned char* out_size,
                const unsigned char* offered, unsigned int offered_size, void*) {
  static constexpr unsigned char kHttp1[] = "\x08http/1.1";
  unsigned char* selected = nullptr;
  const int found =
      SSL_select_next_proto(&selected, out_size, kHttp1, sizeof kHttp1 - 1, offered, offered_size);
  *out = selected;
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

void Configure(SSL_CTX* context) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  // Client-initiated renegotiation is a cheap way to burn our CPU.
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context, 1);  // one recv(2) per record instead of two
  // Resumption by tickets only: the server keeps nothing per client.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 1);
  SSL_CTX_set_alpn_select_cb(context, SelectHttp1, nullptr);
}

}  // namespace

Result<std::shared_ptr<const TlsContext>> TlsContext::Create(const ServerCertificate& certificate) {
  ERR_clear_error();
  ContextPtr context(SSL_CTX_new(TLS_server_method()));
  if (!context) return ResourceExhaustedError("create TLS context: out of memory");
  Configure(context.get());
  // OpenSSL's own error text is left out: it may name parts of the input.
  Status failure;
  if (!UseChain(context.get(), certificate.chain_pem)) {
    failure = InvalidArgumentError("server certificate: the PEM chain cannot be read");
  } else if (!UseKey(context.get(), certificate.key_pem)) {
    failure = InvalidArgumentError(
        "server certificate: the PEM private key cannot be read or is not the certificate's");
  } else if (SSL_CTX_check_private_key(context.get()) != 1) {
    failure = InvalidArgumentError("server certificate: key and certificate do not match");
  }
  ERR_clear_error();
  if (!failure.ok()) return failure;
  return std::shared_ptr<const TlsContext>(std::make_shared<TlsContext>(context.release()));
}

TlsContext::~TlsContext() {
  SSL_CTX_free(context_);
}

Stream::Stream(int fd, const TlsContext* tls) : fd_(fd) {
  if (tls == nullptr) return;
  ssl_ = SSL_new(tls->get());
  KEYTURN_CHECK(ssl_ != nullptr);
  BIO* const bio = NewSocketBio(fd);
  SSL_set_bio(ssl_, bio, bio);
  SSL_set_accept_state(ssl_);
}

Stream::~Stream() {
  SSL_free(ssl_);
}

IoResult Stream::FromSsl(int result) {
  if (result > 0) return {IoStatus::kDone, static_cast<size_t>(result)};
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
      return {IoStatus::kWantRead};
    case SSL_ERROR_WANT_WRITE:
      return {IoStatus::kWantWrite};
    case SSL_ERROR_ZERO_RETURN:
      return {IoStatus::kClosed};
    default:
      broken_ = true;
      if (const char* const reason = ERR_reason_error_string(ERR_peek_error())) failure_ = reason;
      ERR_clear_error();
      return {IoStatus::kFailed};
  }
}

IoResult Stream::Handshake() {
  if (ssl_ == nullptr) return {IoStatus::kDone};
  ERR_clear_error();
  const IoResult result = FromSsl(SSL_do_handshake(ssl_));
  established_ = result.status == IoStatus::kDone;
  return result;
}

IoResult Stream::Read(std::span<char> out) {
  if (ssl_ != nullptr) {
    ERR_clear_error();
    return FromSsl(SSL_read(ssl_, out.data(), static_cast<int>(out.size())));
  }
  const ssize_t count = ::recv(fd_, out.data(), out.size(), 0);
  if (count > 0) return {IoStatus::kDone, static_cast<size_t>(count)};
  if (count == 0) return {IoStatus::kClosed};
  return {errno == EAGAIN || errno == EINTR ? IoStatus::kWantRead : IoStatus::kFailed};
}

IoResult Stream::Write(std::string_view bytes) {
  if (ssl_ != nullptr) {
    ERR_clear_error();
    const size_t size = std::min<size_t>(bytes.size(), INT_MAX);
    return FromSsl(SSL_write(ssl_, bytes.data(), static_cast<int>(size)));
  }
  const ssize_t count = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (count >= 0) return {IoStatus::kDone, static_cast<size_t>(count)};
  return {errno == EAGAIN || errno == EINTR ? IoStatus::kWantWrite : IoStatus::kFailed};
}

void Stream::CloseNotify() {
  if (ssl_ == nullptr || broken_ || !established_) return;
  ERR_clear_error();
  SSL_shutdown(ssl_);  // one way is enough: the descriptor is closed next
  ERR_clear_error();
}

}  // namespace keyturn::net::server
