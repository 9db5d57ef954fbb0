// Nothing that a server, a proxy or a name server does may hold a call beyond its deadline or its
// stop request. SPDX-License-Identifier: Apache-2.0
#include <netinet/in.h>
#include <sys/socket.h>

#include <latch>
#include <thread>
#include <vector>

#include "lib/base/strings.h"
#include "tests/conformance/transport/transport_fixture.h"

namespace keyturn::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Generous for a loaded machine, and still far below what an unbounded wait would take.
constexpr milliseconds kPrompt{1'500};

class Timing : public TransportTest {
 protected:
  // Sends with a short deadline and expects to get DEADLINE_EXCEEDED promptly.
  void ExpectDeadline(const std::string& url, std::string_view phase = "") {
    const auto begin = steady_clock::now();
    const auto response = SendGet(url, kShort);
    EXPECT_EQ(response.status().code(), StatusCode::kDeadlineExceeded) << Describe(response);
    EXPECT_LT(steady_clock::now() - begin, kPrompt);
    if (GetParam().checks_every_byte) {
      EXPECT_NE(Describe(response).find(phase), std::string::npos) << Describe(response);
    }
  }

  // Sends with an ample deadline, asks for a stop once `server_is_there` and expects CANCELLED.
  void ExpectStop(const std::string& url, std::latch& server_is_there) {
    std::stop_source source;
    steady_clock::time_point asked;
    std::thread stopper([&] {
      server_is_there.wait();
      asked = steady_clock::now();
      source.request_stop();
    });
    const auto response = Send(Get(url), kAmple, nullptr, source.get_token());
    stopper.join();
    EXPECT_EQ(response.status().code(), StatusCode::kCancelled) << Describe(response);
    EXPECT_LT(steady_clock::now() - asked, kPrompt);
  }
};

// A name server that says nothing until the test is over.
class SilentNameServer {
 public:
  ~SilentNameServer() { state_->silence.count_down(); }

  net::LookupFunction lookup() {
    return [state = state_](const std::string&) -> Result<std::vector<net::IpAddress>> {
      state->asked.count_down();
      state->silence.wait();
      return UnavailableError("never");
    };
  }

  std::latch& asked() { return state_->asked; }

 private:
  struct State {
    std::latch asked{1};
    std::latch silence{1};
  };

  std::shared_ptr<State> state_ = std::make_shared<State>();
};

// A listener whose queue is full: further connects get no answer at all.
class BlackHole {
 public:
  BlackHole() {
    listener_.Reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(listener_.get(), generic, size), 0);
    EXPECT_EQ(::listen(listener_.get(), 0), 0);
    EXPECT_EQ(::getsockname(listener_.get(), generic, &size), 0);
    port_ = ntohs(address.sin_port);
    for (int i = 0; i < 4; ++i) {
      fillers_.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      (void)::connect(fillers_.back().get(), generic, size);
    }
  }

  std::string url() const { return StrCat("http://127.0.0.1:", port_, "/"); }

 private:
  UniqueFd listener_;
  std::vector<UniqueFd> fillers_;
  uint16_t port_ = 0;
};

TEST_P(Timing, SendsNothingAfterTheDeadline) {
  ScriptedServer server(AlwaysAnswer(OkResponse()));
  EXPECT_EQ(SendGet(server.Url(), milliseconds(-1)).status().code(), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(server.connections(), 0);
}

TEST_P(Timing, SendsNothingAfterAStopRequest) {
  ScriptedServer server(AlwaysAnswer(OkResponse()));
  std::stop_source source;
  source.request_stop();
  const auto response = Send(Get(server.Url()), kAmple, nullptr, source.get_token());
  EXPECT_EQ(response.status().code(), StatusCode::kCancelled);
  EXPECT_EQ(server.connections(), 0);
}

TEST_P(Timing, EndsASilentNameServer) {
  SilentNameServer name_server;
  lookup_ = name_server.lookup();
  ExpectDeadline("http://silent.test/", "look up silent.test");
}

TEST_P(Timing, EndsASilentNameServerOnAStopRequest) {
  SilentNameServer name_server;
  lookup_ = name_server.lookup();
  ExpectStop("http://silent.test/", name_server.asked());
}

TEST_P(Timing, ReportsANameThatDoesNotExist) {
  lookup_ = [](const std::string&) -> Result<std::vector<net::IpAddress>> {
    return UnavailableError("the name does not exist");
  };
  const auto response = SendGet("http://absent.test/");
  EXPECT_EQ(response.status().code(), StatusCode::kUnavailable);
  EXPECT_NE(Describe(response).find("look up absent.test: the name does not exist"),
            std::string::npos)
      << Describe(response);
}

TEST_P(Timing, EndsAConnectWithoutAnswer) {
  BlackHole hole;
  ExpectDeadline(hole.url(), "connect to 127.0.0.1:");
}

TEST_P(Timing, EndsAStalledHandshake) {
  ScriptedServer server([](Peer& peer) { peer.Hold(); });
  ExpectDeadline(server.Url("https", "localhost"), "TLS handshake with localhost:");
}

TEST_P(Timing, EndsAMissingAnswer) {
  ScriptedServer server([](Peer& peer) { peer.Hold(); });
  ExpectDeadline(server.Url(), "wait for the response");
}

TEST_P(Timing, EndsAStalledHeader) {
  ScriptedServer server([](Peer& peer) {
    (void)peer.ReadRequest();
    (void)peer.Send("HTTP/1.1 200 OK\r\nX-");
    peer.Hold();
  });
  ExpectDeadline(server.Url(), "wait for the response");
}

TEST_P(Timing, EndsAStalledBody) {
  ScriptedServer server([](Peer& peer) {
    (void)peer.ReadRequest();
    (void)peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nabc");
    peer.Hold();
  });
  ExpectDeadline(server.Url(), "wait for the response");
}

TEST_P(Timing, EndsADrippingBody) {
  ScriptedServer server([](Peer& peer) {
    (void)peer.ReadRequest();
    (void)peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
    while (peer.Send("x")) std::this_thread::sleep_for(milliseconds(5));
  });
  ExpectDeadline(server.Url(), "wait for the response");
}

TEST_P(Timing, EndsABodyThatNeverPauses) {
  ScriptedServer server([](Peer& peer) {
    (void)peer.ReadRequest();
    (void)peer.Send("HTTP/1.1 200 OK\r\n\r\n");
    const std::string block(100'000, 'x');
    while (peer.Send(block)) {
    }
  });
  const net::BodySink sink = [](std::string_view) { return OkStatus(); };
  const auto response = Send(Get(server.Url()), kShort, &sink);
  EXPECT_EQ(response.status().code(), StatusCode::kDeadlineExceeded) << Describe(response);
}

TEST_P(Timing, StopsWhileWaitingForAnAnswer) {
  std::latch there(1);
  ScriptedServer server([&](Peer& peer) {
    (void)peer.ReadRequest();
    there.count_down();
    peer.Hold();
  });
  ExpectStop(server.Url(), there);
}

TEST_P(Timing, StopsInTheMiddleOfABody) {
  std::latch there(1);
  ScriptedServer server([&](Peer& peer) {
    (void)peer.ReadRequest();
    (void)peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc");
    there.count_down();
    peer.Hold();
  });
  ExpectStop(server.Url(), there);
}

TEST_P(Timing, LivesOnAfterADeadline) {
  std::latch release(1);
  ScriptedServer server([&](Peer& peer) {
    (void)peer.ReadRequest();
    if (peer.index() == 0) release.wait();
    (void)peer.Send(OkResponse(std::to_string(peer.index())));
  });
  ExpectDeadline(server.Url());
  release.count_down();
  // The late answer to the first request must not be taken for the answer to the second.
  const auto second = SendGet(server.Url());
  ASSERT_TRUE(second.ok()) << Describe(second);
  EXPECT_EQ(second->body, "1");
}

INSTANTIATE_TEST_SUITE_P(Transports, Timing, ::testing::ValuesIn(TransportKinds()), KindName);

}  // namespace
}  // namespace keyturn::testing
