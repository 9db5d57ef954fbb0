// HTTP messages and URLs as values.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/result.h"

namespace keyturn::net {

// An absolute http or https URL, split. `host` carries no brackets around an IPv6 literal.
struct Url {
  std::string scheme;        // "http" or "https", lower case
  std::string host;          // lower case
  uint16_t port = 0;         // explicit or the scheme's default
  std::string target = "/";  // path and query, as sent

  // "host", "host:port" when the port is not the scheme's default; IPv6 in brackets.
  std::string HostHeader() const;
  // "https://host:port" (default port left out), without target.
  std::string Origin() const;

  std::string ToString() const { return Origin() + target; }

  bool is_tls() const { return scheme == "https"; }

  friend bool operator==(const Url&, const Url&) = default;
};

// ERRORS: INVALID_ARGUMENT for another scheme, user information, a fragment, a missing host, a bad
// port, control characters or spaces. The message never quotes user information.
Result<Url> ParseUrl(std::string_view text);

// Names compare without case; order and repetition are kept.
class HttpHeaders {
 public:
  void Add(std::string name, std::string value) {
    fields_.emplace_back(std::move(name), std::move(value));
  }

  // Replaces every field of that name.
  void Set(std::string_view name, std::string value);
  // The first value, if any.
  std::optional<std::string_view> Get(std::string_view name) const;

  const std::vector<std::pair<std::string, std::string>>& fields() const { return fields_; }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

struct HttpRequest {
  std::string method = "GET";
  Url url;
  HttpHeaders headers;  // Host, Content-Length and Connection are the transport's
  std::string body;
};

struct HttpResponse {
  int status = 0;
  HttpHeaders headers;
  std::string body;  // empty when a sink took it
};

}  // namespace keyturn::net
