// SPDX-License-Identifier: Apache-2.0
#include "lib/net/server_listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include <array>

#include "lib/base/strings.h"

namespace keyturn::net::server {
namespace {

Status BadListenAddress(std::string_view text) {
  return InvalidArgumentError(StrCat("listen address '", QuoteForMessage(text),
                                     "': use 127.0.0.1:8080 or [::1]:8080 (numeric, with port)"));
}

template <typename T>
SocketAddress FromSockaddr(const T& address) {
  SocketAddress out;
  ::memcpy(&out.storage, &address, sizeof address);
  out.size = sizeof address;
  return out;
}

template <typename T>
T ToSockaddr(const SocketAddress& address) {
  T out{};
  ::memcpy(&out, &address.storage, sizeof out);
  return out;
}

Status BindError(int error) {
  if (error == EADDRINUSE) return AlreadyExistsError("bind: the address is in use");
  if (error == EADDRNOTAVAIL) return InvalidArgumentError("bind: no interface has this address");
  return ErrnoToStatus(error, "bind");
}

void SetOption(int fd, int level, int option, int value) {
  // Best effort: every option set here improves behaviour, none is needed for correctness.
  ::setsockopt(fd, level, option, &value, sizeof value);
}

}  // namespace

Result<SocketAddress> ParseListenAddress(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return BadListenAddress(text);
  const auto port = ParseUnsigned<uint16_t>(text.substr(colon + 1));
  if (!port) return BadListenAddress(text);
  std::string host(text.substr(0, colon));
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(*port);
    host = host.substr(1, host.size() - 2);
    if (::inet_pton(AF_INET6, host.c_str(), &address.sin6_addr) != 1) return BadListenAddress(text);
    return FromSockaddr(address);
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(*port);
  if (::inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) return BadListenAddress(text);
  return FromSockaddr(address);
}

std::string FormatAddress(const SocketAddress& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.storage.ss_family == AF_INET) {
    const auto v4 = ToSockaddr<sockaddr_in>(address);
    ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
    return StrCat(text.data(), ":", ntohs(v4.sin_port));
  }
  const auto v6 = ToSockaddr<sockaddr_in6>(address);
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
    ::inet_ntop(AF_INET, &v6.sin6_addr.s6_addr[12], text.data(), text.size());
    return StrCat(text.data(), ":", ntohs(v6.sin6_port));
  }
  ::inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
  return StrCat("[", text.data(), "]:", ntohs(v6.sin6_port));
}

uint16_t PortOf(const SocketAddress& address) {
  if (address.storage.ss_family == AF_INET) return ntohs(ToSockaddr<sockaddr_in>(address).sin_port);
  return ntohs(ToSockaddr<sockaddr_in6>(address).sin6_port);
}

Result<UniqueFd> OpenListener(const SocketAddress& address) {
  // CLOEXEC: a child started by a notification must not hold our port.
  UniqueFd fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return ErrnoToStatus(errno, "create listening socket");
  SetOption(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);  // restart while old connections linger
  if (address.storage.ss_family == AF_INET6) SetOption(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 0);
  if (::bind(fd.get(), address.get(), address.size) != 0) return BindError(errno);
  if (::listen(fd.get(), SOMAXCONN) != 0) return BindError(errno);
  return fd;
}

Result<SocketAddress> BoundAddress(int fd) {
  SocketAddress address;
  address.size = sizeof address.storage;
  if (::getsockname(fd, address.get(), &address.size) != 0) {
    return ErrnoToStatus(errno, "read the bound address");
  }
  return address;
}

UniqueFd AcceptConnection(int listener, SocketAddress& peer, int& error) {
  peer.size = sizeof peer.storage;
  UniqueFd fd(::accept4(listener, peer.get(), &peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC));
  error = fd.valid() ? 0 : errno;
  if (fd.valid()) SetOption(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  return fd;
}

}  // namespace keyturn::net::server
