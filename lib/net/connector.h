// Connector: a new connection to the server of a URL, through a proxy where one is set.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "lib/base/mutex.h"
#include "lib/net/connection.h"
#include "lib/net/http_transport.h"
#include "lib/net/proxy.h"
#include "lib/net/resolver.h"

namespace keyturn::net {

// THREAD: safe.
class Connector {
 public:
  Connector(const TransportOptions& options, LookupFunction lookup);

  // Makes the TLS context now instead of at the first https URL, to report a bad CA early.
  Status PrepareTls();

  // Look-up, connect, CONNECT and TLS handshake. Each may take `connect_timeout`; the addresses of
  // a name share it and are tried in turn.
  // ERRORS: as HttpTransport::Send.
  Result<std::unique_ptr<Connection>> Connect(const Url& url, const Proxy* proxy, IoWaiter& waiter,
                                              const CallBudget& budget);

 private:
  Result<std::unique_ptr<Connection>> ConnectTo(const Url& url, IoWaiter& waiter,
                                                const CallBudget& budget);
  Result<std::unique_ptr<Connection>> TryInTurn(const std::vector<SocketAddress>& addresses,
                                                IoWaiter& waiter, const CallBudget& budget);
  Status OpenTunnel(Connection& connection, const Url& url, const Proxy& proxy, IoWaiter& waiter,
                    const CallBudget& budget);
  Result<const ClientTlsContext*> Tls() KEYTURN_EXCLUDES(mutex_);

  const ClientTlsSettings tls_settings_;
  const TransportLimits limits_;
  Resolver resolver_;
  Mutex mutex_;
  // Made once: it holds the trusted certificates, and making it initialises OpenSSL.
  std::unique_ptr<ClientTlsContext> tls_ KEYTURN_GUARDED_BY(mutex_);
};

}  // namespace keyturn::net
