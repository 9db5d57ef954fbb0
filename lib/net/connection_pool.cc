// SPDX-License-Identifier: Apache-2.0
#include "lib/net/connection_pool.h"

#include <algorithm>
#include <utility>

namespace keyturn::net {
namespace {

// A program of ours talks to three or four services from few threads; each idle TLS connection
// costs 14 KiB.
constexpr size_t kMaxIdle = 8;

}  // namespace

ConnectionPool::ConnectionPool(const Clock& clock, std::chrono::milliseconds idle_timeout)
    : clock_(clock), idle_timeout_(idle_timeout) {}

void ConnectionPool::DropExpired() {
  const MonoTime now = clock_.MonoNow();
  std::erase_if(idle_, [&](const Idle& idle) { return now - idle.since >= idle_timeout_; });
}

std::unique_ptr<Connection> ConnectionPool::Take(const std::string& origin) {
  MutexLock lock(mutex_);
  DropExpired();
  for (size_t i = idle_.size(); i-- > 0;) {
    if (idle_[i].origin != origin) continue;
    std::unique_ptr<Connection> connection = std::move(idle_[i].connection);
    idle_.erase(idle_.begin() + static_cast<std::ptrdiff_t>(i));
    if (connection->IsQuiet()) return connection;
  }
  return nullptr;
}

void ConnectionPool::Put(std::string origin, std::unique_ptr<Connection> connection) {
  MutexLock lock(mutex_);
  DropExpired();
  if (idle_.size() >= kMaxIdle) idle_.erase(idle_.begin());
  idle_.push_back({std::move(origin), std::move(connection), clock_.MonoNow()});
}

}  // namespace keyturn::net
