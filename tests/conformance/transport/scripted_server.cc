// SPDX-License-Identifier: Apache-2.0
#include "tests/conformance/transport/scripted_server.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <csignal>
#include <cstring>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "lib/base/check.h"
#include "lib/base/strings.h"

namespace keyturn::testing {
namespace {

uint16_t BindToLoopback(int fd, int family) {
  sockaddr_storage storage{};
  socklen_t size = 0;
  if (family == AF_INET6) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_addr = in6addr_loopback;
    size = sizeof address;
    std::memcpy(&storage, &address, size);
  } else {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    size = sizeof address;
    std::memcpy(&storage, &address, size);
  }
  auto* generic = reinterpret_cast<sockaddr*>(&storage);
  KEYTURN_CHECK(::bind(fd, generic, size) == 0);
  KEYTURN_CHECK(::listen(fd, 64) == 0);
  KEYTURN_CHECK(::getsockname(fd, generic, &size) == 0);
  // The port has the same place in both forms.
  return ntohs(reinterpret_cast<sockaddr_in*>(&storage)->sin_port);
}

size_t BodySize(std::string_view head) {
  const std::string lower = ToLowerAscii(head);
  const size_t field = lower.find("\r\ncontent-length:");
  if (field == std::string::npos) return 0;
  return std::stoul(lower.substr(field + 17));
}

SSL_CTX* ServerContext(const TestCertificate& certificate, int max_version) {
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  SSL_CTX_set_min_proto_version(context, 0);
  if (max_version != 0) {
    SSL_CTX_set_max_proto_version(context, max_version);
    SSL_CTX_set_cipher_list(context, "ALL:@SECLEVEL=0");  // old versions need old digests
  }
  BIO* bio = BIO_new_mem_buf(certificate.certificate_pem.data(), -1);
  X509* x509 = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  bio = BIO_new_mem_buf(certificate.key_pem.data(), -1);
  EVP_PKEY* key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  KEYTURN_CHECK(SSL_CTX_use_certificate(context, x509) == 1);
  KEYTURN_CHECK(SSL_CTX_use_PrivateKey(context, key) == 1);
  X509_free(x509);
  EVP_PKEY_free(key);
  return context;
}

}  // namespace

Peer::Peer(UniqueFd fd, const std::atomic<bool>& stopping)
    : fd_(std::move(fd)), stopping_(stopping) {}

Peer::~Peer() {
  if (ssl_ != nullptr) SSL_shutdown(ssl_);
  SSL_free(ssl_);
  SSL_CTX_free(context_);
}

void Peer::Cut() {
  SSL_free(ssl_);
  ssl_ = nullptr;
  ::shutdown(fd_.get(), SHUT_RDWR);
}

void Peer::Shutdown() {
  ::shutdown(fd_.get(), SHUT_RDWR);
}

size_t Peer::ReadSome(char* out, size_t size) {
  if (ssl_ != nullptr) {
    ERR_clear_error();
    return static_cast<size_t>(std::max(0, SSL_read(ssl_, out, static_cast<int>(size))));
  }
  return static_cast<size_t>(std::max<ssize_t>(0, ::recv(fd_.get(), out, size, 0)));
}

std::string Peer::ReadRequest() {
  char part[4096];
  size_t wanted = std::string::npos;
  while (true) {
    const size_t head_end = pending_.find("\r\n\r\n");
    if (head_end != std::string::npos) {
      wanted = head_end + 4 + BodySize(std::string_view(pending_).substr(0, head_end));
    }
    if (pending_.size() >= wanted) break;
    const size_t count = ReadSome(part, sizeof part);
    if (count == 0) return "";
    pending_.append(part, count);
  }
  std::string request = pending_.substr(0, wanted);
  pending_.erase(0, wanted);
  return request;
}

bool Peer::Send(std::string_view data) {
  while (!data.empty()) {
    ssize_t count = 0;
    if (ssl_ != nullptr) {
      ERR_clear_error();
      count = SSL_write(ssl_, data.data(), static_cast<int>(data.size()));
    } else {
      count = ::send(fd_.get(), data.data(), data.size(), MSG_NOSIGNAL);
    }
    if (count <= 0 || stopping_) return false;
    data.remove_prefix(static_cast<size_t>(count));
  }
  return true;
}

bool Peer::StartTls(const TestCertificate& certificate, int max_version) {
  context_ = ServerContext(certificate, max_version);
  ssl_ = SSL_new(context_);
  SSL_set_fd(ssl_, fd_.get());
  ERR_clear_error();
  if (SSL_accept(ssl_) == 1) return true;
  SSL_free(ssl_);
  ssl_ = nullptr;
  return false;
}

std::string Peer::ServerName() const {
  const char* name = SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name);
  return name != nullptr ? name : "";
}

void Peer::Hold() {
  char part[4096];
  while (!stopping_ && ::recv(fd_.get(), part, sizeof part, 0) > 0) {
  }
}

ScriptedServer::ScriptedServer(Script script, int family) : script_(std::move(script)) {
  // OpenSSL writes with write(2), and clients of these tests hang up early.
  std::signal(SIGPIPE, SIG_IGN);
  listener_.Reset(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  KEYTURN_CHECK(listener_.valid());
  port_ = BindToLoopback(listener_.get(), family);
  acceptor_ = std::thread([this] { AcceptLoop(); });
}

ScriptedServer::~ScriptedServer() {
  stopping_ = true;
  ::shutdown(listener_.get(), SHUT_RDWR);
  acceptor_.join();
  std::vector<std::thread> scripts;
  {
    MutexLock lock(mutex_);
    for (const auto& peer : peers_) peer->Shutdown();
    scripts.swap(scripts_);
  }
  for (std::thread& script : scripts) script.join();
}

std::string ScriptedServer::Url(std::string_view scheme, std::string_view host,
                                std::string_view target) const {
  return StrCat(scheme, "://", host, ':', port_, target);
}

void ScriptedServer::AcceptLoop() {
  while (true) {
    UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd.valid() || stopping_) return;
    auto peer = std::make_shared<Peer>(std::move(fd), stopping_);
    peer->set_index(connections_++);
    MutexLock lock(mutex_);
    peers_.push_back(peer);
    scripts_.emplace_back([this, weak = std::weak_ptr<Peer>(peer)] {
      // The list holds the only other reference, so that a script's end closes its connection.
      std::shared_ptr<Peer> own = weak.lock();
      script_(*own);
      MutexLock inner(mutex_);
      std::erase(peers_, own);
    });
  }
}

std::string OkResponse(std::string_view body) {
  return StrCat("HTTP/1.1 200 OK\r\nContent-Length: ", body.size(), "\r\n\r\n", body);
}

Script AlwaysAnswer(std::string response) {
  return [response = std::move(response)](Peer& peer) {
    while (!peer.ReadRequest().empty() && peer.Send(response)) {
    }
  };
}

Script AnswerAndClose(std::string response) {
  return [response = std::move(response)](Peer& peer) {
    (void)peer.ReadRequest();
    (void)peer.Send(response);
  };
}

}  // namespace keyturn::testing
