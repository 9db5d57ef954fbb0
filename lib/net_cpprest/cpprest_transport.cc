// SPDX-License-Identifier: Apache-2.0
#include "lib/net_cpprest/cpprest_transport.h"

#include <map>
#include <string>
#include <utility>  // must precede Asio, whose 1.74 headers miss it under C++20
#include <vector>

#include <boost/asio/ssl/context.hpp>
#include <cpprest/containerstream.h>
#include <cpprest/http_client.h>
#include <openssl/ssl.h>

#include "lib/base/check.h"
#include "lib/base/strings.h"
#include "lib/net/proxy.h"
#include "lib/net/request_writer.h"
#include "lib/net/transport_factory.h"
#include "lib/net_cpprest/certificate_log.h"
#include "lib/net_cpprest/collecting_stream.h"
#include "lib/net_cpprest/failure.h"
#include "lib/net_cpprest/name_gate.h"
#include "lib/net_cpprest/response_collector.h"

namespace keyturn::net {
namespace {

namespace http = web::http;
using http::client::http_client;
using http::client::http_client_config;

// A lost continuation (see cpprest_transport.h) must not hang a caller who gave no deadline.
constexpr std::chrono::minutes kLongestCall{5};
// The library's own limit per step; ours are tighter, and a long poll is longer than its default.
constexpr std::chrono::seconds kLibraryTimeout{600};
// Clients are kept per server, for their connections. More servers than this and all are let go.
constexpr size_t kMaxClients = 32;

HttpResponse ToResponse(const http::http_response& source) {
  HttpResponse response;
  response.status = source.status_code();
  for (const auto& [name, value] : source.headers()) response.headers.Add(name, value);
  return response;
}

// The library's request. ERRORS: INVALID_ARGUMENT for a target that it cannot parse.
Result<http::http_request> ToLibraryRequest(const HttpRequest& request,
                                            std::shared_ptr<ResponseCollector> collector) {
  http::http_request result(request.method);
  try {
    result.set_request_uri(web::uri(request.url.target));
  } catch (const web::uri_exception&) {
    return InvalidArgumentError("check request: the URL is malformed");
  }
  if (!request.body.empty()) {
    // Of bytes, because the library's streams of char are of another type than they are used as.
    std::vector<uint8_t> bytes(request.body.begin(), request.body.end());
    const auto stream = concurrency::streams::bytestream::open_istream(std::move(bytes));
    result.set_body(stream, request.body.size());
    result.headers().remove(http::header_names::content_type);  // added by set_body, unasked
  }
  for (const auto& [name, value] : request.headers.fields()) {
    if (!IsTransportField(name)) result.headers().add(name, value);
  }
  const auto buffer = std::make_shared<CollectingStream>(std::move(collector));
  result.set_response_stream(concurrency::streams::ostream(concurrency::streams::streambuf<uint8_t>(
      std::static_pointer_cast<concurrency::streams::details::basic_streambuf<uint8_t>>(buffer))));
  return result;
}

// What the continuations of one call need; they may outlive the transport.
struct CallRules {
  TransportLimits limits;
  bool streams = false;
  bool is_head_request = false;
  std::string host;
  std::shared_ptr<CertificateLog> certificates;

  Status Explain(const std::exception_ptr& exception) const {
    return HeadFailure(exception, certificates->TakeError(host));
  }
};

// The exchange, from the library's side. Every path ends in OnEnd or OnFailure, unless the library
// loses the continuation. THREAD: runs on the library's threads; must not throw or block.
void Start(http_client& client, const http::http_request& request, const CallRules& rules,
           const std::shared_ptr<ResponseCollector>& collector,
           const pplx::cancellation_token& token) {
  const auto on_end = [collector](const pplx::task<http::http_response>& whole) {
    try {
      (void)whole.get();
      collector->OnEnd();
    } catch (...) {
      collector->OnFailure(BodyFailure(std::current_exception()));
    }
  };
  const auto on_head = [collector, rules, on_end](const pplx::task<http::http_response>& head) {
    try {
      const http::http_response source = head.get();
      HttpResponse response = ToResponse(source);
      if (Status status = CheckHead(response, rules.limits, rules.streams, rules.is_head_request);
          !status.ok()) {
        collector->OnFailure(std::move(status));
      } else {
        collector->OnHead(std::move(response));
      }
      source.content_ready().then(on_end);
    } catch (...) {
      collector->OnFailure(rules.Explain(std::current_exception()));
    }
  };
  try {
    client.request(request, token).then(on_head);
  } catch (...) {
    collector->OnFailure(rules.Explain(std::current_exception()));
  }
}

class CpprestTransport final : public HttpTransport {
 public:
  CpprestTransport(TransportOptions options, ProxySelector proxies, LookupFunction lookup,
                   std::unique_ptr<ClientTlsContext> tls, std::unique_ptr<HttpTransport> beast)
      : options_(std::move(options)),
        proxies_(std::move(proxies)),
        beast_(std::move(beast)),
        gate_(*options_.clock, std::move(lookup)),
        certificates_(std::make_shared<CertificateLog>()),
        tls_(std::move(tls)) {
    certificates_->Install(*tls_);
  }

  Result<HttpResponse> Send(const HttpRequest& request, const CallContext& context,
                            const BodySink* sink) override;

 private:
  Result<HttpResponse> Run(const HttpRequest& request, const Proxy* proxy, const CallBudget& budget,
                           const BodySink* sink);
  std::shared_ptr<http_client> ClientFor(const Url& url, const Proxy* proxy)
      KEYTURN_EXCLUDES(mutex_);
  http_client_config ConfigFor(const Proxy* proxy) const;
  void Forget(const Url& url) KEYTURN_EXCLUDES(mutex_);

  const TransportOptions options_;
  const ProxySelector proxies_;
  const std::unique_ptr<HttpTransport> beast_;  // for IPv6 literals
  NameGate gate_;
  const std::shared_ptr<CertificateLog> certificates_;
  // Shared with the library's clients, which may outlive this object by a late continuation.
  const std::shared_ptr<const ClientTlsContext> tls_;
  Mutex mutex_;
  std::map<std::string, std::shared_ptr<http_client>> clients_ KEYTURN_GUARDED_BY(mutex_);
};

http_client_config CpprestTransport::ConfigFor(const Proxy* proxy) const {
  http_client_config config;
  config.set_max_redirects(0);  // the library would carry Authorization to another host
  config.set_timeout(kLibraryTimeout);
  config.set_request_compressed_response(false);
  config.set_validate_certificates(true);
  config.set_ssl_context_callback(
      [tls = tls_, log = certificates_](boost::asio::ssl::context& context) {
        // One context for all: the library's own would parse the CA certificates per connection.
        SSL_CTX_up_ref(tls->native_handle());
        context = boost::asio::ssl::context(tls->native_handle());
      });
  if (proxy != nullptr) {
    web::web_proxy library_proxy(web::uri(StrCat("http://", Endpoint(proxy->url))));
    if (!proxy->authorization.empty()) {
      library_proxy.set_credentials(web::credentials(proxy->user, proxy->password));
    }
    config.set_proxy(std::move(library_proxy));
  }
  return config;
}

std::shared_ptr<http_client> CpprestTransport::ClientFor(const Url& url, const Proxy* proxy) {
  MutexLock lock(mutex_);
  if (const auto found = clients_.find(url.Origin()); found != clients_.end()) {
    return found->second;
  }
  if (clients_.size() >= kMaxClients) clients_.clear();
  auto client = std::make_shared<http_client>(web::uri(url.Origin()), ConfigFor(proxy));
  clients_.emplace(url.Origin(), client);
  return client;
}

void CpprestTransport::Forget(const Url& url) {
  MutexLock lock(mutex_);
  clients_.erase(url.Origin());
}

Result<HttpResponse> CpprestTransport::Run(const HttpRequest& request, const Proxy* proxy,
                                           const CallBudget& budget, const BodySink* sink) {
  KEYTURN_RETURN_IF_ERROR(budget.Check(budget.BeginStep("start")));
  const std::string& next_hop = proxy != nullptr ? proxy->url.host : request.url.host;
  KEYTURN_RETURN_IF_ERROR(gate_.Pass(next_hop, budget, options_.limits.connect_timeout));
  const bool streams = sink != nullptr;
  auto collector = std::make_shared<ResponseCollector>(options_.limits.max_body_bytes, streams);
  KEYTURN_ASSIGN_OR_RETURN(const http::http_request library_request,
                           ToLibraryRequest(request, collector));
  const auto client = ClientFor(request.url, proxy);
  pplx::cancellation_token_source cancellation;
  const CallRules rules{options_.limits, streams, request.method == "HEAD", request.url.host,
                        certificates_};
  Start(*client, library_request, rules, collector, cancellation.get_token());
  const Step step = budget.BeginStep("wait for the response", kLongestCall);
  auto response = collector->Wait(budget, step, sink);
  if (response.ok()) return response;
  collector->Abandon();
  cancellation.cancel();  // closes the connection
  return response;
}

Result<HttpResponse> CpprestTransport::Send(const HttpRequest& request, const CallContext& context,
                                            const BodySink* sink) {
  const Proxy* proxy = proxies_.Select(request.url);
  const std::string& next_hop = proxy != nullptr ? proxy->url.host : request.url.host;
  const bool has_ipv6_literal =
      next_hop.find(':') != std::string::npos || request.url.host.find(':') != std::string::npos;
  if (has_ipv6_literal) return beast_->Send(request, context, sink);
  KEYTURN_RETURN_IF_ERROR(CheckRequest(request));
  const CallBudget budget(*options_.clock, context);
  auto response = Run(request, proxy, budget, sink);
  if (response.ok()) return response;
  // After an answer that the library misread, a pooled connection may hold the rest of it.
  if (response.status().code() == StatusCode::kDataLoss) Forget(request.url);
  return AnnotateStatus(response.status(), StrCat(request.method, " ", request.url.scheme, "://",
                                                  Endpoint(request.url)));
}

}  // namespace

Result<std::unique_ptr<HttpTransport>> CreateCpprestTransportWithLookup(TransportOptions options,
                                                                        LookupFunction lookup) {
  KEYTURN_CHECK(options.clock != nullptr);
  KEYTURN_ASSIGN_OR_RETURN(ProxySelector proxies, ProxySelector::Create(options.proxy));
  KEYTURN_ASSIGN_OR_RETURN(auto tls, ClientTlsContext::Create(options.tls));
  KEYTURN_ASSIGN_OR_RETURN(auto beast, CreateBeastTransportWithLookup(options, lookup));
  return std::unique_ptr<HttpTransport>(std::make_unique<CpprestTransport>(
      std::move(options), std::move(proxies), std::move(lookup), std::move(tls), std::move(beast)));
}

Result<std::unique_ptr<HttpTransport>> CreateCpprestTransport(TransportOptions options) {
  return CreateCpprestTransportWithLookup(std::move(options), SystemLookup());
}

}  // namespace keyturn::net
