// What only the Beast transport promises: addresses in turn, step limits, the idle limit of its
// pool, shared look-ups. SPDX-License-Identifier: Apache-2.0
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "lib/base/strings.h"
#include "lib/net/transport_factory.h"
#include "tests/conformance/transport/scripted_server.h"
#include "tests/fakes/fake_clock.h"

namespace keyturn::net {
namespace {

using std::chrono::milliseconds;
using testing::AlwaysAnswer;
using testing::OkResponse;
using testing::Peer;
using testing::ScriptedServer;

constexpr milliseconds kAmple{5'000};

IpAddress Address(const char* text) {
  return ParseIpAddress(text).value();
}

LookupFunction Always(std::vector<IpAddress> addresses) {
  return [addresses](const std::string&) -> Result<std::vector<IpAddress>> { return addresses; };
}

// A port of 127.0.0.1 whose listener takes no further connection: connects get no answer.
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

  uint16_t port() const { return port_; }

 private:
  UniqueFd listener_;
  std::vector<UniqueFd> fillers_;
  uint16_t port_ = 0;
};

class BeastTransportTest : public ::testing::Test {
 protected:
  std::unique_ptr<HttpTransport> Create(LookupFunction lookup = SystemLookup()) {
    options_.clock = &clock_;
    auto transport = CreateBeastTransportWithLookup(options_, std::move(lookup));
    EXPECT_TRUE(transport.ok()) << transport.status().ToString();
    return *std::move(transport);
  }

  Result<HttpResponse> Get(HttpTransport& transport, const std::string& url,
                           milliseconds timeout = kAmple) {
    HttpRequest request;
    request.url = ParseUrl(url).value();
    CallContext context;
    context.deadline = clock_.MonoNow() + timeout;
    return transport.Send(request, context);
  }

  keyturn::testing::FakeClock clock_;
  TransportOptions options_;
};

TEST_F(BeastTransportTest, TriesTheAddressesOfANameInTurn) {
  ScriptedServer server(AlwaysAnswer(OkResponse("second")));
  // Nothing listens on ::1 at that port.
  const auto transport = Create(Always({Address("::1"), Address("127.0.0.1")}));
  const auto response = Get(*transport, server.Url("http", "two.test"));
  ASSERT_TRUE(response.ok()) << response.status().ToString();
  EXPECT_EQ(response->body, "second");
}

TEST_F(BeastTransportTest, GoesOnAfterAnAddressThatDoesNotAnswer) {
  options_.limits.connect_timeout = milliseconds(200);
  BlackHole hole;  // at 127.0.0.1; the same port of 127.0.0.2 refuses at once
  const auto transport = Create(Always({Address("127.0.0.1"), Address("127.0.0.2")}));
  const auto begin = std::chrono::steady_clock::now();
  const auto response = Get(*transport, StrCat("http://hole.test:", hole.port(), "/"));
  EXPECT_EQ(response.status().code(), StatusCode::kUnavailable);
  const std::string message = response.status().message();
  EXPECT_NE(message.find("none of 2 addresses works"), std::string::npos) << message;
  EXPECT_NE(message.find("127.0.0.2"), std::string::npos) << message;
  // Half of the time for each.
  EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(90));
}

TEST_F(BeastTransportTest, EndsAConnectAtItsOwnLimit) {
  options_.limits.connect_timeout = milliseconds(80);
  BlackHole hole;
  const auto transport = Create();
  const auto response = Get(*transport, StrCat("http://127.0.0.1:", hole.port(), "/"));
  EXPECT_EQ(response.status().code(), StatusCode::kUnavailable);
  EXPECT_NE(response.status().message().find("no answer within 80 ms"), std::string::npos)
      << response.status().message();
}

TEST_F(BeastTransportTest, EndsALookUpAtItsOwnLimit) {
  options_.limits.connect_timeout = milliseconds(50);
  const auto silence = std::make_shared<std::latch>(1);
  const auto transport = Create([silence](const std::string&) {
    silence->wait();
    return Result<std::vector<IpAddress>>(UnavailableError("never"));
  });
  const auto response = Get(*transport, "http://silent.test/");
  silence->count_down();
  EXPECT_EQ(response.status().code(), StatusCode::kUnavailable);
  EXPECT_NE(response.status().message().find("look up silent.test: no answer within 50 ms"),
            std::string::npos)
      << response.status().message();
}

TEST_F(BeastTransportTest, DoesNotReuseWhatWasIdleForTooLong) {
  ScriptedServer server(AlwaysAnswer(OkResponse()));
  const auto transport = Create();
  ASSERT_TRUE(Get(*transport, server.Url()).ok());
  clock_.Advance(options_.limits.idle_timeout - milliseconds(1));
  ASSERT_TRUE(Get(*transport, server.Url()).ok());
  EXPECT_EQ(server.connections(), 1);
  clock_.Advance(options_.limits.idle_timeout);
  ASSERT_TRUE(Get(*transport, server.Url()).ok());
  EXPECT_EQ(server.connections(), 2);
}

TEST_F(BeastTransportTest, NeverReusesAConnectionThatSpokeOutOfTurn) {
  // The bytes after the answer would become the answer to the next request.
  ScriptedServer server([](Peer& peer) {
    while (!peer.ReadRequest().empty()) {
      (void)peer.Send(OkResponse(StrCat("own ", peer.index())) + OkResponse("smuggled"));
    }
  });
  const auto transport = Create();
  EXPECT_EQ(Get(*transport, server.Url()).value().body, "own 0");
  EXPECT_EQ(Get(*transport, server.Url()).value().body, "own 1");
}

TEST_F(BeastTransportTest, JoinsALookUpThatIsRunning) {
  ScriptedServer server(AlwaysAnswer(OkResponse()));

  struct State {
    std::atomic<int> lookups{0};
    std::latch asked{1};
    std::latch go_on{1};
  };

  const auto state = std::make_shared<State>();
  const auto transport = Create([state](const std::string&) {
    if (++state->lookups == 1) state->asked.count_down();
    state->go_on.wait();
    return Result<std::vector<IpAddress>>(std::vector<IpAddress>{Address("127.0.0.1")});
  });
  const std::string url = server.Url("http", "shared.test");
  StatusCode first = StatusCode::kUnknown;
  std::thread call([&] { first = Get(*transport, url).status().code(); });
  state->asked.wait();
  EXPECT_EQ(Get(*transport, url, milliseconds(30)).status().code(), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(state->lookups, 1);
  state->go_on.count_down();
  call.join();
  EXPECT_EQ(first, StatusCode::kOk);
}

TEST_F(BeastTransportTest, BoundsTheThreadsThatASilentNameServerHolds) {
  options_.limits.connect_timeout = milliseconds(1);

  struct State {
    std::atomic<int> waiting{0};
    std::latch silence{1};
  };

  const auto state = std::make_shared<State>();
  const auto transport = Create([state](const std::string&) {
    ++state->waiting;
    state->silence.wait();
    return Result<std::vector<IpAddress>>(UnavailableError("never"));
  });
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(Get(*transport, StrCat("http://h", i, ".test/")).ok());
    EXPECT_FALSE(Get(*transport, "http://same.test/").ok());
  }
  EXPECT_LE(state->waiting, 32);
  state->silence.count_down();
}

TEST_F(BeastTransportTest, ReportsANameWithoutAddress) {
  const auto transport = Create(Always({}));
  const auto response = Get(*transport, "http://empty.test/");
  EXPECT_EQ(response.status().code(), StatusCode::kUnavailable);
  EXPECT_NE(response.status().message().find("look up empty.test: the name has no address"),
            std::string::npos);
}

TEST_F(BeastTransportTest, FindsLocalhostInTheHostsFile) {
  ScriptedServer server(AlwaysAnswer(OkResponse("here")));
  const auto transport = Create();
  const auto response = Get(*transport, server.Url("http", "localhost"));
  ASSERT_TRUE(response.ok()) << response.status().ToString();
  EXPECT_EQ(response->body, "here");
}

}  // namespace
}  // namespace keyturn::net
