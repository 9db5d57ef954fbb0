// SPDX-License-Identifier: Apache-2.0
#include "lib/net/tls_context.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "lib/base/strings.h"
#include "lib/net/ip_address.h"

namespace keyturn::net {
namespace {

using BioHandle = std::unique_ptr<BIO, decltype(&BIO_free)>;
using X509Handle = std::unique_ptr<X509, decltype(&X509_free)>;

int SocketOf(BIO* bio) {
  return static_cast<int>(reinterpret_cast<intptr_t>(BIO_get_data(bio)));
}

// Translates a socket call's result into what a BIO reports.
int Finish(BIO* bio, ssize_t count, bool reading) {
  BIO_clear_retry_flags(bio);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
    reading ? BIO_set_retry_read(bio) : BIO_set_retry_write(bio);
  }
  return static_cast<int>(count);
}

int SocketRead(BIO* bio, char* out, int size) {
  return Finish(bio, ::recv(SocketOf(bio), out, static_cast<size_t>(size), 0), true);
}

int SocketWrite(BIO* bio, const char* data, int size) {
  const auto count = static_cast<size_t>(size);
  return Finish(bio, ::send(SocketOf(bio), data, count, MSG_NOSIGNAL), false);
}

long SocketControl(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

bio_method_st* CreateSocketMethod() {
  BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "keyturn socket");
  if (method == nullptr) return nullptr;
  BIO_meth_set_read(method, SocketRead);
  BIO_meth_set_write(method, SocketWrite);
  BIO_meth_set_ctrl(method, SocketControl);
  return method;
}

Status TrustPem(SSL_CTX* context, const std::string& pem) {
  const BioHandle bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  size_t count = 0;
  while (bio) {
    const X509Handle certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr),
                                 &X509_free);
    if (!certificate) break;
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate.get()) != 1) break;
    ++count;
  }
  // "No start line" is how the end of the text looks; anything else is a damaged block.
  const unsigned long error = ERR_peek_last_error();
  ERR_clear_error();
  if (ERR_GET_REASON(error) != PEM_R_NO_START_LINE) {
    return InvalidArgumentError("load CA certificates: a PEM block is damaged");
  }
  if (count > 0) return OkStatus();
  return InvalidArgumentError("load CA certificates: the PEM text holds no certificate");
}

Status TrustPath(SSL_CTX* context, const std::string& path) {
  struct stat info {};

  const bool found = ::stat(path.c_str(), &info) == 0;
  if (!found && path == ClientTlsSettings().ca_path) return OkStatus();
  if (!found) return InvalidArgumentError(StrCat("load CA certificates: ", path, " not found"));
  const int loaded = S_ISDIR(info.st_mode) ? SSL_CTX_load_verify_dir(context, path.c_str())
                                           : SSL_CTX_load_verify_file(context, path.c_str());
  ERR_clear_error();
  if (loaded == 1) return OkStatus();
  return InvalidArgumentError(StrCat("load CA certificates: ", path, " holds no certificate"));
}

void Configure(SSL_CTX* context) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  // Idle pooled connections give their 34 KiB of record buffers back.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
}

std::string WithoutFinalDot(std::string name) {
  if (name.ends_with('.')) name.pop_back();
  return name;
}

// An IP literal is matched as an address and sent without SNI.
// Source: RFC 6066 §3 (no literals, no trailing dot), RFC 9110 §4.3.4.
bool ExpectHost(SSL* ssl, const std::string& host) {
  if (!ExpectTlsHost(SSL_get0_param(ssl), host)) return false;
  if (ParseIpAddress(host)) return true;
  std::string name = WithoutFinalDot(host);
  // What the macro SSL_set_tlsext_host_name does, without its C cast. The text is copied.
  return SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data()) == 1;
}

std::string DescribeVerifyError(long code, const std::string& host) {
  switch (code) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "the server's certificate has expired (renew it, or check this machine's clock)";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "the server's certificate is not valid yet (check this machine's clock)";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return StrCat("the server's certificate is not for ", host,
                    " (use a name that the certificate lists, or add this one to it)");
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_UNTRUSTED:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:  // a CA that was made anew under its old name
      return "the server's certificate is signed by an unknown CA (give that CA's certificate, for "
             "example with caPem or AWS_CA_BUNDLE)";
    default:
      return StrCat("the server's certificate does not verify: ",
                    X509_verify_cert_error_string(code));
  }
}

std::string DescribeProtocolError(unsigned long error) {
  switch (ERR_GET_REASON(error)) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
      return "the server does not speak TLS on this port (is https right?)";
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
      return "the server offers no TLS version from 1.2 up";
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
      return "the server closed the connection";
    default:
      break;
  }
  const char* reason = ERR_reason_error_string(error);
  return reason != nullptr ? reason : "the connection broke";
}

}  // namespace

void SslDeleter::operator()(ssl_st* ssl) const {
  SSL_free(ssl);
}

Result<std::unique_ptr<ClientTlsContext>> ClientTlsContext::Create(
    const ClientTlsSettings& settings) {
  // Texts of libcrypto's errors, which no message of ours shows, would cost each process 0.1 MB;
  // those of TLS itself are still loaded.
  OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS, nullptr);
  std::unique_ptr<ClientTlsContext> result(new ClientTlsContext);
  result->context_ = SSL_CTX_new(TLS_client_method());
  result->socket_method_ = CreateSocketMethod();
  if (result->context_ == nullptr || result->socket_method_ == nullptr) {
    ERR_clear_error();
    return InternalError("create TLS context: OpenSSL failed");
  }
  Configure(result->context_);
  KEYTURN_RETURN_IF_ERROR(settings.ca_pem.empty() ? TrustPath(result->context_, settings.ca_path)
                                                  : TrustPem(result->context_, settings.ca_pem));
  return result;
}

ClientTlsContext::~ClientTlsContext() {
  SSL_CTX_free(context_);
  BIO_meth_free(socket_method_);
}

Result<SslHandle> ClientTlsContext::NewSession(int fd, const std::string& host) const {
  SslHandle ssl(SSL_new(context_));
  BIO* bio = BIO_new(socket_method_);
  if (!ssl || bio == nullptr || !ExpectHost(ssl.get(), host)) {
    BIO_free(bio);
    ERR_clear_error();
    return InternalError("create TLS session: OpenSSL failed");
  }
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<intptr_t>(fd)));
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl.get(), bio, bio);  // takes the one reference for both directions
  SSL_set_connect_state(ssl.get());
  return ssl;
}

bool ExpectTlsHost(X509_VERIFY_PARAM* parameters, const std::string& host) {
  if (ParseIpAddress(host)) return X509_VERIFY_PARAM_set1_ip_asc(parameters, host.c_str()) == 1;
  const std::string name = WithoutFinalDot(host);
  X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return X509_VERIFY_PARAM_set1_host(parameters, name.data(), name.size()) == 1;
}

Status CertificateError(long code, const std::string& host) {
  return UnauthenticatedError(DescribeVerifyError(code, host));
}

Status HandshakeError(ssl_st* ssl, const std::string& host) {
  const int socket_error = errno;
  const long verify = SSL_get_verify_result(ssl);
  const unsigned long error = ERR_peek_error();
  ERR_clear_error();
  if (verify != X509_V_OK) return CertificateError(verify, host);
  if (error == 0 && socket_error != 0) {
    return UnavailableError(std::generic_category().message(socket_error));
  }
  return UnavailableError(DescribeProtocolError(error));
}

}  // namespace keyturn::net
