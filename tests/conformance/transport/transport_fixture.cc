// SPDX-License-Identifier: Apache-2.0
#include "tests/conformance/transport/transport_fixture.h"

namespace keyturn::testing {

const TestPki& Pki() {
  static const TestPki pki;
  return pki;
}

std::string Describe(const Result<net::HttpResponse>& response) {
  return response.ok() ? "OK" : response.status().ToString();
}

net::HttpTransport& TransportTest::transport() {
  if (transport_) return *transport_;
  options_.clock = &clock_;
  if (options_.tls.ca_pem.empty()) options_.tls.ca_pem = Pki().ca_pem();
  auto created = GetParam().create(options_, lookup_);
  EXPECT_TRUE(created.ok()) << created.status().ToString();
  transport_ = *std::move(created);
  return *transport_;
}

net::HttpRequest TransportTest::Get(const std::string& url) const {
  net::HttpRequest request;
  request.url = net::ParseUrl(url).value();
  return request;
}

Result<net::HttpResponse> TransportTest::Send(const net::HttpRequest& request,
                                              std::chrono::milliseconds timeout,
                                              const net::BodySink* sink, std::stop_token stop) {
  CallContext context;
  context.deadline = clock_.MonoNow() + timeout;
  context.stop = std::move(stop);
  return transport().Send(request, context, sink);
}

void TransportTest::ExpectReuse(const ScriptedServer& server, const std::string& url) {
  constexpr int kRequests = 20;
  for (int i = 0; i < kRequests; ++i) {
    const auto response = SendGet(url);
    ASSERT_TRUE(response.ok()) << Describe(response);
  }
  EXPECT_LE(server.connections(), GetParam().reuses_at_once ? 1 : kRequests - 1);
}

}  // namespace keyturn::testing
