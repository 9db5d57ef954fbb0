// SPDX-License-Identifier: Apache-2.0
#include "lib/net/response_reader.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lib/base/strings.h"

namespace keyturn::net {
namespace {

struct Outcome {
  Status status;
  HttpResponse response;
  bool keep_alive = false;
  std::string leftover;
};

TransportLimits SmallLimits() {
  TransportLimits limits;
  limits.max_header_bytes = 512;
  limits.max_body_bytes = 64;
  return limits;
}

// Offers `wire` in pieces of `step` bytes, as a network does, then its end.
Outcome ReadInSteps(const std::string& wire, size_t step, ResponseKind kind = ResponseKind::kNormal,
                    const BodySink* sink = nullptr) {
  ResponseReader reader(SmallLimits(), kind, sink);
  std::string pending;
  Outcome outcome;
  for (size_t i = 0; i < wire.size(); i += step) {
    pending += wire.substr(i, step);
    if (reader.done()) continue;
    const auto used = reader.Feed(pending);
    outcome.status = used.status();
    if (!used.ok()) return outcome;
    pending.erase(0, *used);
  }
  if (!reader.done()) outcome.status = reader.FinishAtEnd();
  if (!outcome.status.ok()) return outcome;
  outcome.keep_alive = reader.keep_alive();
  outcome.response = reader.Take();
  outcome.leftover = pending;
  return outcome;
}

TEST(ResponseReaderTest, ReadsEveryFramingInPiecesOfAnySize) {
  struct Case {
    std::string wire;
    int status;
    std::string body;
    bool keep_alive;
  };

  const std::vector<Case> cases{
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", true},
      {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "", true},
      {"HTTP/1.1 404 \r\nContent-Length: 2\r\nConnection: close\r\n\r\nno", 404, "no", false},
      {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok", false},
      {"HTTP/1.1 200 OK\r\n\r\nuntil the end", 200, "until the end", false},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
       200, "abcde", true},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nTrailer: x\r\n\r\n",
       200, "a", true},
      {"HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n", 204, "", true},
      {"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", 304, "", true},
      {"HTTP/1.1 301 Moved\r\nLocation: http://evil/\r\nContent-Length: 0\r\n\r\n", 301, "", true},
      {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n"
       "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
       200, "x", true},
      {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", 200, "x", true},
  };
  for (const Case& test_case : cases) {
    for (size_t step = 1; step <= test_case.wire.size(); ++step) {
      const Outcome outcome = ReadInSteps(test_case.wire, step);
      ASSERT_TRUE(outcome.status.ok()) << test_case.wire << outcome.status.ToString();
      EXPECT_EQ(outcome.response.status, test_case.status) << test_case.wire;
      EXPECT_EQ(outcome.response.body, test_case.body) << test_case.wire;
      EXPECT_EQ(outcome.keep_alive, test_case.keep_alive) << test_case.wire;
      EXPECT_EQ(outcome.leftover, "");
    }
  }
}

TEST(ResponseReaderTest, RefusesMalformedResponses) {
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::vector<std::string> cases{
      "",
      "H",
      "\r\n",
      "HTTP/1.1",
      "HTTP/1.1 200 OK\r\n",
      "HTTP/2 200 OK\r\n\r\n",
      "HTTP/1.1 20 OK\r\n\r\n",
      "HTTP/1.1 2000 OK\r\n\r\n",
      "HTTP/1.1 abc OK\r\n\r\n",
      "GET / HTTP/1.1\r\n\r\n",
      "SSH-2.0-OpenSSH_9.2\r\n\r\n",
      "<html></html>\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
      "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx",
      "HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\nx",
      "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\nxx",
      "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nx",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
      "chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nNo colon\r\n\r\n",
      "HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\n",
      "HTTP/1.1 200 OK\r\nX: a\x01z\r\n\r\n",
      std::string("HTTP/1.1 200 OK\r\nX: a\0z\r\n\r\n", 27),
      "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
      chunked + "zz\r\n",
      chunked + "-1\r\nx\r\n0\r\n\r\n",
      chunked + "1\r\nxx\r\n0\r\n\r\n",
      chunked + "fffffffffffffffff\r\nx",
      chunked + "ffffffffffffffff\r\nx",
      chunked + "\r\n",
      chunked + "1\r\nx",
      chunked + "1\r\nx\r\n",
      chunked + "1\r\nx\r\n0\r\n",
  };
  for (const std::string& wire : cases) {
    for (const size_t step : {size_t{1}, size_t{7}, wire.size() + 1}) {
      const Status status = ReadInSteps(wire, step).status;
      EXPECT_FALSE(status.ok()) << wire;
      const bool expected =
          status.code() == StatusCode::kDataLoss || status.code() == StatusCode::kResourceExhausted;
      EXPECT_TRUE(expected) << wire << status.ToString();
    }
  }
}

TEST(ResponseReaderTest, EndsInterimResponsesThatNeverEnd) {
  std::string wire;
  for (int i = 0; i < 100; ++i) wire += "HTTP/1.1 100 Continue\r\n\r\n";
  EXPECT_EQ(ReadInSteps(wire, 10).status.code(), StatusCode::kDataLoss);
}

TEST(ResponseReaderTest, LimitsHeaderAndBody) {
  const std::string head = "HTTP/1.1 200 OK\r\n";
  const std::string many = "X: 0123456789\r\n";
  std::string many_fields = head;
  for (int i = 0; i < 100; ++i) many_fields += many;
  const std::vector<std::string> cases{
      head + "X: " + std::string(600, 'a') + "\r\n\r\n",
      many_fields + "\r\n",
      head + "Content-Length: 65\r\n\r\n" + std::string(65, 'a'),
      head + "\r\n" + std::string(65, 'a'),
      head + "Transfer-Encoding: chunked\r\n\r\n41\r\n" + std::string(65, 'a') + "\r\n0\r\n\r\n",
      head + "Transfer-Encoding: chunked\r\n\r\n20\r\n" + std::string(32, 'a') + "\r\n21\r\n" +
          std::string(33, 'a') + "\r\n0\r\n\r\n",
      head + "Transfer-Encoding: chunked\r\n\r\n0\r\n" + many_fields.substr(head.size()) + "\r\n",
  };
  for (const std::string& wire : cases) {
    for (const size_t step : {size_t{1}, size_t{50}, wire.size()}) {
      EXPECT_EQ(ReadInSteps(wire, step).status.code(), StatusCode::kResourceExhausted) << wire;
    }
  }
  const std::string fits = head + "Content-Length: 64\r\n\r\n" + std::string(64, 'a');
  EXPECT_TRUE(ReadInSteps(fits, 10).status.ok());
}

TEST(ResponseReaderTest, StreamsToTheSinkWithoutLimitAndWithoutKeepingTheBody) {
  std::string taken;
  const BodySink sink = [&](std::string_view part) {
    taken += part;
    return OkStatus();
  };
  const std::string wire = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + std::string(100, 'a');
  const Outcome outcome = ReadInSteps(wire, 9, ResponseKind::kNormal, &sink);
  ASSERT_TRUE(outcome.status.ok());
  EXPECT_EQ(taken, std::string(100, 'a'));
  EXPECT_EQ(outcome.response.body, "");
}

TEST(ResponseReaderTest, EndsWithTheStatusOfTheSink) {
  const BodySink sink = [](std::string_view) { return AbortedError("enough"); };
  const std::string wire = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
  EXPECT_EQ(ReadInSteps(wire, 1, ResponseKind::kNormal, &sink).status, AbortedError("enough"));
}

TEST(ResponseReaderTest, IgnoresTheLengthOfABodylessAnswer) {
  const std::string wire = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
  const Outcome outcome = ReadInSteps(wire, 3, ResponseKind::kBodyless);
  ASSERT_TRUE(outcome.status.ok());
  EXPECT_EQ(outcome.response.headers.Get("content-length"), "1000");
  EXPECT_TRUE(outcome.keep_alive);
}

TEST(ResponseReaderTest, LeavesWhatFollowsTheResponse) {
  const Outcome outcome = ReadInSteps("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxEXTRA", 1000);
  ASSERT_TRUE(outcome.status.ok());
  EXPECT_EQ(outcome.leftover, "EXTRA");
}

TEST(ResponseReaderTest, NeverQuotesTheResponse) {
  const std::vector<std::string> cases{
      "HTTP/1.1 200 OK\r\nhunter2\r\n\r\n",
      "hunter2\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: hunter2\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: hunter2\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhunter2\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhunter2",
  };
  for (const std::string& wire : cases) {
    const Status status = ReadInSteps(wire, 5).status;
    ASSERT_FALSE(status.ok()) << wire;
    EXPECT_EQ(status.message().find("hunter2"), std::string::npos) << wire;
  }
}

}  // namespace
}  // namespace keyturn::net
