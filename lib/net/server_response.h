// The wire form of a response.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/net/http_types.h"

namespace keyturn::net::server {

struct ResponseForm {
  bool head = false;  // to a HEAD request: the header of the answer without its body
  bool keep_alive = true;
  bool http10 = false;  // the peer must be told that the connection stays open
  std::string_view date;
};

// Header and body in one buffer. Content-Length, Date, Connection and Transfer-Encoding of
// `response` are replaced. Empty when status, a name or a value could break the framing (response
// splitting).
std::optional<std::string> SerializeResponse(const HttpResponse& response,
                                             const ResponseForm& form);

// A short plain-text answer that names only the status.
HttpResponse PlainResponse(int status);

// The Date header's text, made once a second. Not thread-safe.
class DateText {
 public:
  std::string_view Get(WallTime now);

 private:
  WallTime second_;
  std::string text_;
};

}  // namespace keyturn::net::server
