// A response reads the same in one piece and in many, and never beyond its limits.
// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/base/check.h"
#include "lib/net/response_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using keyturn::net::ResponseKind;

struct Outcome {
  bool ok = false;
  int status = 0;
  std::string body;
};

Outcome Read(std::string_view wire, size_t step, ResponseKind kind) {
  keyturn::net::TransportLimits limits;
  limits.max_header_bytes = 2048;
  limits.max_body_bytes = 1024;
  keyturn::net::ResponseReader reader(limits, kind, nullptr);
  std::string pending;
  for (size_t i = 0; i < wire.size() && !reader.done(); i += step) {
    pending += wire.substr(i, step);
    const auto used = reader.Feed(pending);
    if (!used.ok()) return {};
    KEYTURN_CHECK(*used <= pending.size());
    pending.erase(0, *used);
  }
  if (!reader.done() && !reader.FinishAtEnd().ok()) return {};
  (void)reader.keep_alive();
  const auto response = reader.Take();
  KEYTURN_CHECK(response.body.size() <= limits.max_body_bytes);
  return {true, response.status, response.body};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const auto kind = (data[0] & 1) != 0 ? ResponseKind::kBodyless : ResponseKind::kNormal;
  const size_t step = 1 + (data[0] >> 1);
  const std::string_view wire(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Outcome whole = Read(wire, wire.size() + 1, kind);
  const Outcome parts = Read(wire, step, kind);
  KEYTURN_CHECK(whole.ok == parts.ok);
  KEYTURN_CHECK(whole.status == parts.status);
  KEYTURN_CHECK(whole.body == parts.body);
  return 0;
}
