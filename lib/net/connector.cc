// SPDX-License-Identifier: Apache-2.0
#include "lib/net/connector.h"

#include <algorithm>

#include "lib/base/secret_bytes.h"
#include "lib/base/strings.h"
#include "lib/net/exchange.h"
#include "lib/net/request_writer.h"

namespace keyturn::net {
namespace {

// Some names have dozens of addresses; after these few dead ones another will not help.
constexpr size_t kMaxAddresses = 6;

bool EndsCall(const Status& status) {
  return status.code() == StatusCode::kCancelled || status.code() == StatusCode::kDeadlineExceeded;
}

std::string DescribeRefusal(int status) {
  if (status == 407) return "407: it wants other credentials";
  return std::to_string(status);
}

}  // namespace

Connector::Connector(const TransportOptions& options, LookupFunction lookup)
    : tls_settings_(options.tls), limits_(options.limits), resolver_(std::move(lookup)) {}

Result<const ClientTlsContext*> Connector::Tls() {
  MutexLock lock(mutex_);
  if (!tls_) {
    KEYTURN_ASSIGN_OR_RETURN(tls_, ClientTlsContext::Create(tls_settings_));
  }
  return static_cast<const ClientTlsContext*>(tls_.get());
}

Status Connector::PrepareTls() {
  return Tls().status();
}

Result<std::unique_ptr<Connection>> Connector::TryInTurn(
    const std::vector<SocketAddress>& addresses, IoWaiter& waiter, const CallBudget& budget) {
  const size_t count = std::min(addresses.size(), kMaxAddresses);
  // An equal share for each, so that one black hole does not use up the time of the others.
  const auto share = limits_.connect_timeout / static_cast<int>(std::max<size_t>(count, 1));
  Status last;
  for (size_t i = 0; i < count; ++i) {
    const Step step = budget.BeginStep(StrCat("connect to ", addresses[i].ToString()), share);
    KEYTURN_RETURN_IF_ERROR(budget.Check(step));
    auto connection = Connection::Connect(addresses[i], waiter, step);
    if (connection.ok() || EndsCall(connection.status())) return connection;
    last = connection.status();
  }
  if (count == 1) return last;
  return AnnotateStatus(last, StrCat("none of ", count, " addresses works, the last"));
}

Result<std::unique_ptr<Connection>> Connector::ConnectTo(const Url& url, IoWaiter& waiter,
                                                         const CallBudget& budget) {
  const Step step = budget.BeginStep(StrCat("look up ", url.host), limits_.connect_timeout);
  KEYTURN_ASSIGN_OR_RETURN(const auto addresses,
                           resolver_.Resolve(url.host, url.port, budget, step));
  return TryInTurn(addresses, waiter, budget);
}

Status Connector::OpenTunnel(Connection& connection, const Url& url, const Proxy& proxy,
                             IoWaiter& waiter, const CallBudget& budget) {
  std::string wire = SerializeConnect(url, proxy);
  const ScopedCleanse cleanse(wire);
  const ExchangeInput input{wire, ResponseKind::kBodyless, nullptr};
  const ExchangeResult result =
      Exchange(connection, input, limits_, waiter, budget.Within(limits_.connect_timeout));
  const std::string doing = StrCat("ask proxy ", Endpoint(proxy.url), " for a tunnel");
  KEYTURN_RETURN_IF_ERROR(AnnotateStatus(result.status, doing));
  const int status = result.response.status;
  if (status / 100 == 2) return OkStatus();
  return UnavailableError(StrCat(doing, ": it answered ", DescribeRefusal(status)));
}

Result<std::unique_ptr<Connection>> Connector::Connect(const Url& url, const Proxy* proxy,
                                                       IoWaiter& waiter, const CallBudget& budget) {
  auto connection = ConnectTo(proxy != nullptr ? proxy->url : url, waiter, budget);
  if (!connection.ok() && proxy != nullptr) {
    return AnnotateStatus(connection.status(), "reach the proxy");
  }
  if (!connection.ok()) return connection;
  if (!url.is_tls()) return connection;
  if (proxy != nullptr) {
    KEYTURN_RETURN_IF_ERROR(OpenTunnel(**connection, url, *proxy, waiter, budget));
  }
  KEYTURN_ASSIGN_OR_RETURN(const ClientTlsContext* tls, Tls());
  const Step step =
      budget.BeginStep(StrCat("TLS handshake with ", Endpoint(url)), limits_.connect_timeout);
  KEYTURN_RETURN_IF_ERROR((*connection)->StartTls(*tls, url.host, waiter, step));
  return connection;
}

}  // namespace keyturn::net
