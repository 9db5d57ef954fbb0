// Worker: one thread of the server with its connections. A connection never leaves its worker, so
// that nothing in it needs a lock.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>

#include <boost/asio/io_context.hpp>

#include "lib/base/unique_fd.h"
#include "lib/net/server_response.h"
#include "lib/net/server_state.h"

namespace keyturn::net::server {

class Connection;

// THREAD: all members on the worker's thread, except OnThread and posting to `context`.
class Worker : public std::enable_shared_from_this<Worker> {
 public:
  explicit Worker(std::shared_ptr<ServerState> state);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Begins to serve a connection.
  void Adopt(UniqueFd fd, std::string peer, ConnectionSlot slot);
  // Called by a connection that has closed.
  void Forget(const Connection* connection);
  // Closes the connections that wait between two requests.
  void CloseIdle();
  void CloseAll();

  bool OnThread() { return context.get_executor().running_in_this_thread(); }

  // Where bytes are received before they are parsed: one for all, so that a waiting connection has
  // none of its own.
  std::span<char> scratch() { return scratch_; }

  std::string_view Date() { return date_.Get(clock_.WallNow()); }

  // First, so that it is destroyed last: pending operations refer to connections.
  boost::asio::io_context context{1};
  const std::shared_ptr<ServerState> state;

 private:
  std::unordered_map<const Connection*, std::shared_ptr<Connection>> connections_;
  std::array<char, 32 * 1024> scratch_{};  // two TLS records
  // The only use of time that is not an interval; an injected clock would change nothing here.
  SystemClock clock_;
  DateText date_;
};

}  // namespace keyturn::net::server
