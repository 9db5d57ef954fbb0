// SPDX-License-Identifier: Apache-2.0
#include "agent/admin_server.h"

#include <utility>

namespace keyturn::agent {
namespace {

net::HttpResponse Answer(int status, std::string type, std::string body) {
  net::HttpResponse response;
  response.status = status;
  response.headers.Add("Content-Type", std::move(type));
  response.headers.Add("Cache-Control", "no-store");
  response.body = std::move(body);
  return response;
}

net::HttpResponse Ready(const AdminSources& sources) {
  const auto state = sources.state->Get();
  if (state != nullptr && IsReady(*state, sources.unready_when_stale))
    return Answer(200, "text/plain", "ok\n");
  return Answer(503, "text/plain", (state == nullptr ? "starting" : ExplainState(*state)) + "\n");
}

net::HttpResponse Handle(const net::ServerRequest& request, const AdminSources& sources) {
  if (request.method != "GET" && request.method != "HEAD")
    return Answer(405, "text/plain", "use GET\n");
  const std::string path = request.target.substr(0, request.target.find('?'));
  // Liveness is the answer itself: a restart would not bring AWS back.
  if (path == "/healthz") return Answer(200, "text/plain", "ok\n");
  if (path == "/readyz") return Ready(sources);
  if (path == "/metrics")
    return Answer(200, "text/plain; version=0.0.4", sources.metrics->Expose());
  if (path == "/status") {
    const auto state = sources.state->Get();
    return Answer(200, "application/json", (state == nullptr ? "{}" : FormatState(*state)) + "\n");
  }
  return Answer(404, "text/plain", "use /metrics, /status, /healthz or /readyz\n");
}

}  // namespace

bool IsReady(const AgentState& state, bool unready_when_stale) {
  return state.ready && !(unready_when_stale && state.stale);
}

Result<std::unique_ptr<net::HttpServer>> StartAdminServer(const std::string& listen,
                                                          const AdminSources& sources,
                                                          Logger& logger) {
  net::ServerOptions options;
  options.listen = listen;
  options.limits.max_body_bytes = 4096;
  options.limits.max_connections = 64;
  options.logger = &logger;
  options.handler = [sources](const net::ServerRequest& request, net::Responder responder) {
    responder.Send(Handle(request, sources));
  };
  return net::CreateBeastServer(std::move(options));
}

}  // namespace keyturn::agent
