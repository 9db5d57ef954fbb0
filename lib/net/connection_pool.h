// ConnectionPool: idle keep-alive connections of one transport.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "lib/net/connection.h"

namespace keyturn::net {

// No thread watches it: expired connections are closed by the next call, so that an idle program
// sleeps. THREAD: safe.
class ConnectionPool {
 public:
  // REQUIRES: `clock` outlives the pool.
  ConnectionPool(const Clock& clock, std::chrono::milliseconds idle_timeout);

  // The connection to `origin` that was used last and is still open, or null.
  std::unique_ptr<Connection> Take(const std::string& origin);
  // Keeps `connection` for later; beyond the size limit the longest idle one is closed.
  void Put(std::string origin, std::unique_ptr<Connection> connection);

 private:
  struct Idle {
    std::string origin;
    std::unique_ptr<Connection> connection;
    MonoTime since;
  };

  void DropExpired() KEYTURN_REQUIRES(mutex_);

  const Clock& clock_;
  const std::chrono::milliseconds idle_timeout_;
  Mutex mutex_;
  std::vector<Idle> idle_ KEYTURN_GUARDED_BY(mutex_);  // oldest first
};

}  // namespace keyturn::net
