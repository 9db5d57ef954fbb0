// SPDX-License-Identifier: Apache-2.0
#include "lib/net/request_writer.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace keyturn::net {
namespace {

HttpRequest MakeRequest(const char* method, const char* url, std::string body = "") {
  HttpRequest request;
  request.method = method;
  request.url = ParseUrl(url).value();
  request.body = std::move(body);
  return request;
}

TEST(SerializeRequestTest, WritesHostAndLengthItself) {
  HttpRequest request = MakeRequest("POST", "http://h:81/a?b", "xyz");
  request.headers.Add("host", "other");
  request.headers.Add("Content-length", "9");
  request.headers.Add("Connection", "close");
  request.headers.Add("X-Amz-Target", "secretsmanager.GetSecretValue");
  ASSERT_TRUE(CheckRequest(request).ok());
  EXPECT_EQ(SerializeRequest(request, nullptr),
            "POST /a?b HTTP/1.1\r\nHost: h:81\r\nX-Amz-Target: secretsmanager.GetSecretValue\r\n"
            "Content-Length: 3\r\n\r\nxyz");
}

TEST(SerializeRequestTest, SendsNoLengthWithAGet) {
  EXPECT_EQ(SerializeRequest(MakeRequest("GET", "https://[::1]/"), nullptr),
            "GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n");
  EXPECT_EQ(SerializeRequest(MakeRequest("PUT", "http://h/"), nullptr),
            "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
}

TEST(SerializeRequestTest, UsesTheAbsoluteFormForAProxy) {
  Proxy proxy;
  proxy.url = ParseUrl("http://p:1").value();
  proxy.authorization = "Basic eA==";
  EXPECT_EQ(SerializeRequest(MakeRequest("GET", "http://h:81/a"), &proxy),
            "GET http://h:81/a HTTP/1.1\r\nHost: h:81\r\nProxy-Authorization: Basic eA==\r\n\r\n");
  EXPECT_EQ(SerializeConnect(ParseUrl("https://[::1]/x").value(), proxy),
            "CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\nProxy-Authorization: Basic eA==\r\n"
            "\r\n");
}

TEST(CheckRequestTest, RefusesWhatWouldSmuggle) {
  const auto refuses = [](const HttpRequest& request) {
    const Status status = CheckRequest(request);
    EXPECT_EQ(status.message().find("hunter2"), std::string::npos);
    return status.code() == StatusCode::kInvalidArgument;
  };
  const HttpRequest good = MakeRequest("GET", "http://h/");
  for (const char* method :
       {"", "GET ", "G\r\n", "CONNECT", "GET /x HTTP/1.1\r\nA: b\r\n\r\nGET"}) {
    HttpRequest request = good;
    request.method = method;
    EXPECT_TRUE(refuses(request)) << method;
  }
  for (const char* target : {"", "x", "/a b", "/a\r\nX: y", "/\x7f", "/\xc3\xa4"}) {
    HttpRequest request = good;
    request.url.target = target;
    EXPECT_TRUE(refuses(request)) << target;
  }
  for (const char* host : {"", "h\r\nX: y", "h h"}) {
    HttpRequest request = good;
    request.url.host = host;
    EXPECT_TRUE(refuses(request)) << host;
  }
  const std::vector<std::pair<std::string, std::string>> fields{
      {"", "x"},
      {"A B", "x"},
      {"A:", "x"},
      {"A\r\nB", "x"},
      {"A", "hunter2\r\nB: c"},
      {"A", "hunter2\n"},
      {"A", std::string("hunter2\0", 8)},
      {"Transfer-Encoding", "chunked"},
      {"expect", "100-continue"},
      {"Upgrade", "h2c"},
      {"TE", "trailers"},
  };
  for (const auto& [name, value] : fields) {
    HttpRequest request = good;
    request.headers.Add(name, value);
    EXPECT_TRUE(refuses(request)) << name;
  }
  HttpRequest other_scheme = good;
  other_scheme.url.scheme = "ftp";
  EXPECT_TRUE(refuses(other_scheme));
  HttpRequest no_port = good;
  no_port.url.port = 0;
  EXPECT_TRUE(refuses(no_port));
}

TEST(CheckRequestTest, AllowsTextOutsideAsciiInValues) {
  HttpRequest request = MakeRequest("GET", "http://h/");
  request.headers.Add("X-Name", "caf\xc3\xa9\tx");
  EXPECT_TRUE(CheckRequest(request).ok());
}

}  // namespace
}  // namespace keyturn::net
