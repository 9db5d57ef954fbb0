// Connection: one stream to a server, plain or TLS, with waits that end in time.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "lib/base/result.h"
#include "lib/base/unique_fd.h"
#include "lib/net/io_waiter.h"
#include "lib/net/resolver.h"
#include "lib/net/tls_context.h"

namespace keyturn::net {

// OpenSSL sits directly on a non-blocking descriptor: Asio's own stream would keep 70 KiB of
// buffers for each idle connection. ERRORS of all members that wait: those of CallBudget, and
// UNAVAILABLE when the connection breaks. THREAD: one thread at a time.
class Connection {
 public:
  static Result<std::unique_ptr<Connection>> Connect(const SocketAddress& address, IoWaiter& waiter,
                                                     const Step& step);

  // Continues as TLS client of `host`. ERRORS: UNAUTHENTICATED too (see HandshakeError).
  Status StartTls(const ClientTlsContext& context, const std::string& host, IoWaiter& waiter,
                  const Step& step);

  Status Write(std::string_view data, IoWaiter& waiter, const Step& step);
  // At least one byte, or 0 when the peer ended the stream in order (with TLS: said so).
  Result<size_t> Read(char* out, size_t size, IoWaiter& waiter, const Step& step);

  // False when an idle connection was closed or has something unasked to say.
  bool IsQuiet() const;

 private:
  explicit Connection(UniqueFd fd) : fd_(std::move(fd)) {}

  Result<size_t> ReadPlain(char* out, size_t size, IoWaiter& waiter, const Step& step);
  Result<size_t> ReadTls(char* out, size_t size, IoWaiter& waiter, const Step& step);
  Result<size_t> WritePlain(std::string_view data, IoWaiter& waiter, const Step& step);
  Result<size_t> WriteTls(std::string_view data, IoWaiter& waiter, const Step& step);
  // OK when the OpenSSL call that gave `result` is to be repeated.
  Status WaitForTls(int result, IoWaiter& waiter, const Step& step);

  UniqueFd fd_;
  SslHandle ssl_;  // dies before the descriptor that it uses
};

}  // namespace keyturn::net
