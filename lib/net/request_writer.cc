// SPDX-License-Identifier: Apache-2.0
#include "lib/net/request_writer.h"

#include <algorithm>
#include <array>

#include "lib/base/strings.h"

namespace keyturn::net {
namespace {

template <size_t kSize>
bool IsOneOf(std::string_view name, const std::array<std::string_view, kSize>& names) {
  return std::any_of(names.begin(), names.end(),
                     [name](auto other) { return EqualsIgnoreCaseAscii(name, other); });
}

constexpr std::array<std::string_view, 3> kTransportFields{"Host", "Content-Length", "Connection"};
constexpr std::array<std::string_view, 5> kFramingFields{"Transfer-Encoding", "Expect", "Upgrade",
                                                         "Trailer", "TE"};

// Source: RFC 9110 §5.6.2.
bool IsTokenCharacter(char c) {
  if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return true;
  return c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool IsToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), IsTokenCharacter);
}

bool IsControl(char c) {
  return (c >= 0 && c < ' ' && c != '\t') || c == 0x7F;
}

bool IsVisible(char c) {
  return c > ' ' && c < 0x7F;
}

Status CheckUrl(const Url& url) {
  const bool visible = std::all_of(url.host.begin(), url.host.end(), IsVisible) &&
                       std::all_of(url.target.begin(), url.target.end(), IsVisible);
  if (!visible || url.host.empty() || !url.target.starts_with('/') || url.port == 0) {
    return InvalidArgumentError("check request: the URL is malformed");
  }
  if (url.scheme == "http" || url.scheme == "https") return OkStatus();
  return InvalidArgumentError("check request: the scheme is not http or https");
}

void AppendField(std::string& wire, std::string_view name, std::string_view value) {
  wire.append(name).append(": ").append(value).append("\r\n");
}

// A body of unknown length is never sent; methods that usually have one say so when it is empty.
// Source: RFC 9110 §8.6.
bool NeedsLength(const HttpRequest& request) {
  return !request.body.empty() || request.method == "POST" || request.method == "PUT" ||
         request.method == "PATCH";
}

}  // namespace

std::string Endpoint(const Url& url) {
  const bool is_v6 = url.host.find(':') != std::string::npos;
  return is_v6 ? StrCat('[', url.host, "]:", url.port) : StrCat(url.host, ':', url.port);
}

bool IsTransportField(std::string_view name) {
  return IsOneOf(name, kTransportFields);
}

Status CheckRequest(const HttpRequest& request) {
  if (!IsToken(request.method) || request.method == "CONNECT") {
    return InvalidArgumentError("check request: the method is malformed");
  }
  KEYTURN_RETURN_IF_ERROR(CheckUrl(request.url));
  for (const auto& [name, value] : request.headers.fields()) {
    if (!IsToken(name)) return InvalidArgumentError("check request: a header name is malformed");
    if (IsOneOf(name, kFramingFields)) {
      return InvalidArgumentError(StrCat("check request: header ", name, " may not be set"));
    }
    if (std::any_of(value.begin(), value.end(), IsControl)) {
      return InvalidArgumentError(
          StrCat("check request: the value of header ", name, " holds a control character"));
    }
  }
  return OkStatus();
}

std::string SerializeRequest(const HttpRequest& request, const Proxy* proxy) {
  std::string wire;
  wire.reserve(1024 + request.url.target.size() + request.body.size());
  wire.append(request.method).append(" ");
  if (proxy != nullptr) wire.append(request.url.Origin());
  wire.append(request.url.target).append(" HTTP/1.1\r\n");
  AppendField(wire, "Host", request.url.HostHeader());
  if (proxy != nullptr && !proxy->authorization.empty()) {
    AppendField(wire, "Proxy-Authorization", proxy->authorization);
  }
  for (const auto& [name, value] : request.headers.fields()) {
    if (!IsTransportField(name)) AppendField(wire, name, value);
  }
  if (NeedsLength(request))
    AppendField(wire, "Content-Length", std::to_string(request.body.size()));
  wire.append("\r\n").append(request.body);
  return wire;
}

std::string SerializeConnect(const Url& url, const Proxy& proxy) {
  const std::string target = Endpoint(url);
  std::string wire = StrCat("CONNECT ", target, " HTTP/1.1\r\n");
  AppendField(wire, "Host", target);
  if (!proxy.authorization.empty()) AppendField(wire, "Proxy-Authorization", proxy.authorization);
  return wire + "\r\n";
}

}  // namespace keyturn::net
