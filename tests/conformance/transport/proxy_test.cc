// Requests that go through a proxy, and those that must not.
// SPDX-License-Identifier: Apache-2.0
#include "lib/base/strings.h"
#include "tests/conformance/transport/transport_fixture.h"

namespace keyturn::testing {
namespace {

using Proxied = TransportTest;

TEST_P(Proxied, SendsTheAbsoluteFormToAnHttpProxy) {
  std::string seen;
  ScriptedServer proxy([&](Peer& peer) {
    seen = peer.ReadRequest();
    (void)peer.Send(OkResponse("via proxy"));
  });
  options().proxy.http_proxy = StrCat("http://user:p%40ss@127.0.0.1:", proxy.port());
  const auto response = SendGet("http://target.test:8080/x?y");
  ASSERT_TRUE(response.ok()) << Describe(response);
  EXPECT_EQ(response->body, "via proxy");
  EXPECT_TRUE(seen.starts_with("GET http://target.test:8080/x?y HTTP/1.1\r\n")) << seen;
  EXPECT_NE(seen.find("\r\nHost: target.test:8080\r\n"), std::string::npos) << seen;
  EXPECT_NE(seen.find("\r\nProxy-Authorization: Basic dXNlcjpwQHNz\r\n"), std::string::npos);
}

TEST_P(Proxied, TunnelsHttpsAndVerifiesTheTargetNotTheProxy) {
  std::string connect;
  std::string inner;
  std::string name;
  ScriptedServer proxy([&](Peer& peer) {
    connect = peer.ReadRequest();
    (void)peer.Send("HTTP/1.1 200 Connection established\r\n\r\n");
    if (!peer.StartTls(Pki().IssueLeaf({.subject_alt_names = "DNS:target.test"}))) return;
    name = peer.ServerName();
    inner = peer.ReadRequest();
    (void)peer.Send(OkResponse("through the tunnel"));
  });
  options().proxy.https_proxy = StrCat("http://user:hunter2@127.0.0.1:", proxy.port());
  const auto response = SendGet("https://target.test/x");
  ASSERT_TRUE(response.ok()) << Describe(response);
  EXPECT_EQ(response->body, "through the tunnel");
  EXPECT_TRUE(connect.starts_with("CONNECT target.test:443 HTTP/1.1\r\n")) << connect;
  EXPECT_NE(connect.find("Proxy-Authorization: Basic dXNlcjpodW50ZXIy\r\n"), std::string::npos);
  EXPECT_EQ(name, "target.test");
  EXPECT_TRUE(inner.starts_with("GET /x HTTP/1.1\r\n")) << inner;
  EXPECT_EQ(inner.find("Proxy-Authorization"), std::string::npos) << inner;
}

TEST_P(Proxied, RefusesATunnelToAnotherHost) {
  ScriptedServer proxy([](Peer& peer) {
    (void)peer.ReadRequest();
    (void)peer.Send("HTTP/1.1 200 OK\r\n\r\n");
    (void)peer.StartTls(Pki().IssueLeaf({.subject_alt_names = "DNS:proxy.test"}));
  });
  options().proxy.https_proxy = StrCat("http://127.0.0.1:", proxy.port());
  const auto response = SendGet("https://target.test/x");
  EXPECT_EQ(response.status().code(), StatusCode::kUnauthenticated) << Describe(response);
}

TEST_P(Proxied, ReportsARefusedTunnelWithoutItsCredentials) {
  for (const int code : {403, 407, 502}) {
    ScriptedServer proxy(
        AnswerAndClose(StrCat("HTTP/1.1 ", code, " No\r\nContent-Length: 7\r\n\r\nhunter2")));
    const auto created = [&] {
      options().proxy.https_proxy = StrCat("http://user:hunter2@127.0.0.1:", proxy.port());
      return GetParam().create(WithClock(options()), lookup_);
    }();
    ASSERT_TRUE(created.ok());
    const auto response = (*created)->Send(Get("https://target.test/"), CallContext());
    EXPECT_EQ(response.status().code(), StatusCode::kUnavailable) << Describe(response);
    EXPECT_NE(Describe(response).find(std::to_string(code)), std::string::npos);
    EXPECT_EQ(Describe(response).find("hunter2"), std::string::npos) << Describe(response);
  }
}

TEST_P(Proxied, EndsASilentProxy) {
  ScriptedServer proxy([](Peer& peer) { peer.Hold(); });
  options().proxy.https_proxy = StrCat("http://127.0.0.1:", proxy.port());
  const auto response = SendGet("https://target.test/", kShort);
  EXPECT_EQ(response.status().code(), StatusCode::kDeadlineExceeded) << Describe(response);
}

TEST_P(Proxied, GoesDirectWhereNoProxySaysSo) {
  ScriptedServer proxy(AlwaysAnswer(OkResponse("proxy")));
  ScriptedServer direct(AlwaysAnswer(OkResponse("direct")));
  options().proxy.http_proxy = StrCat("http://127.0.0.1:", proxy.port());
  options().proxy.no_proxy = "internal.test, 127.0.0.0/8";
  EXPECT_EQ(SendGet(direct.Url()).value().body, "direct");
  EXPECT_EQ(proxy.connections(), 0);
  EXPECT_EQ(SendGet("http://outside.test/").value().body, "proxy");
  EXPECT_EQ(proxy.connections(), 1);
}

TEST_P(Proxied, RefusesAProxyThatItCannotSpeakTo) {
  for (const char* url : {"https://proxy:1", "socks5://proxy:1", "http://proxy:x"}) {
    net::TransportOptions bad = WithClock(options());
    bad.proxy.https_proxy = url;
    EXPECT_EQ(GetParam().create(bad, lookup_).status().code(), StatusCode::kInvalidArgument);
  }
}

INSTANTIATE_TEST_SUITE_P(Transports, Proxied, ::testing::ValuesIn(TransportKinds()), KindName);

}  // namespace
}  // namespace keyturn::testing
