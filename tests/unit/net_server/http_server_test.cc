// Tests of HttpServer over plain sockets: answers, limits, timeouts and hostile peers.
// SPDX-License-Identifier: Apache-2.0
#include <sys/socket.h>

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/net_server/test_support.h"

namespace keyturn::testing {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kGet[] = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";

std::string Post(const std::string& body) {
  return "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

TEST(HttpServerTest, AnswersAndKeepsTheConnection) {
  TestServer server;
  RawClient client(server.port());
  for (int i = 0; i < 3; ++i) {
    client.Send(kGet);
    const std::string response = client.ReadResponse();
    EXPECT_THAT(response, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(response, HasSubstr("\r\nDate: "));
    EXPECT_THAT(response, HasSubstr(" GMT\r\n"));
    EXPECT_THAT(response, Not(HasSubstr("Connection:")));
    EXPECT_THAT(response, EndsWith("GET /a "));
  }
}

TEST(HttpServerTest, TakesAFreePortAndSaysWhich) {
  TestServer server;
  EXPECT_NE(server.port(), 0);
  EXPECT_EQ(server.server->address(), "127.0.0.1:" + std::to_string(server.port()));
}

TEST(HttpServerTest, ListensOnIpv6AndDualStack) {
  for (const char* listen : {"[::1]:0", "[::]:0"}) {
    std::string peer;
    TestServer server([&](net::ServerOptions& options) {
      options.listen = listen;
      options.handler = [&peer](net::ServerRequest request, net::Responder responder) {
        peer = request.peer;
        responder.Send(TextResponse(200, ""));
      };
    });
    RawClient six(server.port(), "::1");
    six.Send(kGet);
    EXPECT_THAT(six.ReadResponse(), StartsWith("HTTP/1.1 200"));
    EXPECT_THAT(peer, StartsWith("[::1]:"));
    if (std::string_view(listen) == "[::]:0") {
      RawClient four(server.port(), "127.0.0.1");
      four.Send(kGet);
      EXPECT_THAT(four.ReadResponse(), StartsWith("HTTP/1.1 200"));
      EXPECT_THAT(peer, StartsWith("127.0.0.1:"));
    }
  }
}

TEST(HttpServerTest, RefusesBadOptionsAndATakenPort) {
  TestServer server;
  const auto create = [&](auto change) {
    net::ServerOptions options;
    options.listen = "127.0.0.1:0";
    options.logger = &server.logger;
    options.handler = [](net::ServerRequest, net::Responder) {};
    change(options);
    return net::CreateBeastServer(std::move(options)).status().code();
  };
  EXPECT_EQ(create([&](auto& o) { o.listen = server.server->address(); }),
            StatusCode::kAlreadyExists);
  EXPECT_EQ(create([](auto& o) { o.listen = "localhost:80"; }), StatusCode::kInvalidArgument);
  EXPECT_EQ(create([](auto& o) { o.threads = 0; }), StatusCode::kInvalidArgument);
  EXPECT_EQ(create([](auto& o) { o.limits.read_timeout = 0ms; }), StatusCode::kInvalidArgument);
  EXPECT_EQ(create([](auto& o) { o.limits.max_header_bytes = 0; }), StatusCode::kInvalidArgument);
}

TEST(HttpServerTest, PassesTheWholeRequestToTheHandler) {
  net::ServerRequest seen;
  TestServer server([&](net::ServerOptions& options) {
    options.handler = [&](net::ServerRequest request, net::Responder responder) {
      seen = std::move(request);
      responder.Send(TextResponse(201, ""));
    };
  });
  RawClient client(server.port());
  client.Send("PUT /x?y=z HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nx-a:  2 \r\nContent-Length: 3\r\n\r\na");
  client.Send(std::string("\0c", 2));
  EXPECT_THAT(client.ReadResponse(), StartsWith("HTTP/1.1 201 Created\r\n"));
  EXPECT_EQ(seen.method, "PUT");
  EXPECT_EQ(seen.target, "/x?y=z");
  EXPECT_EQ(seen.body, std::string("a\0c", 3));
  const std::vector<std::pair<std::string, std::string>> fields = {
      {"Host", "h"}, {"X-A", "1"}, {"x-a", "2"}, {"Content-Length", "3"}};
  EXPECT_EQ(seen.headers.fields(), fields);
  EXPECT_THAT(seen.peer, StartsWith("127.0.0.1:"));
}

TEST(HttpServerTest, HeadGetsTheHeaderAlone) {
  TestServer server;
  RawClient client(server.port());
  client.Send("HEAD /abc HTTP/1.1\r\nHost: h\r\n\r\n");
  const std::string response = client.ReadResponse(true);
  EXPECT_THAT(response, HasSubstr("\r\nContent-Length: 10\r\n"));
  client.Send(kGet);
  EXPECT_THAT(client.ReadResponse(), EndsWith("\r\n\r\nGET /a "));
}

TEST(HttpServerTest, AnswersPipelinedRequestsInOrder) {
  TestServer server;
  RawClient client(server.port());
  std::string requests;
  for (int i = 0; i < 200; ++i) {
    requests += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\n\r\n";
  }
  ASSERT_TRUE(client.Send(requests));
  for (int i = 0; i < 200; ++i) {
    ASSERT_THAT(client.ReadResponse(), EndsWith("\r\n\r\nGET /" + std::to_string(i) + " "));
  }
}

TEST(HttpServerTest, PipelinedBytesSurviveALateAnswer) {
  Mutex mutex;
  std::vector<net::Responder> waiting;
  TestServer server([&](net::ServerOptions& options) {
    options.handler = [&](net::ServerRequest request, net::Responder responder) {
      if (request.target != "/late") {
        return responder.Send(TextResponse(200, request.target + request.body));
      }
      MutexLock lock(mutex);
      waiting.push_back(std::move(responder));
    };
  });
  RawClient client(server.port());
  client.Send("GET /late HTTP/1.1\r\nHost: h\r\n\r\nPOST /se");
  ASSERT_TRUE(Eventually([&] {
    MutexLock lock(mutex);
    return waiting.size() == 1;
  }));
  client.Send("cond HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok");
  waiting[0].Send(TextResponse(200, "first"));
  EXPECT_THAT(client.ReadResponse(), EndsWith("\r\n\r\nfirst"));
  EXPECT_THAT(client.ReadResponse(), EndsWith("\r\n\r\n/secondok"));
}

TEST(HttpServerTest, ClosesWhenAsked) {
  TestServer server;
  const char* requests[] = {"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
                            "GET / HTTP/1.0\r\n\r\n"};
  for (const char* request : requests) {
    RawClient client(server.port());
    const std::string response = client.Exchange(request);
    EXPECT_THAT(response, HasSubstr("\r\nConnection: close\r\n"));
    EXPECT_THAT(response, EndsWith("GET / "));
  }
  RawClient old(server.port());
  old.Send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_THAT(old.ReadResponse(), HasSubstr("\r\nConnection: keep-alive\r\n"));
  old.Send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_THAT(old.ReadToEnd(), EndsWith("GET / "));
}

TEST(HttpServerTest, AnswersAHalfClosedPeer) {
  TestServer server;
  RawClient client(server.port());
  client.Send(kGet);
  ::shutdown(client.fd(), SHUT_WR);
  EXPECT_THAT(client.ReadToEnd(), EndsWith("GET /a "));
}

TEST(HttpServerTest, SendsContinueBeforeTheBodyAndOnlyThen) {
  TestServer server;
  RawClient client(server.port());
  client.Send("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(client.ReadResponse(), "HTTP/1.1 100 Continue\r\n\r\n");
  client.Send("ok");
  EXPECT_THAT(client.ReadResponse(), EndsWith("POST / ok"));
  client.Send("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok");
  EXPECT_THAT(client.ReadResponse(), StartsWith("HTTP/1.1 200"));
}

TEST(HttpServerTest, RefusesATooLargeBodyInsteadOfContinuing) {
  TestServer server;
  RawClient client(server.port());
  const std::string response = client.Exchange(
      "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n\r\n");
  EXPECT_THAT(response, StartsWith("HTTP/1.1 413 "));
}

// Whatever is refused is answered, closed, and never seen by the handler.
TEST(HttpServerTest, RefusesHostileRequestsBeforeTheHandler) {
  std::atomic<int> handled = 0;
  TestServer server([&](net::ServerOptions& options) {
    options.handler = [&](net::ServerRequest, net::Responder responder) {
      ++handled;
      responder.Send(TextResponse(200, ""));
    };
  });
  const std::string chunked = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";

  const struct {
    std::string request;
    const char* status;
  } cases[] = {
      {"TRACE / HTTP/1.1\r\nHost: h\r\nAuthorization: canary\r\n\r\n", "405"},
      {"CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n", "405"},
      {"GET / HTTP/1.1\r\n\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
       "400"},
      {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "400"},
      {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", "400"},
      {chunked + "-1\r\n", "400"},
      {chunked + "fffffffffffffffff\r\n", "400"},
      {chunked + "7fffffffffffffff\r\n", "413"},
      {chunked + "zz\r\n", "400"},
      {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 134217728\r\n\r\n", "413"},
      {"GET /" + std::string(20'000, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n", "431"},
      {"GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(20'000, 'a') + "\r\n\r\n", "431"},
      {"GET / HTTP/3.0\r\nHost: h\r\n\r\n", "505"},
      {"hello\r\n\r\n", "400"},
  };

  for (const auto& c : cases) {
    RawClient client(server.port());
    const std::string response = client.Exchange(c.request);
    EXPECT_THAT(response, StartsWith("HTTP/1.1 " + std::string(c.status)))
        << c.request.substr(0, 80);
    EXPECT_THAT(response, HasSubstr("\r\nConnection: close\r\n"));
    EXPECT_THAT(response, Not(HasSubstr("canary")));
  }
  EXPECT_EQ(handled, 0);
}

TEST(HttpServerTest, AnswersEvenWhileARefusedPeerGoesOnSending) {
  TestServer server([](net::ServerOptions& o) { o.limits.max_body_bytes = 100; });
  RawClient client(server.port());
  client.Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4000000\r\n\r\n");
  std::thread sender([&] { client.Send(std::string(4'000'000, 'x')); });
  EXPECT_THAT(client.ReadToEnd(), StartsWith("HTTP/1.1 413 "));
  ::shutdown(client.fd(), SHUT_RDWR);
  sender.join();
}

TEST(HttpServerTest, CutsAPeerThatNeverStopsSending) {
  TestServer server([](net::ServerOptions& o) { o.limits.max_header_bytes = 1024; });
  RawClient client(server.port());
  const std::string noise(65'536, 'x');
  const auto start = std::chrono::steady_clock::now();
  while (client.Send(noise) && std::chrono::steady_clock::now() - start < 5s) {
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, 4s);
}

TEST(HttpServerTest, CarriesLargeBodiesBothWays) {
  TestServer server([](net::ServerOptions& o) { o.limits.max_body_bytes = 8 << 20; });
  std::string body(5'000'000, 'b');
  for (size_t i = 0; i < body.size(); i += 97) body[i] = static_cast<char>(i);
  RawClient client(server.port());
  std::string response;
  std::thread sender([&] { client.Send(Post(body)); });
  response = client.ReadResponse();
  sender.join();
  EXPECT_TRUE(response.ends_with("\r\n\r\nPOST /p " + body)) << response.size();
}

TEST(HttpServerTest, LetsASilentPeerGoWhenIdle) {
  TestServer server([](net::ServerOptions& o) { o.limits.idle_timeout = 50ms; });
  RawClient silent(server.port());
  EXPECT_TRUE(silent.ClosedSilently());
  RawClient used(server.port());
  used.Send(kGet);
  EXPECT_THAT(used.ReadResponse(), StartsWith("HTTP/1.1 200"));
  EXPECT_TRUE(used.ClosedSilently());
}

TEST(HttpServerTest, EndsSlowRequestsAtTheReadTimeoutWhereverTheyHang) {
  TestServer server([](net::ServerOptions& o) { o.limits.read_timeout = 60ms; });
  for (const char* start :
       {"G", "GET / HTTP/1.1\r\nHost: h\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nab",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n"}) {
    RawClient client(server.port());
    EXPECT_THAT(client.Exchange(start), HasSubstr("HTTP/1.1 408 ")) << start;
  }
}

TEST(HttpServerTest, ATrickleDoesNotExtendTheReadTimeout) {
  TestServer server([](net::ServerOptions& o) { o.limits.read_timeout = 100ms; });
  RawClient client(server.port());
  const auto begin = std::chrono::steady_clock::now();
  std::atomic<bool> done = false;
  client.Send("GET / HTTP/1.1\r\nHost: h\r\n");
  std::thread trickle([&] {
    while (!done && client.Send("X: y\r\n")) std::this_thread::sleep_for(10ms);
  });
  EXPECT_THAT(client.ReadToEnd(), StartsWith("HTTP/1.1 408 "));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 2s);
  done = true;
  trickle.join();
}

TEST(HttpServerTest, GivesUpOnAPeerThatDoesNotRead) {
  TestServer server([](net::ServerOptions& o) {
    o.limits.write_timeout = 100ms;
    o.handler = [](net::ServerRequest, net::Responder responder) {
      responder.Send(TextResponse(200, std::string(32 << 20, 'x')));
    };
  });
  RawClient client(server.port());
  client.Send(kGet);
  EXPECT_TRUE(Eventually([&] { return server.server->open_connections() == 1; }));
  EXPECT_TRUE(Eventually([&] { return server.server->open_connections() == 0; }));
}

TEST(HttpServerTest, AHandlerThatThrowsGives500AndNoDetails) {
  TestServer server([](net::ServerOptions& options) {
    options.handler = [](net::ServerRequest request, net::Responder responder) {
      if (request.target == "/throw") throw std::runtime_error("canary");
      if (request.target == "/int") throw 1;
      if (request.target == "/after") {
        responder.Send(TextResponse(200, "sent"));
        throw std::runtime_error("canary");
      }
    };
  });
  RawClient client(server.port());
  for (const char* target : {"/throw", "/int", "/forgets"}) {
    client.Send("GET " + std::string(target) + " HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_THAT(client.ReadResponse(), StartsWith("HTTP/1.1 500 ")) << target;
  }
  client.Send("GET /after HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_THAT(client.ReadResponse(), EndsWith("sent"));
  EXPECT_TRUE(server.logger.Contains("exception"));
  EXPECT_FALSE(server.logger.Contains("canary"));
}

TEST(HttpServerTest, AMalformedAnswerBecomes500InsteadOfSplittingTheResponse) {
  TestServer server([](net::ServerOptions& options) {
    options.handler = [](net::ServerRequest, net::Responder responder) {
      net::HttpResponse response = TextResponse(200, "");
      response.headers.Add("Location", "x\r\nSet-Cookie: canary");
      responder.Send(std::move(response));
    };
  });
  RawClient client(server.port());
  client.Send(kGet);
  const std::string response = client.ReadResponse();
  EXPECT_THAT(response, StartsWith("HTTP/1.1 500 "));
  EXPECT_THAT(response, Not(HasSubstr("canary")));
}

TEST(HttpServerTest, ServesManyClientsOnSeveralThreads) {
  TestServer server([](net::ServerOptions& options) { options.threads = 3; });
  std::atomic<int> good = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([&] {
      RawClient client(server.port());
      for (int request = 0; request < 50; ++request) {
        client.Send(Post("hello"));
        good += client.ReadResponse().ends_with("POST /p hello") ? 1 : 0;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(good, 400);
}

}  // namespace
}  // namespace keyturn::testing
