// Tests of HttpServer over TLS: versions, certificates, resumption and hostile handshakes.
// SPDX-License-Identifier: Apache-2.0
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include "lib/net/server_tls.h"
#include "tests/unit/net_server/test_support.h"

namespace keyturn::testing {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kGet[] = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";

std::unique_ptr<TestServer> TlsServer(std::function<void(net::ServerOptions&)> change = nullptr) {
  return std::make_unique<TestServer>([&](net::ServerOptions& options) {
    options.certificate = std::make_shared<const net::ServerCertificate>(MakeCertificate("first"));
    if (change) change(options);
  });
}

TEST(TlsServerTest, ServesTls12And13) {
  const auto server = TlsServer();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsClient client(server->port(), {version, version});
    ASSERT_TRUE(client.connected()) << version;
    EXPECT_EQ(client.PeerCommonName(), "first");
    for (int i = 0; i < 3; ++i) {
      client.Send(kGet);
      EXPECT_THAT(client.ReadResponse(), EndsWith("GET /a "));
    }
  }
}

TEST(TlsServerTest, RefusesOlderVersions) {
  const auto server = TlsServer();
  for (const int version : {TLS1_VERSION, TLS1_1_VERSION}) {
    EXPECT_FALSE(TlsClient(server->port(), {version, version}).connected()) << version;
  }
}

TEST(TlsServerTest, RefusesPlainHttpAndNoise) {
  const auto server = TlsServer();
  for (const std::string& bytes :
       {std::string(kGet), std::string(100, '\0'),
        std::string("\x16\x03\x01\xFF\xFF") + std::string(70'000, 'x')}) {
    RawClient client(server->port());
    EXPECT_THAT(client.Exchange(bytes), Not(HasSubstr("HTTP/1.1 200")));
  }
  EXPECT_TRUE(server->logger.Contains("TLS handshake failed peer=127.0.0.1:"));
  EXPECT_TRUE(server->logger.Contains("reason=http request"));
}

TEST(TlsServerTest, EndsSilentHandshakes) {
  const auto server = TlsServer([](auto& options) { options.limits.handshake_timeout = 50ms; });
  RawClient silent(server->port());
  EXPECT_TRUE(silent.ClosedSilently());
  RawClient half(server->port());
  half.Send(std::string("\x16\x03\x01\x02\x00\x01", 6));
  EXPECT_TRUE(half.ClosedSilently());
}

TEST(TlsServerTest, ResumesSessions) {
  const auto server = TlsServer();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsClient first(server->port(), {version, version});
    first.Send(kGet);
    first.ReadResponse();  // TLS 1.3 delivers its ticket after the handshake
    EXPECT_FALSE(first.resumed());
    SSL_SESSION* const session = first.TakeSession();
    TlsClient second(server->port(), {version, version, session});
    EXPECT_TRUE(second.resumed()) << version;
    second.Send(kGet);
    EXPECT_THAT(second.ReadResponse(), StartsWith("HTTP/1.1 200"));
    SSL_SESSION_free(session);
  }
}

TEST(TlsServerTest, AnswersAlpnWithHttp1) {
  const auto server = TlsServer();
  TlsClient client(server->port(), {0, 0, nullptr, true});
  EXPECT_EQ(client.AlpnProtocol(), "http/1.1");
}

TEST(TlsServerTest, SwapsTheCertificateWithoutTouchingRunningConnections) {
  const auto server = TlsServer();
  TlsClient running(server->port());
  ASSERT_TRUE(server->server->SetCertificate(MakeCertificate("second")).ok());
  TlsClient fresh(server->port());
  EXPECT_EQ(fresh.PeerCommonName(), "second");
  running.Send(kGet);
  EXPECT_THAT(running.ReadResponse(), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(running.PeerCommonName(), "first");
}

TEST(TlsServerTest, KeepsTheOldCertificateWhenTheNewOneIsBad) {
  const auto server = TlsServer();
  const net::ServerCertificate good = MakeCertificate("good");
  const net::ServerCertificate other = MakeCertificate("other");
  const net::ServerCertificate bad[] = {
      {"", ""},
      {good.chain_pem, ""},
      {"", good.key_pem},
      {good.chain_pem, other.key_pem},
      {good.chain_pem, good.chain_pem},
      {"canary", good.key_pem},
      {good.chain_pem, "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n"},
      {good.chain_pem + "-----BEGIN CERTIFICATE-----\ncanary\n-----END CERTIFICATE-----\n",
       good.key_pem},
      {good.chain_pem,
       "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAo=\n"
       "-----END ENCRYPTED PRIVATE KEY-----\n"},
  };
  for (const net::ServerCertificate& certificate : bad) {
    const Status status = server->server->SetCertificate(certificate);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(status.message(), Not(HasSubstr("canary")));
    EXPECT_THAT(status.message(), Not(HasSubstr("BEGIN")));
  }
  EXPECT_EQ(TlsClient(server->port()).PeerCommonName(), "first");
  TestServer plain;
  EXPECT_EQ(plain.server->SetCertificate(good).code(), StatusCode::kFailedPrecondition);
}

TEST(TlsServerTest, ReadsAChainOfSeveralCertificates) {
  const net::ServerCertificate leaf = MakeCertificate("leaf");
  const net::ServerCertificate issuer = MakeCertificate("issuer");
  const auto context = net::server::TlsContext::Create(
      {"a comment\n" + leaf.chain_pem + issuer.chain_pem, leaf.key_pem});
  ASSERT_TRUE(context.ok()) << context.status().ToString();
  STACK_OF(X509)* chain = nullptr;
  SSL_CTX_get0_chain_certs((*context)->get(), &chain);
  EXPECT_EQ(sk_X509_num(chain), 1);
}

TEST(TlsServerTest, SwapsWhileClientsConnect) {
  const auto server = TlsServer([](auto& options) { options.threads = 2; });
  const net::ServerCertificate certificates[] = {MakeCertificate("a"), MakeCertificate("b")};
  std::atomic<int> good = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back([&] {
      for (int n = 0; n < 20; ++n) {
        TlsClient client(server->port());
        client.Send(kGet);
        good += client.ReadResponse().ends_with("GET /a ") ? 1 : 0;
      }
    });
  }
  for (int n = 0; n < 20; ++n) {
    EXPECT_TRUE(server->server->SetCertificate(certificates[n % 2]).ok());
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(good, 60);
}

TEST(TlsServerTest, CarriesLargeBodiesAndPipelines) {
  const auto server = TlsServer([](auto& options) { options.limits.max_body_bytes = 8 << 20; });
  const std::string body(3'000'000, 'b');
  const std::string post = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3000000\r\n\r\n" + body;
  TlsClient client(server->port());
  ASSERT_TRUE(client.Send(post));
  EXPECT_TRUE(client.ReadResponse().ends_with(body));
  std::string requests;
  for (int i = 0; i < 200; ++i) requests += kGet;
  client.Send(requests);
  for (int i = 0; i < 200; ++i) ASSERT_THAT(client.ReadResponse(), EndsWith("GET /a "));
}

TEST(TlsServerTest, RefusesHostileRequestsAndSaysGoodbye) {
  const auto server = TlsServer();
  TlsClient client(server->port());
  const std::string response = client.Exchange("TRACE / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_THAT(response, StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(response, EndsWith("Method Not Allowed\n"));
}

TEST(TlsServerTest, SeesCloseNotifyWhileParked) {
  std::unique_ptr<net::Responder> parked;
  std::atomic<bool> is_parked = false;
  const auto server = TlsServer([&](auto& options) {
    options.handler = [&](net::ServerRequest, net::Responder responder) {
      parked = std::make_unique<net::Responder>(std::move(responder));
      is_parked = true;
    };
  });
  TlsClient client(server->port());
  client.Send(kGet);
  ASSERT_TRUE(Eventually([&] { return is_parked.load(); }));
  EXPECT_FALSE(parked->Closed());
  client.SendCloseNotify();
  EXPECT_TRUE(Eventually([&] { return parked->Closed(); }));
  parked.reset();
}

}  // namespace
}  // namespace keyturn::testing
