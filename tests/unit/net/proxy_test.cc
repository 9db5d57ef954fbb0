// SPDX-License-Identifier: Apache-2.0
#include "lib/net/proxy.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lib/base/strings.h"

namespace keyturn::net {
namespace {

TEST(ParseProxyTest, AcceptsTheUsualSpellings) {
  struct Case {
    const char* text;
    const char* origin;
    const char* authorization;
  };

  const std::vector<Case> cases{
      {"http://proxy:3128", "http://proxy:3128", ""},
      {"http://proxy:3128/", "http://proxy:3128", ""},
      {" proxy:3128 ", "http://proxy:3128", ""},
      {"HTTP://proxy", "http://proxy", ""},
      {"[::1]:3128", "http://[::1]:3128", ""},
      {"http://Aladdin:open%20sesame@proxy:1", "http://proxy:1",
       "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="},  // RFC 7617 §2
      {"http://u:p%40ss@proxy:1", "http://proxy:1", "Basic dTpwQHNz"},
      {"http://token@proxy:1", "http://proxy:1", "Basic dG9rZW46"},
  };
  for (const Case& test_case : cases) {
    const auto proxy = ParseProxy(test_case.text);
    ASSERT_TRUE(proxy.ok()) << test_case.text << proxy.status().ToString();
    EXPECT_EQ(proxy->url.Origin(), test_case.origin) << test_case.text;
    EXPECT_EQ(proxy->authorization, test_case.authorization) << test_case.text;
  }
}

TEST(ParseProxyTest, RefusesOthersWithoutQuotingThem) {
  for (const char* text :
       {"https://user:hunter2@proxy:1", "socks5://hunter2@proxy:1", "http://u:hunter2%@proxy:1",
        "http://u:hunter2%zz@proxy:1", "http://u:hunter2@proxy:0", "http://u:hunter2@",
        "http://proxy:1/hunter2", "http://proxy:1?hunter2", "http://a b:1", "http://:1", "@"}) {
    const auto proxy = ParseProxy(text);
    ASSERT_FALSE(proxy.ok()) << text;
    EXPECT_EQ(proxy.status().code(), StatusCode::kInvalidArgument) << text;
    EXPECT_EQ(proxy.status().message().find("hunter2"), std::string::npos) << text;
  }
}

struct NoProxyCase {
  const char* list;
  const char* url;
  bool direct;
};

TEST(NoProxyListTest, FollowsTheUsualRules) {
  const std::vector<NoProxyCase> cases{
      {"", "http://example.com", false},
      {",, ,", "http://example.com", false},
      {"*", "http://example.com", true},
      {"a.com, *", "http://[::1]/", true},
      {"example.com", "http://example.com", true},
      {"EXAMPLE.com", "http://example.COM", true},
      {"example.com", "http://example.com.", true},
      {"example.com", "http://www.example.com", true},
      {"example.com", "http://badexample.com", false},
      {"example.com", "http://example.com.evil.com", false},
      {".example.com", "http://www.example.com", true},
      {".example.com", "http://example.com", true},
      {"*.example.com", "http://www.example.com", true},
      {"example.com.", "http://www.example.com", true},
      {"com", "http://example.com", true},
      {"example.com:8080", "http://example.com:8080", true},
      {"example.com:8080", "http://example.com", false},
      {"example.com:80", "http://example.com", true},
      {"example.com:443", "https://example.com", true},
      {"example.com:x", "http://example.com", false},
      {"127.0.0.1", "http://127.0.0.1:99", true},
      {"127.0.0.1:98", "http://127.0.0.1:99", false},
      {"127.0.0.1:99", "http://127.0.0.1:99", true},
      {"127.0.0.1", "http://127.0.0.12", false},
      {"0.0.1", "http://127.0.0.1", false},
      {"10.0.0.0/8", "http://10.255.1.2", true},
      {"10.0.0.0/8", "http://11.0.0.1", false},
      {"10.1.2.3/8", "http://10.9.9.9", true},
      {"192.168.1.128/25", "http://192.168.1.127", false},
      {"192.168.1.128/25", "http://192.168.1.200", true},
      {"0.0.0.0/0", "http://8.8.8.8", true},
      {"0.0.0.0/0", "http://[::1]", false},
      {"10.0.0.0/8", "http://10.example.com", false},
      {"10.0.0.0/33", "http://10.0.0.1", false},
      {"10.0.0.0/", "http://10.0.0.0", false},
      {"::1", "http://[::1]:80", true},
      {"[::1]", "http://[::1]:81", true},
      {"[::1]:81", "http://[::1]:81", true},
      {"[::1]:82", "http://[::1]:81", false},
      {"0:0:0:0:0:0:0:1", "http://[::1]", true},
      {"fd00::/8", "http://[fdff::1]", true},
      {"fd00::/8", "http://[fe00::1]", false},
      {"fd00:ec2::/127", "http://[fd00:ec2::2]", false},
      {"a.com b.com\tc.com", "http://c.com", true},
      {"localhost", "http://127.0.0.1", false},
  };
  for (const NoProxyCase& test_case : cases) {
    const auto url = ParseUrl(test_case.url);
    ASSERT_TRUE(url.ok()) << test_case.url;
    EXPECT_EQ(NoProxyList(test_case.list).Matches(*url), test_case.direct)
        << test_case.list << " | " << test_case.url;
  }
}

TEST(ProxySelectorTest, ChoosesByScheme) {
  const auto selector = ProxySelector::Create({"http://secure:1", "http://plain:2", "direct.test"});
  ASSERT_TRUE(selector.ok());
  const auto select = [&](const char* text) {
    const Proxy* proxy = selector->Select(ParseUrl(text).value());
    return proxy == nullptr ? std::string() : proxy->url.host;
  };
  EXPECT_EQ(select("https://a.test"), "secure");
  EXPECT_EQ(select("http://a.test"), "plain");
  EXPECT_EQ(select("https://direct.test"), "");
  EXPECT_EQ(select("http://x.direct.test:8080"), "");
}

}  // namespace
}  // namespace keyturn::net
