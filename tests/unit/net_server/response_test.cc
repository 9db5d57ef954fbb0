// Tests of the wire form of responses.
// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "lib/net/server_response.h"

namespace keyturn::net::server {
namespace {

HttpResponse Response(int status, std::string body) {
  HttpResponse response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

ResponseForm Form(bool head, bool keep_alive, bool http10) {
  return {head, keep_alive, http10, "NOW"};
}

TEST(ResponseTest, WritesLengthDateAndConnection) {
  HttpResponse response = Response(200, "body");
  response.headers.Add("X-A", "1");
  EXPECT_EQ(SerializeResponse(response, Form(false, true, false)),
            "HTTP/1.1 200 OK\r\nX-A: 1\r\nDate: NOW\r\nContent-Length: 4\r\n\r\nbody");
  EXPECT_EQ(SerializeResponse(response, Form(true, true, false)),
            "HTTP/1.1 200 OK\r\nX-A: 1\r\nDate: NOW\r\nContent-Length: 4\r\n\r\n");
  EXPECT_EQ(SerializeResponse(response, Form(false, false, false)),
            "HTTP/1.1 200 OK\r\nX-A: 1\r\nDate: NOW\r\nContent-Length: 4\r\n"
            "Connection: close\r\n\r\nbody");
  EXPECT_EQ(SerializeResponse(response, Form(false, true, true)),
            "HTTP/1.1 200 OK\r\nX-A: 1\r\nDate: NOW\r\nContent-Length: 4\r\n"
            "Connection: keep-alive\r\n\r\nbody");
}

TEST(ResponseTest, ReplacesFramingHeadersOfTheHandler) {
  HttpResponse response = Response(200, "body");
  for (const char* name : {"content-length", "DATE", "Connection", "Transfer-encoding"}) {
    response.headers.Add(name, "99");
  }
  EXPECT_EQ(SerializeResponse(response, Form(false, true, false)),
            "HTTP/1.1 200 OK\r\nDate: NOW\r\nContent-Length: 4\r\n\r\nbody");
}

TEST(ResponseTest, SendsNoBodyWhereNoneIsAllowed) {
  for (const int status : {204, 304}) {
    const auto bytes = SerializeResponse(Response(status, "body"), Form(false, true, false));
    ASSERT_TRUE(bytes);
    EXPECT_EQ(bytes->find("Content-Length"), std::string::npos) << *bytes;
    EXPECT_TRUE(bytes->ends_with("\r\n\r\n")) << *bytes;
  }
}

TEST(ResponseTest, RefusesWhatWouldSplitTheResponse) {
  const std::pair<std::string, std::string> fields[] = {{"X", "a\r\nSet-Cookie: b"},
                                                        {"X", "a\nb"},
                                                        {"X", "a\rb"},
                                                        {"X", std::string("a\0b", 3)},
                                                        {"X", "\x7F"},
                                                        {"", "v"},
                                                        {"X Y", "v"},
                                                        {"X:", "v"},
                                                        {"X\r\nY", "v"},
                                                        {"\xC3\xBC", "v"}};
  for (const auto& [name, value] : fields) {
    HttpResponse response = Response(200, "");
    response.headers.Add(name, value);
    EXPECT_FALSE(SerializeResponse(response, Form(false, true, false))) << name << "=" << value;
  }
  for (const int status : {0, -1, 100, 101, 199, 600, 1000}) {
    EXPECT_FALSE(SerializeResponse(Response(status, ""), Form(false, true, false))) << status;
  }
}

TEST(ResponseTest, ADisallowedMethodLearnsWhichAreAllowed) {
  const auto bytes = SerializeResponse(PlainResponse(405), Form(false, false, false));
  ASSERT_TRUE(bytes);
  EXPECT_NE(bytes->find("\r\nAllow: GET, "), std::string::npos);
}

TEST(ResponseTest, DateIsMadeAnewEachSecond) {
  DateText date;
  const WallTime start(std::chrono::seconds(784111777));
  EXPECT_EQ(date.Get(start), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(date.Get(start + std::chrono::milliseconds(999)), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(date.Get(start + std::chrono::seconds(1)), "Sun, 06 Nov 1994 08:49:38 GMT");
  EXPECT_EQ(date.Get(start), "Sun, 06 Nov 1994 08:49:37 GMT");
}

}  // namespace
}  // namespace keyturn::net::server
