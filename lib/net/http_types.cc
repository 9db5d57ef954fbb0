// SPDX-License-Identifier: Apache-2.0
#include "lib/net/http_types.h"

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/net/ip_address.h"

namespace keyturn::net {
namespace {

// Longer URLs than this are refused by most servers; userver and others take 8192 too.
constexpr size_t kMaxUrlSize = 8192;
constexpr size_t kMaxHostSize = 253;  // Source: RFC 1035 §2.3.4
constexpr size_t kMaxLabelSize = 63;

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

bool IsHexDigit(char c) {
  return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// Letters in lower case already. The underscore is no host name character by RFC 1123, but
// container networks use it in service names.
bool IsHostCharacter(char c) {
  return IsDigit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '_';
}

// What RFC 3986 allows in path and query, percent signs apart.
bool IsTargetCharacter(char c) {
  if (c <= ' ' || c >= 0x7F) return false;
  return std::string_view("\"<>\\^`{|}#").find(c) == std::string_view::npos;
}

Status Bad(std::string_view why) {
  return InvalidArgumentError(StrCat("parse URL: ", why));
}

bool IsLabel(std::string_view label) {
  return !label.empty() && label.size() <= kMaxLabelSize &&
         std::all_of(label.begin(), label.end(), IsHostCharacter);
}

// "10.1", "0x7f.1" and "256.1.1.1" would reach getaddrinfo as IPv4 addresses in historic notation.
// Source: https://url.spec.whatwg.org/#ends-in-a-number-checker
bool LooksNumeric(std::string_view last_label) {
  if (last_label.starts_with("0x")) {
    last_label.remove_prefix(2);
    return std::all_of(last_label.begin(), last_label.end(), IsHexDigit);
  }
  return std::all_of(last_label.begin(), last_label.end(), IsDigit);
}

Status CheckHostName(std::string_view host) {
  if (host.empty()) return Bad("the host is missing");
  if (host.size() > kMaxHostSize) return Bad("the host is too long");
  std::string_view name = host;
  if (name.size() > 1 && name.back() == '.') name.remove_suffix(1);  // a rooted name
  const auto labels = Split(name, '.');
  if (!std::all_of(labels.begin(), labels.end(), IsLabel)) return Bad("the host is malformed");
  if (LooksNumeric(labels.back()) && !ParseIpAddress(host)) {
    return Bad("the host is not a valid IPv4 address");
  }
  return OkStatus();
}

struct Authority {
  std::string host;
  std::string_view port;  // with its colon; empty when absent
};

Result<Authority> SplitBracketed(std::string_view text) {
  const size_t end = text.find(']');
  if (end == std::string_view::npos) return Bad("']' is missing after an IPv6 address");
  const auto address = ParseIpAddress(text.substr(1, end - 1));
  if (!address || !address->is_v6) return Bad("the IPv6 address is malformed");
  return Authority{address->ToString(), text.substr(end + 1)};
}

Result<Authority> SplitAuthority(std::string_view text) {
  if (text.starts_with('[')) return SplitBracketed(text);
  const size_t colon = std::min(text.find(':'), text.size());
  Authority authority{ToLowerAscii(text.substr(0, colon)), text.substr(colon)};
  KEYTURN_RETURN_IF_ERROR(CheckHostName(authority.host));
  return authority;
}

Status ParsePort(std::string_view text, uint16_t& port) {
  if (text.empty()) return OkStatus();
  if (text.front() != ':') return Bad("the host is malformed");
  const auto number = ParseUnsigned<uint16_t>(text.substr(1));
  if (!number || *number == 0) return Bad("the port is not a number from 1 to 65535");
  port = *number;
  return OkStatus();
}

Status CheckTarget(std::string_view target) {
  for (size_t i = 0; i < target.size(); ++i) {
    if (!IsTargetCharacter(target[i])) return Bad("path or query holds a forbidden character");
    if (target[i] != '%') continue;
    if (i + 2 >= target.size() || !IsHexDigit(target[i + 1]) || !IsHexDigit(target[i + 2])) {
      return Bad("path or query holds a '%' that starts no escape");
    }
  }
  return OkStatus();
}

uint16_t DefaultPort(std::string_view scheme) {
  return scheme == "https" ? 443 : 80;
}

}  // namespace

std::string Url::HostHeader() const {
  const bool is_v6 = host.find(':') != std::string::npos;
  std::string header = is_v6 ? StrCat('[', host, ']') : host;
  if (port != DefaultPort(scheme)) header += StrCat(':', port);
  return header;
}

std::string Url::Origin() const {
  return StrCat(scheme, "://", HostHeader());
}

Result<Url> ParseUrl(std::string_view text) {
  if (text.size() > kMaxUrlSize) return Bad("it is too long");
  const size_t scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos) return Bad("it has no scheme");
  Url url;
  url.scheme = ToLowerAscii(text.substr(0, scheme_end));
  if (url.scheme != "http" && url.scheme != "https") return Bad("the scheme is not http or https");
  const std::string_view rest = text.substr(scheme_end + 3);
  if (rest.find('#') != std::string_view::npos) return Bad("it has a fragment");
  const size_t target_begin = std::min(rest.find_first_of("/?"), rest.size());
  const std::string_view authority_text = rest.substr(0, target_begin);
  if (authority_text.find('@') != std::string_view::npos) return Bad("it has user information");
  KEYTURN_ASSIGN_OR_RETURN(const Authority authority, SplitAuthority(authority_text));
  url.host = authority.host;
  url.port = DefaultPort(url.scheme);
  KEYTURN_RETURN_IF_ERROR(ParsePort(authority.port, url.port));
  const std::string_view target = rest.substr(target_begin);
  KEYTURN_RETURN_IF_ERROR(CheckTarget(target));
  url.target = target.starts_with('/') ? std::string(target) : StrCat('/', target);
  return url;
}

void HttpHeaders::Set(std::string_view name, std::string value) {
  const auto matches = [name](const auto& field) {
    return EqualsIgnoreCaseAscii(field.first, name);
  };
  const auto first = std::find_if(fields_.begin(), fields_.end(), matches);
  if (first == fields_.end()) {
    Add(std::string(name), std::move(value));
    return;
  }
  first->second = std::move(value);
  fields_.erase(std::remove_if(first + 1, fields_.end(), matches), fields_.end());
}

std::optional<std::string_view> HttpHeaders::Get(std::string_view name) const {
  for (const auto& [field_name, value] : fields_) {
    if (EqualsIgnoreCaseAscii(field_name, name)) return value;
  }
  return std::nullopt;
}

}  // namespace keyturn::net
