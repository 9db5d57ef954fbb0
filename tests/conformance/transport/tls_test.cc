// Whom a transport believes.
// SPDX-License-Identifier: Apache-2.0
#include <openssl/ssl.h>

#include "lib/base/strings.h"
#include "tests/conformance/transport/transport_fixture.h"

namespace keyturn::testing {
namespace {

class Tls : public TransportTest {
 protected:
  // Expects that a server with `certificate` is refused with that hint, before any request.
  void ExpectRefused(const TestCertificate& certificate, std::string_view hint,
                     std::string_view host = "localhost") {
    bool got_request = false;
    {
      ScriptedServer server([&](Peer& peer) {
        if (!peer.StartTls(certificate)) return;
        got_request = !peer.ReadRequest().empty();
      });
      const auto response = SendGet(server.Url("https", host));
      EXPECT_EQ(response.status().code(), StatusCode::kUnauthenticated) << Describe(response);
      EXPECT_NE(Describe(response).find(hint), std::string::npos) << Describe(response);
      EXPECT_NE(Describe(response).find(StrCat(host, ':', server.port())), std::string::npos);
    }
    EXPECT_FALSE(got_request);
  }
};

Script AnswerOverTls(const TestCertificate& certificate, std::string* server_name = nullptr) {
  return [certificate, server_name](Peer& peer) {
    if (!peer.StartTls(certificate)) return;
    if (server_name != nullptr) *server_name = peer.ServerName();
    while (!peer.ReadRequest().empty() && peer.Send(OkResponse("secret"))) {
    }
  };
}

TEST_P(Tls, BelievesAGoodCertificateAndNamesTheHost) {
  std::string name;
  ScriptedServer server(AnswerOverTls(Pki().IssueLeaf(), &name));
  const auto response = SendGet(server.Url("https", "localhost"));
  ASSERT_TRUE(response.ok()) << Describe(response);
  EXPECT_EQ(response->body, "secret");
  EXPECT_EQ(name, "localhost");
}

TEST_P(Tls, ReusesAConnection) {
  ScriptedServer server(AnswerOverTls(Pki().IssueLeaf()));
  ExpectReuse(server, server.Url("https", "localhost"));
}

TEST_P(Tls, MatchesAddresses) {
  ScriptedServer server(AnswerOverTls(Pki().IssueLeaf()));
  EXPECT_EQ(Describe(SendGet(server.Url("https", "127.0.0.1"))), "OK");
}

TEST_P(Tls, MatchesIpv6Addresses) {
  ScriptedServer server(AnswerOverTls(Pki().IssueLeaf()), 10 /* AF_INET6 */);
  EXPECT_EQ(Describe(SendGet(server.Url("https", "[::1]"))), "OK");
}

TEST_P(Tls, RefusesAnotherHostsCertificate) {
  ExpectRefused(Pki().IssueLeaf({.subject_alt_names = "DNS:other.example"}), "not for localhost");
}

TEST_P(Tls, RefusesAnotherAddressesCertificate) {
  ExpectRefused(Pki().IssueLeaf({.subject_alt_names = "IP:127.0.0.2,DNS:localhost"}),
                "not for 127.0.0.1", "127.0.0.1");
}

TEST_P(Tls, RefusesAnExpiredCertificate) {
  ExpectRefused(Pki().IssueLeaf({.valid_from_seconds = -7200, .valid_to_seconds = -3600}),
                "expired");
}

TEST_P(Tls, RefusesACertificateFromTheFuture) {
  ExpectRefused(Pki().IssueLeaf({.valid_from_seconds = 3600, .valid_to_seconds = 7200}),
                "not valid yet");
}

TEST_P(Tls, RefusesAnUnknownAuthority) {
  const TestPki stranger;
  ExpectRefused(stranger.IssueLeaf(), "unknown CA");
}

TEST_P(Tls, TrustsOnlyTheNamedAuthority) {
  const TestPki other;
  options().tls.ca_pem = other.ca_pem();
  ExpectRefused(Pki().IssueLeaf(), "unknown CA");
}

TEST_P(Tls, RefusesOldProtocolVersions) {
  ScriptedServer server([](Peer& peer) { (void)peer.StartTls(Pki().IssueLeaf(), TLS1_1_VERSION); });
  EXPECT_EQ(SendGet(server.Url("https", "localhost")).status().code(), StatusCode::kUnavailable);
}

TEST_P(Tls, ReportsAServerWithoutTls) {
  ScriptedServer server([](Peer& peer) {
    (void)peer.Send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    peer.Hold();
  });
  const auto response = SendGet(server.Url("https", "localhost"));
  EXPECT_EQ(response.status().code(), StatusCode::kUnavailable) << Describe(response);
}

TEST_P(Tls, RefusesABodyThatEndsWithoutGoodbye) {
  // Whoever cuts the wire could otherwise shorten a body that has no length.
  ScriptedServer server([](Peer& peer) {
    if (!peer.StartTls(Pki().IssueLeaf())) return;
    (void)peer.ReadRequest();
    (void)peer.Send("HTTP/1.1 200 OK\r\n\r\nhalf of it");
    peer.Cut();
  });
  const auto response = SendGet(server.Url("https", "localhost"));
  EXPECT_EQ(response.status().code(), StatusCode::kDataLoss) << Describe(response);
}

TEST_P(Tls, ReadsABodyThatEndsWithGoodbye) {
  ScriptedServer server([](Peer& peer) {
    if (!peer.StartTls(Pki().IssueLeaf())) return;
    (void)peer.ReadRequest();
    (void)peer.Send("HTTP/1.1 200 OK\r\n\r\nall of it");
  });
  const auto response = SendGet(server.Url("https", "localhost"));
  ASSERT_TRUE(response.ok()) << Describe(response);
  EXPECT_EQ(response->body, "all of it");
}

TEST_P(Tls, RefusesSettingsWithoutCertificate) {
  SystemClock clock;
  for (const char* pem : {"x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}) {
    net::TransportOptions bad;
    bad.clock = &clock;
    bad.tls.ca_pem = pem;
    EXPECT_EQ(GetParam().create(bad, net::SystemLookup()).status().code(),
              StatusCode::kInvalidArgument);
  }
  net::TransportOptions missing;
  missing.clock = &clock;
  missing.tls.ca_path = "/nonexistent/ca";
  EXPECT_EQ(GetParam().create(missing, net::SystemLookup()).status().code(),
            StatusCode::kInvalidArgument);
}

INSTANTIATE_TEST_SUITE_P(Transports, Tls, ::testing::ValuesIn(TransportKinds()), KindName);

}  // namespace
}  // namespace keyturn::testing
