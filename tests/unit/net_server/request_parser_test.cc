// Tests of the request grammar: what is accepted, what is refused with which status, and that the
// way in which bytes are split makes no difference.
// SPDX-License-Identifier: Apache-2.0
#include <string>

#include <gtest/gtest.h>

#include "lib/net/server_request_parser.h"

namespace keyturn::net::server {
namespace {

using Progress = RequestParser::Progress;

ServerLimits SmallLimits() {
  ServerLimits limits;
  limits.max_header_bytes = 512;
  limits.max_body_bytes = 64;
  return limits;
}

struct Outcome {
  Progress progress = Progress::kNeedMore;
  int status = 0;
  std::string method, target, body, rest;
  size_t fields = 0;
};

// Offers `text` in parts of `step` bytes, as a connection does.
Outcome Parse(const std::string& text, size_t step) {
  const ServerLimits limits = SmallLimits();
  RequestParser parser(limits);
  Outcome out;
  std::string pending;
  size_t offered = 0;
  while (offered < text.size() && out.progress == Progress::kNeedMore) {
    const size_t count = std::min(step, text.size() - offered);
    pending.append(text, offered, count);
    offered += count;
    size_t consumed = 0;
    out.progress = parser.Feed(pending, consumed);
    pending.erase(0, consumed);
  }
  if (out.progress == Progress::kFailed) out.status = parser.error_status();
  if (out.progress == Progress::kComplete) {
    const ServerRequest request = parser.TakeRequest();
    out.method = request.method;
    out.target = request.target;
    out.body = request.body;
    out.fields = request.headers.fields().size();
    out.rest = pending + text.substr(offered);
  }
  return out;
}

// Every way of cutting must agree with the uncut text.
Outcome ParseEveryWay(const std::string& text) {
  const Outcome whole = Parse(text, text.size());
  for (size_t step = 1; step < text.size(); ++step) {
    const Outcome parts = Parse(text, step);
    EXPECT_EQ(parts.progress, whole.progress) << "step " << step << " of " << text;
    EXPECT_EQ(parts.status, whole.status) << "step " << step << " of " << text;
    EXPECT_EQ(parts.body, whole.body) << "step " << step << " of " << text;
    EXPECT_EQ(parts.rest, whole.rest) << "step " << step << " of " << text;
  }
  return whole;
}

TEST(RequestParserTest, ReadsEveryFormOfRequest) {
  const struct {
    const char* text;
    const char* method;
    const char* target;
    const char* body;
    const char* rest;
  } cases[] = {
      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/", "", ""},
      {"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/", "", ""},
      {"GET / HTTP/1.0\r\n\r\n", "GET", "/", "", ""},
      {"GET /a?b=%20 HTTP/1.1\r\nhOsT:a:80\r\n\r\nGET", "GET", "/a?b=%20", "", "GET"},
      {"OPTIONS * HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "OPTIONS", "*", "", ""},
      {"GET http://a/b HTTP/1.1\r\nHost:\r\n\r\n", "GET", "http://a/b", "", ""},
      {"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcX", "POST", "/p", "abc", "X"},
      {"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\nX", "POST", "/p", "", "X"},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\n\r\n"
       "3\r\nabc\r\nA;x=\"y\"\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nrest",
       "POST", "/", "abc0123456789", "rest"},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "POST", "/", "",
       ""},
      {"brew /pot HTTP/1.1\r\nHost: a\r\n\r\n", "brew", "/pot", "", ""},
  };

  for (const auto& c : cases) {
    const Outcome outcome = ParseEveryWay(c.text);
    EXPECT_EQ(outcome.progress, Progress::kComplete) << c.text << " -> " << outcome.status;
    EXPECT_EQ(outcome.method, c.method) << c.text;
    EXPECT_EQ(outcome.target, c.target) << c.text;
    EXPECT_EQ(outcome.body, c.body) << c.text;
    EXPECT_EQ(outcome.rest, c.rest) << c.text;
  }
}

TEST(RequestParserTest, RefusesMalformedRequestLines) {
  const struct {
    const char* text;
    int status;
  } cases[] = {
      {"GET /\r\n\r\n\r\n\r\n", 400},
      {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"GET / HTTP/0.9\r\n\r\n", 505},
      {"GET / http/1.1\r\nHost: a\r\n\r\n", 505},
      {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"G\x01T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 505},
      {"GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /# HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /\xC3\xBC HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET /\x7F HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/1.1\nHost: a\r\n\r\n", 505},
      {"TRACE / HTTP/1.1\r\nHost: a\r\nAuthorization: secret\r\n\r\n", 405},
      {"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 405},
      {"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400},
  };

  for (const auto& c : cases) {
    const Outcome outcome = Parse(c.text, 1 << 20);
    EXPECT_EQ(outcome.progress, Progress::kFailed) << c.text;
    EXPECT_EQ(outcome.status, c.status) << c.text;
    EXPECT_EQ(Parse(c.text, 1).progress, Progress::kFailed) << c.text;
  }
}

TEST(RequestParserTest, RefusesHeadersThatAProxyMightReadDifferently) {
  const struct {
    const char* fields;
    int status;
  } cases[] = {
      {"", 400},
      {"Host: a\r\nHost: a\r\n", 400},
      {"Host: a\r\nHost: b\r\n", 400},
      {"Host: a, b\r\n", 400},
      {"Host: a/b\r\n", 400},
      {"Host: u@a\r\n", 400},
      {"Host: a b\r\n", 400},
      {"Host: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n", 400},
      {"Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n", 400},
      {"Host: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n", 400},
      {"Host: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n", 400},
      {"Host: a\r\nContent-Length: 1, 1\r\n", 400},
      {"Host: a\r\nContent-Length: -1\r\n", 400},
      {"Host: a\r\nContent-Length: +1\r\n", 400},
      {"Host: a\r\nContent-Length: 0x1\r\n", 400},
      {"Host: a\r\nContent-Length: 1 1\r\n", 400},
      {"Host: a\r\nContent-Length: \r\n", 400},
      {"Host: a\r\nContent-Length: 18446744073709551616\r\n", 400},
      {"Host: a\r\nContent-Length: 18446744073709551615\r\n", 413},
      {"Host: a\r\nContent-Length: 65\r\n", 413},
      {"Host: a\r\nTransfer-Encoding: gzip\r\n", 501},
      {"Host: a\r\nTransfer-Encoding: identity\r\n", 501},
      {"Host: a\r\nTransfer-Encoding: gzip, chunked\r\n", 501},
      {"Host: a\r\nTransfer-Encoding: chunked, chunked\r\n", 501},
      {"Host: a\r\nTransfer-Encoding: xchunked\r\n", 501},
      {"Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400},
      {"Host: a\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", 501},
      {"Host: a\r\nTransfer-Encoding : chunked\r\n", 400},
      {"Host: a\r\nTransfer-Encoding\r\n", 400},
      {"Host: a\r\n: empty name\r\n", 400},
      {"Host: a\r\nX Y: v\r\n", 400},
      {"Host: a\r\nX: a\x01\r\n", 400},
      {"Host: a\r\nX: a\rb\r\n", 400},
      {"Host: a\r\nX: a\nY: b\r\n", 400},
      {"Host: a\r\nExpect: 200-maybe\r\n", 417},
  };

  for (const auto& c : cases) {
    const std::string text = "POST / HTTP/1.1\r\n" + std::string(c.fields) + "\r\n";
    const Outcome outcome = ParseEveryWay(text);
    EXPECT_EQ(outcome.progress, Progress::kFailed) << text;
    EXPECT_EQ(outcome.status, c.status) << text;
  }
}

TEST(RequestParserTest, RefusesChunkedBodiesInHttp10) {
  EXPECT_EQ(ParseEveryWay("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").status, 400);
}

TEST(RequestParserTest, RefusesBadAndHugeChunks) {
  const struct {
    const char* body;
    int status;
  } cases[] = {
      {"-1\r\n", 400},
      {"+1\r\na\r\n", 400},
      {"0x1\r\na\r\n\r\n", 400},
      {"\r\n", 400},
      {"g\r\n", 400},
      {" 1\r\na\r\n", 400},
      {"1 \r\na\r\n", 400},
      {"1\na\r\n0\r\n\r\n", 400},
      {"1\r\nabc\r\n", 400},
      {"1\r\na0\r\n\r\n", 400},
      {"41\r\n", 413},
      {"ffffffff\r\n", 413},
      {"7fffffffffffffff\r\n", 413},
      {"ffffffffffffffff\r\n", 413},
      {"fffffffffffffffff\r\n", 400},
      {"1;\r\na\r\n", 400},
      {"1;a=\"\r\nb\"\r\na\r\n", 400},
      {"0\r\nContent-Length: 5\r\n\r\n", 400},
      {"0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"0\r\nbad trailer\r\n\r\n", 400},
      {"20\r\n0123456789abcdef0123456789abcdef\r\n21\r\n", 413},
  };

  for (const auto& c : cases) {
    const std::string text =
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(c.body);
    const Outcome outcome = ParseEveryWay(text);
    EXPECT_EQ(outcome.progress, Progress::kFailed) << c.body;
    EXPECT_EQ(outcome.status, c.status) << c.body;
  }
}

TEST(RequestParserTest, BoundsWhatIsNotBody) {
  const std::string chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string host = "GET / HTTP/1.1\r\nHost: a\r\n";
  std::string fields = host;
  while (fields.size() < 600) fields += "X: y\r\n";
  std::string extensions = chunked;
  for (int i = 0; i < 20; ++i) extensions += "1;" + std::string(40, 'e') + "\r\na\r\n";

  const struct {
    std::string text;
    int status;
  } cases[] = {
      {"GET /" + std::string(600, 'a'), 431},
      {"GET /" + std::string(600, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", 431},
      {host + "X: " + std::string(600, 'a'), 431},
      {host + std::string(600, 'N'), 431},
      {fields + "\r\n", 431},
      {chunked + "1;" + std::string(600, 'e'), 400},
      {chunked + std::string(600, '0'), 400},
      {chunked + "0\r\nX: " + std::string(600, 't'), 400},
      {extensions, 400},
  };

  for (const auto& c : cases) {
    for (const size_t step : {size_t{1}, size_t{6}, size_t{7}, size_t{100}, c.text.size()}) {
      const Outcome outcome = Parse(c.text, step);
      EXPECT_EQ(outcome.progress, Progress::kFailed) << step << " " << c.text;
      EXPECT_EQ(outcome.status, c.status) << step << " " << c.text;
    }
  }
}

TEST(RequestParserTest, HoldsTheHeaderLimitWhenLinesComeOneByOne) {
  const ServerLimits limits = SmallLimits();
  RequestParser parser(limits);
  size_t consumed = 0;
  ASSERT_EQ(parser.Feed("GET / HTTP/1.1\r\nHost: a\r\n", consumed), Progress::kNeedMore);
  const std::string line = "X-Field: 0123456789\r\n";
  std::string pending;
  size_t sent = 0;
  Progress progress = Progress::kNeedMore;
  while (progress == Progress::kNeedMore && sent < 4096) {
    pending += line;
    sent += line.size();
    progress = parser.Feed(pending, consumed);
    pending.erase(0, consumed);
  }
  EXPECT_EQ(progress, Progress::kFailed);
  EXPECT_EQ(parser.error_status(), 431);
  EXPECT_LE(sent, 600U);
}

TEST(RequestParserTest, RefusesMoreFieldsThanAnyClientSends) {
  ServerLimits limits;
  limits.max_header_bytes = 1 << 20;
  RequestParser parser(limits);
  std::string text = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (int i = 0; i < 300; ++i) text += "X: y\r\n";
  size_t consumed = 0;
  EXPECT_EQ(parser.Feed(text + "\r\n", consumed), Progress::kFailed);
  EXPECT_EQ(parser.error_status(), 431);
}

TEST(RequestParserTest, DropsTrailerFields) {
  const Outcome outcome = ParseEveryWay(
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "0\r\nAuthorization: x\r\nHost: evil\r\n\r\n");
  EXPECT_EQ(outcome.progress, Progress::kComplete);
  EXPECT_EQ(outcome.fields, 2U);
}

TEST(RequestParserTest, WantsContinueOnceAndOnlyBeforeTheBody) {
  const ServerLimits limits = SmallLimits();
  const std::string header =
      "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 3\r\n\r\n";
  size_t consumed = 0;
  RequestParser waits(limits);
  EXPECT_EQ(waits.Feed(header.substr(0, header.size() - 2), consumed), Progress::kNeedMore);
  EXPECT_FALSE(waits.TakeContinueWish());
  EXPECT_EQ(waits.Feed(header.substr(consumed), consumed), Progress::kNeedMore);
  EXPECT_TRUE(waits.TakeContinueWish());
  EXPECT_FALSE(waits.TakeContinueWish());
  RequestParser has_body(limits);
  EXPECT_EQ(has_body.Feed(header + "ab", consumed), Progress::kNeedMore);
  EXPECT_FALSE(has_body.TakeContinueWish());
  RequestParser old(limits);
  EXPECT_EQ(
      old.Feed("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n", consumed),
      Progress::kNeedMore);
  EXPECT_FALSE(old.TakeContinueWish());
}

TEST(RequestParserTest, KnowsWhetherTheConnectionStaysOpen) {
  const struct {
    const char* text;
    bool keep_alive;
    bool http10;
  } cases[] = {
      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", true, false},
      {"GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n", false, false},
      {"GET / HTTP/1.1\r\nHost: a\r\nConnection: x, close\r\n\r\n", false, false},
      {"GET / HTTP/1.0\r\n\r\n", false, true},
      {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true, true},
  };

  for (const auto& c : cases) {
    const ServerLimits limits = SmallLimits();
    RequestParser parser(limits);
    size_t consumed = 0;
    ASSERT_EQ(parser.Feed(c.text, consumed), Progress::kComplete) << c.text;
    EXPECT_EQ(parser.keep_alive(), c.keep_alive) << c.text;
    EXPECT_EQ(parser.is_http10(), c.http10) << c.text;
  }
}

}  // namespace
}  // namespace keyturn::net::server
