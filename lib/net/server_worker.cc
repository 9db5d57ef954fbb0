// SPDX-License-Identifier: Apache-2.0
#include "lib/net/server_worker.h"

#include <utility>  // Boost 1.74's Asio needs it before its own headers
#include <vector>

#include "lib/net/server_connection.h"

namespace keyturn::net::server {

Worker::Worker(std::shared_ptr<ServerState> state_in) : state(std::move(state_in)) {}

Worker::~Worker() = default;

void Worker::Adopt(UniqueFd fd, std::string peer, ConnectionSlot slot) {
  // The reference of the SSL object keeps the context alive after a swap.
  const std::shared_ptr<const TlsContext> tls = state->tls.Get();
  const auto connection = std::make_shared<Connection>(
      *this, std::move(peer), std::move(slot), fd.get(), state->is_tls ? tls.get() : nullptr);
  connections_.emplace(connection.get(), connection);
  connection->Start(std::move(fd));
}

void Worker::Forget(const Connection* connection) {
  connections_.erase(connection);
}

void Worker::CloseIdle() {
  // A copy: closing removes from the map.
  const auto connections = connections_;
  for (const auto& [key, connection] : connections) connection->CloseIfIdle();
}

void Worker::CloseAll() {
  const auto connections = connections_;
  for (const auto& [key, connection] : connections) connection->Close();
}

}  // namespace keyturn::net::server
