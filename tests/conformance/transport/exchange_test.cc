// What goes over the wire and comes back: framing, reuse, limits, malformed answers.
// SPDX-License-Identifier: Apache-2.0
#include <netinet/in.h>

#include <atomic>
#include <latch>
#include <thread>
#include <vector>

#include "lib/base/strings.h"
#include "tests/conformance/transport/transport_fixture.h"

namespace keyturn::testing {
namespace {

using Exchange = TransportTest;

// Whether a request has that field; with or without a blank after the colon.
bool HasField(std::string_view request, std::string_view name, std::string_view value) {
  return request.find(StrCat("\r\n", name, ": ", value, "\r\n")) != std::string_view::npos ||
         request.find(StrCat("\r\n", name, ":", value, "\r\n")) != std::string_view::npos;
}

TEST_P(Exchange, SendsMethodTargetHeadersAndBody) {
  std::string seen;
  ScriptedServer server([&](Peer& peer) {
    seen = peer.ReadRequest();
    (void)peer.Send(OkResponse("pong"));
  });
  net::HttpRequest request = Get(server.Url("http", "127.0.0.1", "/a%2Fb/c?d=e%20f&g"));
  request.method = "POST";
  request.headers.Add("X-Amz-Target", "secretsmanager.GetSecretValue");
  request.headers.Add("Host", "somewhere.else");
  request.body = "ping";
  const auto response = Send(request);
  ASSERT_TRUE(response.ok()) << Describe(response);
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->body, "pong");
  EXPECT_TRUE(seen.starts_with("POST /a%2Fb/c?d=e%20f&g HTTP/1.1\r\n")) << seen;
  EXPECT_TRUE(HasField(seen, "Host", StrCat("127.0.0.1:", server.port()))) << seen;
  EXPECT_TRUE(HasField(seen, "X-Amz-Target", "secretsmanager.GetSecretValue")) << seen;
  EXPECT_TRUE(HasField(seen, "Content-Length", "4")) << seen;
  EXPECT_EQ(seen.find("somewhere.else"), std::string::npos);
  EXPECT_EQ(ToLowerAscii(seen).find("content-type"), std::string::npos) << seen;
  EXPECT_EQ(seen.find("Expect"), std::string::npos);
  EXPECT_TRUE(seen.ends_with("\r\n\r\nping"));
}

TEST_P(Exchange, ReturnsStatusAndHeaders) {
  ScriptedServer server(AlwaysAnswer(
      "HTTP/1.1 503 Slow Down\r\nX-One:  a b \r\nRetry-After: 3\r\nContent-Length: 2\r\n\r\nno"));
  const auto response = SendGet(server.Url());
  ASSERT_TRUE(response.ok()) << Describe(response);
  EXPECT_EQ(response->status, 503);
  EXPECT_EQ(response->headers.Get("x-one"), "a b");
  EXPECT_EQ(response->headers.Get("retry-after"), "3");
  EXPECT_EQ(response->body, "no");
}

TEST_P(Exchange, ReadsEveryFraming) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
       "abcde"},
      {"HTTP/1.1 200 OK\r\n\r\nuntil the end", "until the end"},
      {"HTTP/1.1 204 No Content\r\n\r\n", ""},
      {StrCat("HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n", std::string(300'000, 'x')),
       std::string(300'000, 'x')},
  };
  for (const auto& [wire, body] : cases) {
    ScriptedServer server(AnswerAndClose(wire));
    const auto response = SendGet(server.Url());
    ASSERT_TRUE(response.ok()) << wire.substr(0, 99) << Describe(response);
    EXPECT_EQ(response->body, body);
  }
}

TEST_P(Exchange, ReadsNoBodyAfterHead) {
  ScriptedServer server(AlwaysAnswer("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"));
  net::HttpRequest request = Get(server.Url());
  request.method = "HEAD";
  for (int i = 0; i < 2; ++i) {
    const auto response = Send(request);
    ASSERT_TRUE(response.ok()) << Describe(response);
    EXPECT_EQ(response->headers.Get("Content-Length"), "1000");
    EXPECT_EQ(response->body, "");
  }
}

TEST_P(Exchange, SkipsInterimResponsesOrRefusesThem) {
  ScriptedServer server(AnswerAndClose(
      StrCat("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n",
             OkResponse("final"))));
  const auto response = SendGet(server.Url());
  ASSERT_EQ(response.ok(), GetParam().skips_interim) << Describe(response);
  if (response.ok()) {
    EXPECT_EQ(response->body, "final");
  } else {
    EXPECT_EQ(response.status().code(), StatusCode::kDataLoss);
  }
}

TEST_P(Exchange, RefusesToSwitchProtocols) {
  ScriptedServer server(AnswerAndClose("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"));
  EXPECT_EQ(SendGet(server.Url()).status().code(), StatusCode::kDataLoss);
}

TEST_P(Exchange, NeverFollowsARedirect) {
  ScriptedServer other(AlwaysAnswer(OkResponse("stolen")));
  for (const int code : {301, 302, 303, 307, 308}) {
    ScriptedServer server(AnswerAndClose(StrCat(
        "HTTP/1.1 ", code, " Moved\r\nLocation: ", other.Url(), "\r\nContent-Length: 0\r\n\r\n")));
    net::HttpRequest request = Get(server.Url());
    request.headers.Add("Authorization", "AWS4-HMAC-SHA256 …");
    const auto response = Send(request);
    ASSERT_TRUE(response.ok()) << Describe(response);
    EXPECT_EQ(response->status, code);
    EXPECT_EQ(response->headers.Get("Location"), other.Url());
  }
  EXPECT_EQ(other.connections(), 0);
}

TEST_P(Exchange, ReusesAConnection) {
  ScriptedServer server(AlwaysAnswer(OkResponse()));
  ExpectReuse(server, server.Url());
}

TEST_P(Exchange, KeepsConnectionsOfDifferentServersApart) {
  ScriptedServer one(AlwaysAnswer(OkResponse("one")));
  ScriptedServer two(AlwaysAnswer(OkResponse("two")));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(SendGet(one.Url()).value().body, "one");
    EXPECT_EQ(SendGet(two.Url()).value().body, "two");
  }
}

TEST_P(Exchange, DoesNotReuseAConnectionThatTheServerEnds) {
  ScriptedServer server(
      AlwaysAnswer("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"));
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(SendGet(server.Url()).ok());
  EXPECT_EQ(server.connections(), 2);
}

TEST_P(Exchange, SendsOnceMoreWhenAReusedConnectionIsClosed) {
  ScriptedServer server([](Peer& peer) {
    (void)peer.ReadRequest();
    (void)peer.Send(OkResponse(std::to_string(peer.index())));
    (void)peer.ReadRequest();  // the second request is read and never answered
  });
  EXPECT_EQ(SendGet(server.Url()).value().body, "0");
  const auto second = SendGet(server.Url());
  ASSERT_TRUE(second.ok()) << Describe(second);
  EXPECT_EQ(second->body, "1");
  EXPECT_EQ(server.connections(), 2);
}

TEST_P(Exchange, DoesNotRepeatARequestOnANewConnection) {
  ScriptedServer server([](Peer& peer) { (void)peer.ReadRequest(); });
  EXPECT_EQ(SendGet(server.Url()).status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(server.connections(), 1);
}

TEST_P(Exchange, DoesNotRepeatAfterTheFirstByteOfAnAnswer) {
  std::atomic<int> requests = 0;
  ScriptedServer server([&](Peer& peer) {
    while (!peer.ReadRequest().empty()) {
      if (++requests > 1) {
        (void)peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel");
        return;
      }
      (void)peer.Send(OkResponse());
    }
  });
  ASSERT_TRUE(SendGet(server.Url()).ok());
  EXPECT_EQ(SendGet(server.Url()).status().code(), StatusCode::kDataLoss);
  EXPECT_EQ(requests, 2);
}

TEST_P(Exchange, SendsConcurrentlyOnSeparateConnections) {
  constexpr int kThreads = 8;
  std::latch all_here(kThreads);
  ScriptedServer server([&](Peer& peer) {
    const std::string request = peer.ReadRequest();
    all_here.arrive_and_wait();  // no answer before every request is there
    (void)peer.Send(OkResponse(request.substr(4, request.find(' ', 4) - 4)));
  });
  (void)transport();
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      const std::string target = StrCat("/", i);
      const auto response = SendGet(server.Url("http", "127.0.0.1", target));
      EXPECT_EQ(Describe(response), "OK");
      EXPECT_TRUE(response.ok() && response->body == target);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(server.connections(), kThreads);
}

TEST_P(Exchange, ReachesIpv6Literals) {
  std::string seen;
  ScriptedServer server(
      [&](Peer& peer) {
        seen = peer.ReadRequest();
        (void)peer.Send(OkResponse("v6"));
      },
      AF_INET6);
  const auto response = SendGet(server.Url("http", "[::1]"));
  ASSERT_TRUE(response.ok()) << Describe(response);
  EXPECT_EQ(response->body, "v6");
  EXPECT_NE(seen.find(StrCat("Host: [::1]:", server.port())), std::string::npos);
}

TEST_P(Exchange, ReportsARefusedConnection) {
  uint16_t port = 0;
  { port = ScriptedServer(AlwaysAnswer("")).port(); }
  const auto response = SendGet(StrCat("http://127.0.0.1:", port, "/"));
  EXPECT_EQ(response.status().code(), StatusCode::kUnavailable);
  EXPECT_NE(Describe(response).find(StrCat("127.0.0.1:", port)), std::string::npos);
}

TEST_P(Exchange, RefusesAnOversizedHeader) {
  options().limits.max_header_bytes = 2048;
  std::string many = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 500; ++i) many += StrCat("X-", i, ": y\r\n");
  for (const std::string& wire :
       {StrCat("HTTP/1.1 200 OK\r\nX: ", std::string(20'000, 'x'), "\r\n\r\n"), many + "\r\n"}) {
    ScriptedServer server(AnswerAndClose(wire));
    EXPECT_EQ(SendGet(server.Url()).status().code(), StatusCode::kResourceExhausted);
  }
}

TEST_P(Exchange, RefusesAnOversizedBody) {
  options().limits.max_body_bytes = 100;
  const std::string body(101, 'x');
  const std::vector<std::string> cases{
      StrCat("HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n", body),
      StrCat("HTTP/1.1 200 OK\r\n\r\n", body),
      StrCat("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n", body, "\r\n0\r\n\r\n"),
      "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nx",
  };
  for (const std::string& wire : cases) {
    ScriptedServer server(AnswerAndClose(wire));
    const auto response = SendGet(server.Url());
    EXPECT_EQ(response.status().code(), StatusCode::kResourceExhausted) << wire;
  }
  ScriptedServer fits(AnswerAndClose(OkResponse(std::string(100, 'x'))));
  EXPECT_TRUE(SendGet(fits.Url()).ok());
}

TEST_P(Exchange, EndsABodyWithoutEnd) {
  options().limits.max_body_bytes = 100'000;
  const std::string kilobyte(1000, 'x');
  for (const bool chunked : {false, true}) {
    ScriptedServer server([&](Peer& peer) {
      (void)peer.ReadRequest();
      (void)peer.Send(chunked ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                              : "HTTP/1.1 200 OK\r\n\r\n");
      while (peer.Send(chunked ? StrCat("3e8\r\n", kilobyte, "\r\n") : kilobyte)) {
      }
    });
    EXPECT_EQ(SendGet(server.Url()).status().code(), StatusCode::kResourceExhausted);
  }
}

TEST_P(Exchange, RefusesATruncatedBody) {
  for (const char* wire : {
           "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhunt",
           "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhunt",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhunt\r\n",
       }) {
    ScriptedServer server(AnswerAndClose(wire));
    const auto response = SendGet(server.Url());
    EXPECT_EQ(response.status().code(), StatusCode::kDataLoss) << wire << Describe(response);
    EXPECT_EQ(Describe(response).find("hunt"), std::string::npos);
  }
}

TEST_P(Exchange, RefusesContradictingLengths) {
  for (const char* wire : {
           "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
           "HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nabc",
           "HTTP/1.1 200 OK\r\nContent-Length: 3x\r\n\r\nabc",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
       }) {
    ScriptedServer server(AnswerAndClose(wire));
    EXPECT_EQ(SendGet(server.Url()).status().code(), StatusCode::kDataLoss) << wire;
  }
}

TEST_P(Exchange, RefusesMalformedAnswersAndLivesOn) {
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string& wire : {
           std::string("hello\r\n\r\n"),
           std::string("SSH-2.0-OpenSSH_9.2\r\n\r\n"),
           std::string("HTTP/1.1 abc OK\r\n\r\n"),
           chunked + "zz\r\nabc\r\n0\r\n\r\n",
           chunked + "-1\r\nabc\r\n0\r\n\r\n",
           chunked + "-7fffffff\r\nabc\r\n0\r\n\r\n",
           chunked + "fffffffffffffffff\r\nabc",
       }) {
    ScriptedServer server(AnswerAndClose(wire));
    const auto response = SendGet(server.Url(), GetParam().explains_malformed ? kAmple : kShort);
    ASSERT_FALSE(response.ok()) << wire;
    if (GetParam().explains_malformed) {
      EXPECT_EQ(response.status().code(), StatusCode::kDataLoss) << wire;
    }
  }
  ScriptedServer good(AlwaysAnswer(OkResponse()));
  EXPECT_EQ(Describe(SendGet(good.Url())), "OK");
}

TEST_P(Exchange, EndsAnEndlessChunkHeader) {
  options().limits.max_header_bytes = 4096;
  ScriptedServer server([](Peer& peer) {
    (void)peer.ReadRequest();
    (void)peer.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;");
    while (peer.Send("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")) {
    }
  });
  const auto response = SendGet(server.Url(), GetParam().checks_every_byte ? kAmple : kShort);
  const StatusCode code = response.status().code();
  EXPECT_EQ(code, GetParam().checks_every_byte ? StatusCode::kResourceExhausted
                                               : StatusCode::kDeadlineExceeded);
}

TEST_P(Exchange, StreamsToASink) {
  const std::string body(50'000, 'x');
  ScriptedServer server(AlwaysAnswer(OkResponse(body)));
  std::string taken;
  const net::BodySink sink = [&](std::string_view part) {
    taken += part;
    return OkStatus();
  };
  const auto response = Send(Get(server.Url()), kAmple, &sink);
  ASSERT_TRUE(response.ok()) << Describe(response);
  EXPECT_EQ(response->body, "");
  EXPECT_EQ(taken, body);
}

TEST_P(Exchange, HandsPartsToTheSinkAsTheyArrive) {
  std::latch first_part(1);
  ScriptedServer server([&](Peer& peer) {
    (void)peer.ReadRequest();
    (void)peer.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    first_part.wait();
    (void)peer.Send("3\r\ndef\r\n0\r\n\r\n");
  });
  std::string taken;
  const net::BodySink sink = [&](std::string_view part) {
    if (taken.empty()) first_part.count_down();
    taken += part;
    return OkStatus();
  };
  EXPECT_EQ(Describe(Send(Get(server.Url()), kAmple, &sink)), "OK");
  EXPECT_EQ(taken, "abcdef");
}

TEST_P(Exchange, EndsWithTheStatusOfTheSink) {
  ScriptedServer server([](Peer& peer) {
    (void)peer.ReadRequest();
    // cpprestsdk hands a body without chunks on in pieces of 64 KiB.
    (void)peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n");
    (void)peer.Send(std::string(100'000, 'x'));
    peer.Hold();
  });
  const net::BodySink sink = [](std::string_view) { return AbortedError("seen enough"); };
  const auto response = Send(Get(server.Url()), kAmple, &sink);
  EXPECT_EQ(response.status().code(), StatusCode::kAborted) << Describe(response);
  EXPECT_NE(Describe(response).find("seen enough"), std::string::npos);
}

TEST_P(Exchange, RefusesARequestThatWouldSmuggle) {
  ScriptedServer server(AlwaysAnswer(OkResponse()));
  net::HttpRequest request = Get(server.Url());
  request.headers.Add("X", "a\r\nY: b");
  EXPECT_EQ(Send(request).status().code(), StatusCode::kInvalidArgument);
  request = Get(server.Url());
  request.url.target = "/ HTTP/1.1\r\nX: y";
  EXPECT_EQ(Send(request).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(server.connections(), 0);
}

INSTANTIATE_TEST_SUITE_P(Transports, Exchange, ::testing::ValuesIn(TransportKinds()), KindName);

}  // namespace
}  // namespace keyturn::testing
