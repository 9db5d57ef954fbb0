// The server's request parser on any bytes: it must not crash, must respect its limits, and must
// come to the same end however the bytes are cut.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/base/check.h"
#include "lib/net/server_request_parser.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using keyturn::net::ServerLimits;
using keyturn::net::ServerRequest;
using keyturn::net::server::RequestParser;
using Progress = RequestParser::Progress;

ServerLimits Limits() {
  ServerLimits limits;
  limits.max_header_bytes = 256;
  limits.max_body_bytes = 128;
  return limits;
}

struct Outcome {
  Progress progress = Progress::kNeedMore;
  size_t consumed = 0;
  std::string body;
};

void CheckRequest(const ServerRequest& request) {
  KEYTURN_CHECK(request.body.size() <= Limits().max_body_bytes);
  KEYTURN_CHECK(request.method != "TRACE" && request.method != "CONNECT");
  size_t header = 0;
  for (const auto& [name, value] : request.headers.fields()) {
    header += name.size() + value.size();
    for (const char c : value) KEYTURN_CHECK(c != '\r' && c != '\n' && c != '\0');
  }
  KEYTURN_CHECK(header <= Limits().max_header_bytes);
}

Outcome Parse(std::string_view text, size_t step) {
  const ServerLimits limits = Limits();
  RequestParser parser(limits);
  Outcome out;
  std::string pending;
  while (!text.empty() && out.progress == Progress::kNeedMore) {
    pending += text.substr(0, step);
    text.remove_prefix(std::min(step, text.size()));
    size_t consumed = 0;
    out.progress = parser.Feed(pending, consumed);
    KEYTURN_CHECK(consumed <= pending.size());
    pending.erase(0, consumed);
    out.consumed += consumed;
    if (out.progress == Progress::kNeedMore) {
      KEYTURN_CHECK(pending.size() <= limits.max_header_bytes);
    }
  }
  if (out.progress == Progress::kFailed) KEYTURN_CHECK(parser.error_status() >= 400);
  if (out.progress == Progress::kComplete) {
    const ServerRequest request = parser.TakeRequest();
    CheckRequest(request);
    out.body = request.body;
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t step = 1 + data[0] % 32;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Outcome whole = Parse(text, std::max<size_t>(text.size(), 1));
  const Outcome parts = Parse(text, step);
  if (whole.progress == Progress::kComplete) {
    KEYTURN_CHECK(parts.progress == Progress::kComplete);
    KEYTURN_CHECK(parts.consumed == whole.consumed && parts.body == whole.body);
  }
  return 0;
}
