// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "lib/base/check.h"
#include "lib/base/secret_bytes.h"
#include "lib/base/strings.h"
#include "lib/net/connection_pool.h"
#include "lib/net/connector.h"
#include "lib/net/exchange.h"
#include "lib/net/request_writer.h"
#include "lib/net/transport_factory.h"

namespace keyturn::net {
namespace {

class BeastTransport final : public HttpTransport {
 public:
  BeastTransport(TransportOptions options, ProxySelector proxies, LookupFunction lookup)
      : options_(std::move(options)),
        proxies_(std::move(proxies)),
        connector_(options_, std::move(lookup)),
        pool_(*options_.clock, options_.limits.idle_timeout) {}

  Status PrepareTls() { return connector_.PrepareTls(); }

  Result<HttpResponse> Send(const HttpRequest& request, const CallContext& context,
                            const BodySink* sink) override;

 private:
  Result<HttpResponse> Run(const HttpRequest& request, const CallBudget& budget,
                           const BodySink* sink);
  // Returns the connection to the pool if it is fit for that.
  ExchangeResult Use(std::unique_ptr<Connection> connection, const std::string& origin,
                     const ExchangeInput& input, IoWaiter& waiter, const CallBudget& budget);

  const TransportOptions options_;
  const ProxySelector proxies_;
  Connector connector_;
  ConnectionPool pool_;
};

Result<HttpResponse> BeastTransport::Send(const HttpRequest& request, const CallContext& context,
                                          const BodySink* sink) {
  KEYTURN_RETURN_IF_ERROR(CheckRequest(request));
  const CallBudget budget(*options_.clock, context);
  auto response = Run(request, budget, sink);
  if (response.ok()) return response;
  return AnnotateStatus(response.status(), StrCat(request.method, " ", request.url.scheme, "://",
                                                  Endpoint(request.url)));
}

ExchangeResult BeastTransport::Use(std::unique_ptr<Connection> connection,
                                   const std::string& origin, const ExchangeInput& input,
                                   IoWaiter& waiter, const CallBudget& budget) {
  ExchangeResult result = Exchange(*connection, input, options_.limits, waiter, budget);
  if (result.reusable) pool_.Put(origin, std::move(connection));
  return result;
}

Result<HttpResponse> BeastTransport::Run(const HttpRequest& request, const CallBudget& budget,
                                         const BodySink* sink) {
  KEYTURN_RETURN_IF_ERROR(budget.Check(budget.BeginStep("start")));
  KEYTURN_ASSIGN_OR_RETURN(const std::unique_ptr<IoWaiter> waiter, CreateIoWaiter(budget));
  const Proxy* proxy = proxies_.Select(request.url);
  std::string wire = SerializeRequest(request, request.url.is_tls() ? nullptr : proxy);
  const ScopedCleanse cleanse(wire);
  const auto kind = request.method == "HEAD" ? ResponseKind::kBodyless : ResponseKind::kNormal;
  const ExchangeInput input{wire, kind, sink};
  const std::string origin = request.url.Origin();
  if (auto idle = pool_.Take(origin)) {
    ExchangeResult result = Use(std::move(idle), origin, input, *waiter, budget);
    if (result.status.ok()) return std::move(result.response);
    if (!result.closed_unanswered) return result.status;
  }
  KEYTURN_ASSIGN_OR_RETURN(auto fresh, connector_.Connect(request.url, proxy, *waiter, budget));
  ExchangeResult result = Use(std::move(fresh), origin, input, *waiter, budget);
  if (!result.status.ok()) return result.status;
  return std::move(result.response);
}

}  // namespace

Result<std::unique_ptr<HttpTransport>> CreateBeastTransportWithLookup(TransportOptions options,
                                                                      LookupFunction lookup) {
  KEYTURN_CHECK(options.clock != nullptr);
  KEYTURN_ASSIGN_OR_RETURN(ProxySelector proxies, ProxySelector::Create(options.proxy));
  const ClientTlsSettings defaults;
  const bool names_a_ca = !options.tls.ca_pem.empty() || options.tls.ca_path != defaults.ca_path;
  auto transport =
      std::make_unique<BeastTransport>(std::move(options), std::move(proxies), std::move(lookup));
  // A named CA is checked now. The default waits for the first https URL, because many programs
  // only ever speak to loopback, and OpenSSL costs them half a megabyte.
  if (names_a_ca) KEYTURN_RETURN_IF_ERROR(transport->PrepareTls());
  return std::unique_ptr<HttpTransport>(std::move(transport));
}

Result<std::unique_ptr<HttpTransport>> CreateBeastTransport(TransportOptions options) {
  return CreateBeastTransportWithLookup(std::move(options), SystemLookup());
}

}  // namespace keyturn::net
