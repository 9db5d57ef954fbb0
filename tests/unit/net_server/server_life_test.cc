// Tests of HttpServer's life: responders that outlive things, draining, limits on connections, and
// what aborted peers leave behind.
// SPDX-License-Identifier: Apache-2.0
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/net_server/test_support.h"

namespace keyturn::testing {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kGet[] = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";

// A server whose handler keeps its responders, as a long-polling store does.
class ParkingServer {
 public:
  explicit ParkingServer(std::function<void(net::ServerOptions&)> change = nullptr)
      : server_([this, change = std::move(change)](net::ServerOptions& options) {
          options.handler = [this](net::ServerRequest, net::Responder responder) {
            MutexLock lock(mutex_);
            parked_.push_back(std::move(responder));
          };
          if (change) change(options);
        }) {}

  net::HttpServer& operator*() { return *server_.server; }

  net::HttpServer* operator->() { return server_.server.get(); }

  void Destroy() { server_.server.reset(); }

  // Waits for the next parked request.
  net::Responder Take() {
    EXPECT_TRUE(Eventually([this] {
      MutexLock lock(mutex_);
      return !parked_.empty();
    }));
    MutexLock lock(mutex_);
    net::Responder responder = std::move(parked_.front());
    parked_.erase(parked_.begin());
    return responder;
  }

 private:
  Mutex mutex_;
  std::vector<net::Responder> parked_ KEYTURN_GUARDED_BY(mutex_);
  TestServer server_;  // last: its threads use the others
};

TEST(ServerLifeTest, AnswersFromAnotherThread) {
  ParkingServer server;
  RawClient client(server->port());
  for (int i = 0; i < 20; ++i) {
    client.Send(kGet);
    std::thread other(
        [responder = server.Take()]() mutable { responder.Send(TextResponse(200, "from afar")); });
    EXPECT_THAT(client.ReadResponse(), EndsWith("from afar"));
    other.join();
  }
}

TEST(ServerLifeTest, OneHandlerMayAnswerTheRequestOfAnotherConnection) {
  std::optional<net::Responder> waiter;  // the server's only thread uses it
  std::atomic<bool> is_waiting = false;
  TestServer server([&](net::ServerOptions& options) {
    options.handler = [&](net::ServerRequest request, net::Responder responder) {
      if (request.target == "/wait") {
        waiter.emplace(std::move(responder));
        is_waiting = true;
        return;
      }
      waiter->Send(TextResponse(200, "woken"));
      waiter.reset();
      responder.Send(TextResponse(200, "waker"));
    };
  });
  RawClient waits(server.port());
  waits.Send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(Eventually([&] { return is_waiting.load(); }));
  RawClient wakes(server.port());
  wakes.Send("GET /wake HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_THAT(wakes.ReadResponse(), EndsWith("waker"));
  EXPECT_THAT(waits.ReadResponse(), EndsWith("woken"));
}

TEST(ServerLifeTest, ADestroyedResponderAnswers500) {
  ParkingServer server;
  RawClient client(server->port());
  client.Send(kGet);
  { const net::Responder dropped = server.Take(); }
  EXPECT_THAT(client.ReadResponse(), StartsWith("HTTP/1.1 500 "));
  // Assigning over an unanswered responder answers for it, too.
  client.Send(kGet);
  net::Responder target = server.Take();
  RawClient second(server->port());
  second.Send(kGet);
  target = server.Take();
  EXPECT_TRUE(client.ReadResponse().starts_with("HTTP/1.1 500 "));
  target.Send(TextResponse(200, "other"));
  EXPECT_THAT(second.ReadResponse(), EndsWith("other"));
}

TEST(ServerLifeDeathTest, AnsweringTwiceIsACheckedError) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  ParkingServer server;
  RawClient client(server->port());
  client.Send(kGet);
  net::Responder responder = server.Take();
  responder.Send(TextResponse(200, ""));
  EXPECT_DEATH(responder.Send(TextResponse(200, "")), "check failed");
}

TEST(ServerLifeTest, SeesThePeerGoAwayWhileParked) {
  for (const bool reset : {false, true}) {
    ParkingServer server;
    RawClient client(server->port());
    client.Send(kGet);
    net::Responder responder = server.Take();
    EXPECT_FALSE(responder.Closed());
    if (reset) {
      client.Abort();
    } else {
      ::shutdown(client.fd(), SHUT_RDWR);
    }
    EXPECT_TRUE(Eventually([&] { return responder.Closed(); })) << reset;
    responder.Send(TextResponse(200, "too late"));
    EXPECT_TRUE(Eventually([&] { return server->open_connections() == 0; })) << reset;
  }
}

TEST(ServerLifeTest, AParkedRequestHasNoTimeout) {
  ParkingServer server([](net::ServerOptions& options) {
    options.limits.idle_timeout = options.limits.read_timeout = 20ms;
    options.limits.write_timeout = options.limits.handshake_timeout = 20ms;
  });
  RawClient client(server->port());
  client.Send(kGet);
  net::Responder responder = server.Take();
  std::this_thread::sleep_for(100ms);
  EXPECT_FALSE(responder.Closed());
  responder.Send(TextResponse(200, "patient"));
  EXPECT_THAT(client.ReadResponse(), EndsWith("patient"));
}

TEST(ServerLifeTest, AParkedPeerCannotFillMemoryByPipelining) {
  ParkingServer server([](net::ServerOptions& o) { o.limits.max_header_bytes = 1024; });
  RawClient client(server->port());
  client.Send(kGet);
  net::Responder responder = server.Take();
  const timeval timeout{0, 100'000};
  ::setsockopt(client.fd(), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
  // The kernel's buffers take a few MiB; if the server read on, all of it would go through.
  EXPECT_FALSE(client.Send(std::string(64 << 20, 'x')));
  responder.Send(TextResponse(200, "ok"));
  EXPECT_THAT(client.ReadResponse(), EndsWith("ok"));
}

TEST(ServerLifeTest, AnAnswerAfterTheServersEndIsDropped) {
  ParkingServer server;
  RawClient client(server->port());
  client.Send(kGet);
  net::Responder responder = server.Take();
  client.Send(kGet);
  server.Destroy();
  EXPECT_TRUE(responder.Closed());
  responder.Send(TextResponse(200, "late"));
  EXPECT_EQ(client.ReadToEnd(), "");
}

TEST(ServerLifeTest, DestroyingTheServerRacesSafelyWithAnswers) {
  for (int round = 0; round < 20; ++round) {
    ParkingServer server([](net::ServerOptions& options) { options.threads = 2; });
    std::vector<std::unique_ptr<RawClient>> clients;
    std::vector<net::Responder> responders;
    for (int i = 0; i < 4; ++i) {
      clients.push_back(std::make_unique<RawClient>(server->port()));
      clients.back()->Send(kGet);
      responders.push_back(server.Take());
    }
    std::thread answers([&responders] {
      for (net::Responder& responder : responders) responder.Send(TextResponse(200, "x"));
    });
    server.Destroy();
    answers.join();
  }
}

TEST(ServerLifeTest, DrainFinishesRunningRequestsAndClosesIdleConnections) {
  ParkingServer server;
  RawClient idle(server->port());
  RawClient busy(server->port());
  busy.Send(kGet);
  net::Responder responder = server.Take();
  ASSERT_TRUE(Eventually([&] { return server->open_connections() == 2; }));
  std::thread drain([&] { server->Drain(10s); });
  EXPECT_EQ(idle.ReadToEnd(), "");
  responder.Send(TextResponse(200, "finished"));
  const std::string response = busy.ReadToEnd();
  EXPECT_THAT(response, EndsWith("finished"));
  EXPECT_THAT(response, HasSubstr("\r\nConnection: close\r\n"));
  drain.join();
  EXPECT_EQ(server->open_connections(), 0U);
  server->Drain(10s);  // again: nothing to do
}

TEST(ServerLifeTest, DrainLetsAHalfReceivedRequestFinish) {
  TestServer server;
  RawClient client(server.port());
  client.Send("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_THAT(client.ReadResponse(), StartsWith("HTTP/1.1 100 "));
  std::thread drain([&] { server.server->Drain(10s); });
  RawClient probe(server.port());
  EXPECT_EQ(probe.ReadToEnd(), "");
  client.Send("ok");
  EXPECT_THAT(client.ReadToEnd(), EndsWith("POST / ok"));
  drain.join();
}

TEST(ServerLifeTest, DrainEndsAfterItsGrace) {
  ParkingServer server;
  RawClient client(server->port());
  client.Send(kGet);
  net::Responder responder = server.Take();
  const auto begin = std::chrono::steady_clock::now();
  server->Drain(50ms);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 50ms);
  EXPECT_EQ(client.ReadToEnd(), "");
  EXPECT_TRUE(responder.Closed());
  EXPECT_EQ(server->open_connections(), 0U);
}

TEST(ServerLifeTest, ConcurrentDrainsAreSafe) {
  TestServer server([](net::ServerOptions& options) { options.threads = 2; });
  std::thread first([&] { server.server->Drain(100ms); });
  std::thread second([&] { server.server->Drain(0ms); });
  first.join();
  second.join();
}

TEST(ServerLifeTest, ClosesConnectionsAboveTheLimitAtOnce) {
  TestServer server([](net::ServerOptions& options) { options.limits.max_connections = 2; });
  auto first = std::make_unique<RawClient>(server.port());
  RawClient second(server.port());
  first->Send(kGet);
  second.Send(kGet);
  first->ReadResponse();
  second.ReadResponse();
  RawClient third(server.port());
  EXPECT_EQ(third.ReadToEnd(), "");
  first.reset();
  ASSERT_TRUE(Eventually([&] { return server.server->open_connections() == 1; }));
  RawClient fourth(server.port());
  fourth.Send(kGet);
  EXPECT_THAT(fourth.ReadResponse(), StartsWith("HTTP/1.1 200"));
}

TEST(ServerLifeTest, SurvivesARunOutOfDescriptors) {
  TestServer server;
  const UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const int lowest_free = ::dup(client.get());
  ::close(lowest_free);
  const rlimit none{static_cast<rlim_t>(lowest_free), before.rlim_max};
  // UBSan needs a descriptor when it first sees a virtual call of a type.
  server.logger.Info(ErrnoToStatus(EMFILE, "warm up").message());
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(server.port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_TRUE(Eventually([&] { return server.logger.Contains("accepting connections fails"); }));
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(::send(client.get(), kGet, sizeof kGet - 1, MSG_NOSIGNAL),
            static_cast<ssize_t>(sizeof kGet - 1));
  char first = '\0';
  EXPECT_EQ(::recv(client.get(), &first, 1, 0), 1);
  EXPECT_EQ(first, 'H');
}

TEST(ServerLifeTest, AbortedConnectionsLeaveNothingBehind) {
  const net::ServerCertificate certificate = MakeCertificate();
  for (const bool tls : {false, true}) {
    TestServer server([&](net::ServerOptions& options) {
      if (tls) options.certificate = std::make_shared<const net::ServerCertificate>(certificate);
    });
    const size_t before = OpenDescriptors();
    for (int i = 0; i < 200; ++i) {
      RawClient client(server.port());
      if (i % 4 == 1) client.Send("\x16\x03\x01");  // the beginning of a TLS handshake
      if (i % 4 == 2) client.Send("GET / HTTP/1.1\r\n");
      if (i % 4 == 3) client.Abort();
    }
    // Together: the last connection may still wait to be accepted when the count is zero.
    EXPECT_TRUE(Eventually([&] {
      return server.server->open_connections() == 0 && OpenDescriptors() == before;
    })) << tls
        << " " << OpenDescriptors() << " descriptors, before " << before;
  }
}

TEST(ServerLifeTest, TheServerItselfGivesItsDescriptorsBack) {
  const size_t before = OpenDescriptors();
  for (int i = 0; i < 5; ++i) {
    TestServer server([](net::ServerOptions& options) { options.threads = 2; });
    RawClient client(server.port());
    client.Send(kGet);
    client.ReadResponse();
  }
  EXPECT_EQ(OpenDescriptors(), before);
}

}  // namespace
}  // namespace keyturn::testing
