// Which proxy a URL goes through, and what the proxy wants to be told.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"
#include "lib/net/http_transport.h"
#include "lib/net/http_types.h"
#include "lib/net/ip_address.h"

namespace keyturn::net {

// An HTTP proxy that is spoken to in the clear. TLS to the proxy itself and SOCKS are not offered.
struct Proxy {
  Url url;
  std::string authorization;  // value of Proxy-Authorization; empty without user information
  // Decoded, for a client library that writes the header itself.
  std::string user;
  std::string password;
};

// "http://host:3128", "host:3128", "http://user:password@host". The port defaults to 80.
// ERRORS: INVALID_ARGUMENT, without quoting the text: it may hold a password.
Result<Proxy> ParseProxy(std::string_view text);

// The hosts that are reached directly.
// Source: https://curl.se/libcurl/c/CURLOPT_NOPROXY.html; CIDR blocks and ":port" as Go's
// golang.org/x/net/http/httpproxy.
class NoProxyList {
 public:
  // Commas or blanks separate entries; each is "*", a name (which also stands for all names below
  // it, with or without a leading dot), an IP address or a CIDR block; names and addresses may
  // carry
  // ":port". Entries that make no sense are skipped, as everybody does.
  explicit NoProxyList(std::string_view text);

  bool Matches(const Url& url) const;

 private:
  struct Rule {
    std::string name;  // matched as suffix at a label
    std::optional<IpAddress> address;
    std::optional<IpBlock> block;
    std::optional<uint16_t> port;
  };

  static std::optional<Rule> ParseRule(std::string_view text);

  bool everything_ = false;
  std::vector<Rule> rules_;
};

// THREAD: immutable.
class ProxySelector {
 public:
  static Result<ProxySelector> Create(const ProxySettings& settings);

  // Null: go direct. The pointer lives as long as the selector.
  const Proxy* Select(const Url& url) const;

 private:
  explicit ProxySelector(std::string_view no_proxy) : no_proxy_(no_proxy) {}

  std::optional<Proxy> for_https_;
  std::optional<Proxy> for_http_;
  NoProxyList no_proxy_;
};

}  // namespace keyturn::net
