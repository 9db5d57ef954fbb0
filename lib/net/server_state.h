// What every connection of one server shares.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "lib/base/snapshot.h"
#include "lib/net/http_server.h"
#include "lib/net/server_tls.h"

namespace keyturn::net::server {

// THREAD: safe.
class ServerState {
 public:
  ServerState(ServerLimits limits_in, RequestHandler handler_in, Logger& logger_in)
      : limits(limits_in), handler(std::move(handler_in)), logger(logger_in) {}

  const ServerLimits limits;
  const RequestHandler handler;
  Logger& logger;
  bool is_tls = false;  // set before the first thread starts
  Snapshot<TlsContext> tls;
  std::atomic<bool> draining = false;

  size_t open() const {
    MutexLock lock(mutex_);
    return open_;
  }

  bool TryOpen() {
    MutexLock lock(mutex_);
    if (open_ >= limits.max_connections) return false;
    ++open_;
    return true;
  }

  void Closed() {
    MutexLock lock(mutex_);
    --open_;
    if (open_ == 0) none_open_.NotifyAll();
  }

  // False when `until` came first.
  bool WaitUntilNoneOpen(MonoTime until) {
    MutexLock lock(mutex_);
    while (open_ != 0) {
      if (!none_open_.WaitUntil(mutex_, until)) return open_ == 0;
    }
    return true;
  }

 private:
  mutable Mutex mutex_;
  CondVar none_open_;
  size_t open_ KEYTURN_GUARDED_BY(mutex_) = 0;
};

// One unit of max_connections, given back when destroyed.
class ConnectionSlot {
 public:
  // Invalid when the limit is reached.
  explicit ConnectionSlot(const std::shared_ptr<ServerState>& state) {
    if (state->TryOpen()) state_ = state;
  }

  ConnectionSlot(ConnectionSlot&&) noexcept = default;
  ConnectionSlot& operator=(ConnectionSlot&&) = delete;

  ~ConnectionSlot() { Release(); }

  bool valid() const { return state_ != nullptr; }

  void Release() {
    if (const auto state = std::exchange(state_, nullptr)) state->Closed();
  }

 private:
  std::shared_ptr<ServerState> state_;
};

}  // namespace keyturn::net::server
