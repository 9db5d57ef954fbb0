// Whatever CheckedParse accepts is JSON to the library too and survives a round trip.
// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <string_view>

#include "lib/base/check.h"
#include "lib/base/strings.h"
#include "lib/json/checked_parse.h"
#include "lib/json/json.h"
#include "lib/json/pointer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using keyturn::json::Json;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)keyturn::json::ResolvePointer(Json(), text);
  const auto value = keyturn::json::CheckedParse(text);
  if (!value.ok()) {
    KEYTURN_CHECK(keyturn::IsValidUtf8(value.status().message()));
    return 0;
  }
  KEYTURN_CHECK(Json::accept(text));
  const auto again = keyturn::json::CheckedParse(keyturn::json::Dump(*value));
  KEYTURN_CHECK(again.ok() && *again == *value);
  return 0;
}
