// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/net_server/test_support.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdlib>
#include <thread>

#include <gtest/gtest.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

namespace keyturn::testing {
namespace {

std::string TakePem(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string pem(data, static_cast<size_t>(size));
  BIO_free(bio);
  return pem;
}

UniqueFd Connect(const char* host, uint16_t port) {
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  v4.sin_family = AF_INET;
  v6.sin6_family = AF_INET6;
  v4.sin_port = v6.sin6_port = htons(port);
  const bool is_v4 = ::inet_pton(AF_INET, host, &v4.sin_addr) == 1;
  if (!is_v4) ::inet_pton(AF_INET6, host, &v6.sin6_addr);
  UniqueFd fd(::socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval timeout{5, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  const int result = is_v4 ? ::connect(fd.get(), reinterpret_cast<sockaddr*>(&v4), sizeof v4)
                           : ::connect(fd.get(), reinterpret_cast<sockaddr*>(&v6), sizeof v6);
  EXPECT_EQ(result, 0) << errno;
  return fd;
}

}  // namespace

net::ServerCertificate MakeCertificate(const std::string& common_name) {
  EVP_PKEY* const key = EVP_EC_gen("P-256");
  X509* const certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME* const name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1,
                             0);
  X509_set_issuer_name(certificate, name);
  X509_sign(certificate, key, EVP_sha256());
  BIO* const chain = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(chain, certificate);
  BIO* const secret = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(secret, key, nullptr, nullptr, 0, nullptr, nullptr);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return {TakePem(chain), TakePem(secret)};
}

RawClient::RawClient(uint16_t port, const char* host) : fd_(Connect(host, port)) {}

bool RawClient::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return true;
}

size_t RawClient::Receive(char* out, size_t size) {
  const ssize_t count = ::recv(fd_.get(), out, size, 0);
  timed_out_ = timed_out_ || (count < 0 && errno == EAGAIN);
  return count > 0 ? static_cast<size_t>(count) : 0;
}

std::string RawClient::ReadToEnd() {
  std::string all;
  all.swap(buffered_);
  std::array<char, 16384> part{};
  while (const size_t count = Receive(part.data(), part.size())) all.append(part.data(), count);
  EXPECT_FALSE(timed_out_) << "the server neither answered nor closed";
  return all;
}

std::string RawClient::ReadResponse(bool head) {
  std::array<char, 16384> part{};
  while (true) {
    const size_t end = buffered_.find("\r\n\r\n");
    if (end != std::string::npos) {
      const size_t field = buffered_.find("Content-Length: ");
      size_t size = end + 4;
      if (!head && field < end) size += std::strtoul(buffered_.c_str() + field + 16, nullptr, 10);
      if (buffered_.size() >= size) {
        const std::string response = buffered_.substr(0, size);
        buffered_.erase(0, size);
        return response;
      }
    }
    const size_t count = Receive(part.data(), part.size());
    if (count == 0) return "closed after: " + buffered_;
    buffered_.append(part.data(), count);
  }
}

std::string RawClient::Exchange(std::string_view bytes) {
  Send(bytes);
  return ReadToEnd();
}

void RawClient::Abort() {
  const linger now{1, 0};
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  fd_.Reset();
}

TlsClient::TlsClient(uint16_t port, const Options& options)
    : RawClient(port), context_(SSL_CTX_new(TLS_client_method())) {
  if (options.min_version != 0) SSL_CTX_set_min_proto_version(context_, options.min_version);
  if (options.max_version != 0) SSL_CTX_set_max_proto_version(context_, options.max_version);
  // Old versions are disabled by default; the tests want to see the server refuse them.
  SSL_CTX_set_security_level(context_, 0);
  SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_CLIENT);
  ssl_ = SSL_new(context_);
  static constexpr unsigned char kProtocols[] = "\x02h2\x08http/1.1";
  if (options.offer_http2) SSL_set_alpn_protos(ssl_, kProtocols, sizeof kProtocols - 1);
  if (options.resume != nullptr) SSL_set_session(ssl_, options.resume);
  SSL_set_fd(ssl_, fd_.get());
  connected_ = SSL_connect(ssl_) == 1;
}

TlsClient::~TlsClient() {
  SSL_free(ssl_);
  SSL_CTX_free(context_);
}

bool TlsClient::Send(std::string_view bytes) {
  return connected_ && SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size())) > 0;
}

size_t TlsClient::Receive(char* out, size_t size) {
  const int count = SSL_read(ssl_, out, static_cast<int>(size));
  return count > 0 ? static_cast<size_t>(count) : 0;
}

std::string TlsClient::PeerCommonName() const {
  X509* const certificate = SSL_get1_peer_certificate(ssl_);
  if (certificate == nullptr) return "";
  std::array<char, 128> name{};
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name.data(),
                            static_cast<int>(name.size()));
  X509_free(certificate);
  return name.data();
}

std::string TlsClient::AlpnProtocol() const {
  const unsigned char* data = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(ssl_, &data, &size);
  return {reinterpret_cast<const char*>(data), size};
}

bool TlsClient::resumed() const {
  return SSL_session_reused(ssl_) == 1;
}

ssl_session_st* TlsClient::TakeSession() {
  return SSL_get1_session(ssl_);
}

void TlsClient::SendCloseNotify() {
  SSL_shutdown(ssl_);
}

TestServer::TestServer(std::function<void(net::ServerOptions&)> change) {
  net::ServerOptions options;
  options.listen = "127.0.0.1:0";
  options.logger = &logger;
  options.handler = [](net::ServerRequest request, net::Responder responder) {
    responder.Send(TextResponse(200, request.method + " " + request.target + " " + request.body));
  };
  if (change) change(options);
  auto created = net::CreateBeastServer(std::move(options));
  EXPECT_TRUE(created.ok()) << created.status().ToString();
  if (created.ok()) server = std::move(*created);
}

net::HttpResponse TextResponse(int status, std::string body) {
  net::HttpResponse response;
  response.status = status;
  response.headers.Add("Content-Type", "text/plain");
  response.body = std::move(body);
  return response;
}

bool Eventually(const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + 5s;
  while (std::chrono::steady_clock::now() < until) {
    if (condition()) return true;
    std::this_thread::yield();
  }
  return condition();
}

size_t OpenDescriptors() {
  DIR* const directory = ::opendir("/proc/self/fd");
  size_t count = 0;
  while (::readdir(directory) != nullptr) ++count;
  ::closedir(directory);
  return count;
}

}  // namespace keyturn::testing
