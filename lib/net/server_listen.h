// Listening sockets: address syntax, bind, accept and the text form of addresses.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "lib/base/result.h"
#include "lib/base/unique_fd.h"

namespace keyturn::net::server {

// A socket address with its length, as the socket calls want it.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

// "127.0.0.1:0" or "[::1]:8443". Numeric addresses only: a name look-up could block for seconds and
// bind something else than meant. ERRORS: INVALID_ARGUMENT.
Result<SocketAddress> ParseListenAddress(std::string_view text);

// "127.0.0.1:5000", "[::1]:5000"; an IPv4 peer of a dual-stack socket is shown as IPv4.
std::string FormatAddress(const SocketAddress& address);
uint16_t PortOf(const SocketAddress& address);

// A non-blocking listening socket; "[::]" takes IPv4 connections, too.
// ERRORS: ALREADY_EXISTS when the port is taken, PERMISSION_DENIED, INVALID_ARGUMENT when no
// interface has the address.
Result<UniqueFd> OpenListener(const SocketAddress& address);

// The address that `fd` is bound to.
Result<SocketAddress> BoundAddress(int fd);

// One pending connection, non-blocking and without Nagle's delay. `error` is errno when the result
// is not valid; EAGAIN means that none is pending.
UniqueFd AcceptConnection(int listener, SocketAddress& peer, int& error);

}  // namespace keyturn::net::server
