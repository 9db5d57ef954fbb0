// SPDX-License-Identifier: Apache-2.0
#include "lib/net/http_types.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace keyturn::net {
namespace {

struct GoodUrl {
  std::string text;
  Url expected;
};

TEST(ParseUrlTest, SplitsWellFormedUrls) {
  const std::vector<GoodUrl> cases{
      {"http://example.com", {"http", "example.com", 80, "/"}},
      {"https://example.com/", {"https", "example.com", 443, "/"}},
      {"HTTPS://EXAMPLE.com:8443/A?b=C", {"https", "example.com", 8443, "/A?b=C"}},
      {"http://example.com?x=1", {"http", "example.com", 80, "/?x=1"}},
      {"http://127.0.0.1:65535/a%2Fb", {"http", "127.0.0.1", 65535, "/a%2Fb"}},
      {"http://[::1]:8080/", {"http", "::1", 8080, "/"}},
      {"http://[FD00:EC2::23]/v1", {"http", "fd00:ec2::23", 80, "/v1"}},
      {"http://[0:0:0:0:0:0:0:1]", {"http", "::1", 80, "/"}},
      {"http://my_service.ns.svc.", {"http", "my_service.ns.svc.", 80, "/"}},
      {"http://1password.example", {"http", "1password.example", 80, "/"}},
      {"http://h/a/../b;c=d,e:@!$&'()*+~", {"http", "h", 80, "/a/../b;c=d,e:@!$&'()*+~"}},
  };
  for (const GoodUrl& test_case : cases) {
    const auto url = ParseUrl(test_case.text);
    ASSERT_TRUE(url.ok()) << test_case.text << ": " << url.status().ToString();
    EXPECT_EQ(*url, test_case.expected) << test_case.text;
  }
}

void ExpectRefused(const std::vector<std::string>& cases) {
  for (const std::string& text : cases) {
    const auto url = ParseUrl(text);
    ASSERT_FALSE(url.ok()) << text;
    EXPECT_EQ(url.status().code(), StatusCode::kInvalidArgument) << text;
  }
}

TEST(ParseUrlTest, RefusesMalformedUrls) {
  ExpectRefused({
      "",
      "example.com",
      "//example.com/",
      "/path",
      "ftp://example.com",
      "file:///etc/passwd",
      "javascript://x",
      "http:/example.com",
      "http//example.com",
      " http://example.com",
      "http://",
      "http:///path",
      "http://?q",
      "http://:80",
      "http://example.com:",
      "http://example.com:0",
      "http://example.com:65536",
      "http://example.com:99999999999",
      "http://example.com:+80",
      "http://example.com:-1",
      "http://example.com:80a",
      "http://example.com: 80",
      "http://example.com:80:80",
      "http://user@example.com",
      "http://user:pass@example.com",
      "http://@example.com",
      "http://example.com/#fragment",
      "http://example.com#",
      "http://exa mple.com",
      "http://example.com/a b",
      "http://example.com/a\tb",
      "http://example.com/a\r\nHost: evil",
      "http://example.com\r\n",
      std::string("http://example.com/a\0b", 22),
      std::string("http://exam\0ple.com/", 20),
      "http://example.com/\x7f",
      "http://ex\xc3\xa4mple.com",
  });
}

TEST(ParseUrlTest, RefusesMalformedHostsAndTargets) {
  ExpectRefused({
      "http://example.com/\xc3\xa4",
      "http://example.com\\@evil.com/",
      "http://example.com/a\\b",
      "http://example.com/<script>",
      "http://example.com/\"",
      "http://example.com/{x}",
      "http://example.com/%",
      "http://example.com/%4",
      "http://example.com/%zz",
      "http://exam%70le.com/",
      "http://.example.com",
      "http://example..com",
      "http://.",
      "http://..",
      "http://256.1.1.1",
      "http://127.1",
      "http://2130706433",
      "http://0x7f000001",
      "http://0x7f.1",
      "http://0177.0.0.1",
      "http://1.2.3.4.",
      "http://example.123",
      "http://[::1",
      "http://::1/",
      "http://[]",
      "http://[127.0.0.1]",
      "http://[::1]80",
      "http://[::1]:",
      "http://[::1]x:80",
      "http://[fe80::1%25eth0]",
      "http://[::g]",
      "http://[[::1]]",
      "http://example.com]",
      "http://" + std::string(64, 'a') + ".com",
      "http://" + std::string(62, 'a') + "." + std::string(62, 'a') + "." + std::string(62, 'a') +
          "." + std::string(62, 'a') + "." + std::string(62, 'a'),
      "http://example.com/" + std::string(8192, 'a'),
  });
}

TEST(ParseUrlTest, NeverQuotesUserInformation) {
  for (const char* text :
       {"http://user:hunter2@example.com", "http://hunter2@h:0/%", "ftp://user:hunter2@example.com",
        "hunter2:x@y", "http://h/hunter2 x", "http://hunter2:hunter2@"}) {
    EXPECT_EQ(ParseUrl(text).status().message().find("hunter2"), std::string::npos) << text;
  }
}

TEST(UrlTest, WritesDefaultPortsAwayAndBracketsIpv6) {
  struct Case {
    const char* text;
    const char* host_header;
    const char* origin;
  };

  for (const Case& test_case :
       {Case{"http://h:80/x", "h", "http://h"}, Case{"https://h:80/", "h:80", "https://h:80"},
        Case{"https://h:443", "h", "https://h"},
        Case{"http://[::1]:81/", "[::1]:81", "http://[::1]:81"},
        Case{"https://[::1]", "[::1]", "https://[::1]"}}) {
    const auto url = ParseUrl(test_case.text);
    ASSERT_TRUE(url.ok()) << test_case.text;
    EXPECT_EQ(url->HostHeader(), test_case.host_header);
    EXPECT_EQ(url->Origin(), test_case.origin);
    EXPECT_EQ(ParseUrl(url->ToString()).value(), *url);
  }
}

TEST(HttpHeadersTest, FindsTheFirstFieldWithoutCase) {
  HttpHeaders headers;
  headers.Add("X-One", "a");
  headers.Add("x-one", "b");
  EXPECT_EQ(headers.Get("X-ONE"), "a");
  EXPECT_FALSE(headers.Get("X-On").has_value());
  EXPECT_FALSE(headers.Get("").has_value());
}

TEST(HttpHeadersTest, SetReplacesEveryFieldOfThatNameInPlace) {
  HttpHeaders headers;
  headers.Add("A", "1");
  headers.Add("B", "2");
  headers.Add("a", "3");
  headers.Set("a", "4");
  headers.Set("C", "5");
  const std::vector<std::pair<std::string, std::string>> expected{
      {"A", "4"}, {"B", "2"}, {"C", "5"}};
  EXPECT_EQ(headers.fields(), expected);
}

}  // namespace
}  // namespace keyturn::net
