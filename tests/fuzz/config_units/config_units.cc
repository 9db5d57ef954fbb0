// Durations survive being formatted and parsed again; sizes and modes stay in their ranges.
// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <string_view>

#include "lib/base/check.h"
#include "lib/config/units.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto duration = keyturn::config::ParseDuration(text); duration.ok()) {
    KEYTURN_CHECK(duration->count() >= 0);
    const auto again = keyturn::config::ParseDuration(keyturn::config::FormatDuration(*duration));
    KEYTURN_CHECK(again.ok() && *again == *duration);
  }
  if (const auto mode = keyturn::config::ParseFileMode(text); mode.ok()) {
    KEYTURN_CHECK(*mode <= 0777U);
  }
  if (const auto bytes = keyturn::config::ParseBytes(text); bytes.ok()) {
    KEYTURN_CHECK(text.size() < 64 || *bytes == 0 || text.front() == '0');
  }
  return 0;
}
