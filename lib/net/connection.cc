// SPDX-License-Identifier: Apache-2.0
#include "lib/net/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "lib/base/strings.h"

namespace keyturn::net {
namespace {

constexpr size_t kMaxTlsWrite = 1 << 20;  // SSL_write counts in int

Status Broken(const Step& step, int error_number) {
  return UnavailableError(StrCat(step.doing, ": ", std::generic_category().message(error_number)));
}

Status WaitForConnect(int fd, IoWaiter& waiter, const Step& step) {
  KEYTURN_RETURN_IF_ERROR(waiter.WaitWritable(fd, step));
  int error_number = 0;
  socklen_t size = sizeof error_number;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error_number, &size) != 0) error_number = errno;
  return error_number == 0 ? OkStatus() : Broken(step, error_number);
}

}  // namespace

Result<std::unique_ptr<Connection>> Connection::Connect(const SocketAddress& address,
                                                        IoWaiter& waiter, const Step& step) {
  UniqueFd fd(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return Broken(step, errno);
  // A request is one write: nothing is gained from waiting for more to send.
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const auto* generic = reinterpret_cast<const sockaddr*>(&address.storage);
  if (::connect(fd.get(), generic, address.size) != 0) {
    if (errno != EINPROGRESS) return Broken(step, errno);
    KEYTURN_RETURN_IF_ERROR(WaitForConnect(fd.get(), waiter, step));
  }
  return std::unique_ptr<Connection>(new Connection(std::move(fd)));
}

Status Connection::WaitForTls(int result, IoWaiter& waiter, const Step& step) {
  const int error_number = errno;
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return waiter.WaitReadable(fd_.get(), step);
    case SSL_ERROR_WANT_WRITE:
      return waiter.WaitWritable(fd_.get(), step);
    case SSL_ERROR_SYSCALL:
      if (error_number != 0) return Broken(step, error_number);
      break;
    default:
      break;
  }
  const char* reason = ERR_reason_error_string(ERR_peek_error());
  Status status = UnavailableError(
      StrCat(step.doing, ": TLS: ", reason != nullptr ? reason : "the connection was cut"));
  ERR_clear_error();
  return status;
}

Status Connection::StartTls(const ClientTlsContext& context, const std::string& host,
                            IoWaiter& waiter, const Step& step) {
  KEYTURN_ASSIGN_OR_RETURN(ssl_, context.NewSession(fd_.get(), host));
  while (true) {
    ERR_clear_error();
    errno = 0;
    const int result = SSL_do_handshake(ssl_.get());
    if (result == 1) return OkStatus();
    const int error = SSL_get_error(ssl_.get(), result);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
      return AnnotateStatus(HandshakeError(ssl_.get(), host), step.doing);
    }
    KEYTURN_RETURN_IF_ERROR(WaitForTls(result, waiter, step));
  }
}

Result<size_t> Connection::WritePlain(std::string_view data, IoWaiter& waiter, const Step& step) {
  while (true) {
    const ssize_t count = ::send(fd_.get(), data.data(), data.size(), MSG_NOSIGNAL);
    if (count >= 0) return static_cast<size_t>(count);
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return Broken(step, errno);
    KEYTURN_RETURN_IF_ERROR(waiter.WaitWritable(fd_.get(), step));
  }
}

Result<size_t> Connection::WriteTls(std::string_view data, IoWaiter& waiter, const Step& step) {
  const int size = static_cast<int>(std::min(data.size(), kMaxTlsWrite));
  while (true) {
    ERR_clear_error();
    errno = 0;
    const int result = SSL_write(ssl_.get(), data.data(), size);
    if (result > 0) return static_cast<size_t>(result);
    KEYTURN_RETURN_IF_ERROR(WaitForTls(result, waiter, step));
  }
}

Status Connection::Write(std::string_view data, IoWaiter& waiter, const Step& step) {
  while (!data.empty()) {
    const auto count = ssl_ ? WriteTls(data, waiter, step) : WritePlain(data, waiter, step);
    KEYTURN_RETURN_IF_ERROR(count.status());
    data.remove_prefix(*count);
  }
  return OkStatus();
}

Result<size_t> Connection::ReadPlain(char* out, size_t size, IoWaiter& waiter, const Step& step) {
  while (true) {
    const ssize_t count = ::recv(fd_.get(), out, size, 0);
    if (count >= 0) return static_cast<size_t>(count);
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return Broken(step, errno);
    KEYTURN_RETURN_IF_ERROR(waiter.WaitReadable(fd_.get(), step));
  }
}

Result<size_t> Connection::ReadTls(char* out, size_t size, IoWaiter& waiter, const Step& step) {
  while (true) {
    ERR_clear_error();
    errno = 0;
    const int result = SSL_read(ssl_.get(), out, static_cast<int>(std::min(size, kMaxTlsWrite)));
    if (result > 0) return static_cast<size_t>(result);
    if (SSL_get_error(ssl_.get(), result) == SSL_ERROR_ZERO_RETURN) return size_t{0};
    KEYTURN_RETURN_IF_ERROR(WaitForTls(result, waiter, step));
  }
}

Result<size_t> Connection::Read(char* out, size_t size, IoWaiter& waiter, const Step& step) {
  return ssl_ ? ReadTls(out, size, waiter, step) : ReadPlain(out, size, waiter, step);
}

bool Connection::IsQuiet() const {
  if (ssl_ && SSL_has_pending(ssl_.get()) == 1) return false;
  char byte = 0;
  const ssize_t count = ::recv(fd_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return count < 0 && errno == EAGAIN;
}

}  // namespace keyturn::net
