// SPDX-License-Identifier: Apache-2.0
#include "lib/net/proxy.h"

#include <algorithm>

#include <openssl/evp.h>

#include "lib/base/secret_bytes.h"
#include "lib/base/strings.h"

namespace keyturn::net {
namespace {

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> PercentDecode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = HexValue(text[i + 1]);
    const int low = HexValue(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

// Source: RFC 7617 §2.
std::string BasicAuthorization(std::string_view user, std::string_view password) {
  std::string text = StrCat(user, ':', password);
  const ScopedCleanse cleanse(text);
  std::string encoded(4 * ((text.size() + 2) / 3) + 1, '\0');
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  auto* out = reinterpret_cast<unsigned char*>(encoded.data());
  encoded.resize(static_cast<size_t>(EVP_EncodeBlock(out, bytes, static_cast<int>(text.size()))));
  return StrCat("Basic ", encoded);
}

Status SetUserInformation(std::string_view text, Proxy& proxy) {
  const size_t colon = std::min(text.find(':'), text.size());
  auto user = PercentDecode(text.substr(0, colon));
  auto password = PercentDecode(text.substr(std::min(colon + 1, text.size())));
  if (!user || !password) {
    return InvalidArgumentError("parse proxy URL: bad escape in user information");
  }
  proxy.user = *std::move(user);
  proxy.password = *std::move(password);
  proxy.authorization = BasicAuthorization(proxy.user, proxy.password);
  return OkStatus();
}

std::vector<std::string_view> SplitList(std::string_view text) {
  std::vector<std::string_view> entries;
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of(", \t\r\n"), text.size());
    if (end > 0) entries.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return entries;
}

// "example.com" stands for itself and for "www.example.com", not for "badexample.com".
bool IsNameOrBelow(std::string_view host, std::string_view name) {
  if (host.ends_with('.')) host.remove_suffix(1);
  if (!host.ends_with(name)) return false;
  return host.size() == name.size() || host[host.size() - name.size() - 1] == '.';
}

}  // namespace

Result<Proxy> ParseProxy(std::string_view text) {
  text = TrimWhitespace(text);
  const size_t scheme_end = text.find("://");
  const bool has_scheme = scheme_end != std::string_view::npos;
  if (has_scheme && !EqualsIgnoreCaseAscii(text.substr(0, scheme_end), "http")) {
    return InvalidArgumentError("parse proxy URL: only http:// proxies are supported");
  }
  std::string_view rest = has_scheme ? text.substr(scheme_end + 3) : text;
  Proxy proxy;
  if (const size_t at = rest.rfind('@'); at != std::string_view::npos) {
    KEYTURN_RETURN_IF_ERROR(SetUserInformation(rest.substr(0, at), proxy));
    rest.remove_prefix(at + 1);
  }
  auto url = ParseUrl(StrCat("http://", rest));
  if (!url.ok()) return AnnotateStatus(url.status(), "parse proxy URL");
  if (url->target != "/") return InvalidArgumentError("parse proxy URL: it has a path or query");
  proxy.url = *std::move(url);
  return proxy;
}

NoProxyList::NoProxyList(std::string_view text) {
  for (const std::string_view entry : SplitList(text)) {
    if (entry == "*") {
      everything_ = true;
    } else if (auto rule = ParseRule(entry)) {
      rules_.push_back(*std::move(rule));
    }
  }
}

std::optional<NoProxyList::Rule> NoProxyList::ParseRule(std::string_view text) {
  Rule rule;
  if ((rule.block = ParseIpBlock(text))) return rule;
  if ((rule.address = ParseIpAddress(text))) return rule;
  // A colon is a port's from here on: a bare IPv6 address was the line above.
  if (const size_t colon = text.rfind(':');
      colon != std::string_view::npos && !text.ends_with(']')) {
    rule.port = ParseUnsigned<uint16_t>(text.substr(colon + 1));
    if (!rule.port) return std::nullopt;
    text = text.substr(0, colon);
  }
  if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
  if ((rule.address = ParseIpAddress(text))) return rule;
  if (text.starts_with("*.")) text.remove_prefix(1);
  if (text.starts_with('.')) text.remove_prefix(1);
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.empty() || text.find_first_of("*:/[]@") != std::string_view::npos) return std::nullopt;
  rule.name = ToLowerAscii(text);
  return rule;
}

bool NoProxyList::Matches(const Url& url) const {
  if (everything_) return true;
  const auto literal = ParseIpAddress(url.host);
  return std::any_of(rules_.begin(), rules_.end(), [&](const Rule& rule) {
    if (rule.port && *rule.port != url.port) return false;
    if (rule.block) return literal && rule.block->Contains(*literal);
    if (rule.address) return literal == rule.address;
    return !literal && IsNameOrBelow(url.host, rule.name);
  });
}

Result<ProxySelector> ProxySelector::Create(const ProxySettings& settings) {
  ProxySelector selector(settings.no_proxy);
  if (!settings.https_proxy.empty()) {
    KEYTURN_ASSIGN_OR_RETURN(selector.for_https_, ParseProxy(settings.https_proxy));
  }
  if (!settings.http_proxy.empty()) {
    KEYTURN_ASSIGN_OR_RETURN(selector.for_http_, ParseProxy(settings.http_proxy));
  }
  return selector;
}

const Proxy* ProxySelector::Select(const Url& url) const {
  const std::optional<Proxy>& proxy = url.is_tls() ? for_https_ : for_http_;
  return proxy && !no_proxy_.Matches(url) ? &*proxy : nullptr;
}

}  // namespace keyturn::net
