// The first line is an expression, the rest a document: compiling and searching must not crash.
// SPDX-License-Identifier: Apache-2.0
#include "lib/json/jmespath.h"

#include <cstdint>
#include <string_view>

#include "lib/base/check.h"
#include "lib/json/checked_parse.h"
#include "lib/json/json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t newline = text.find('\n');
  const auto path = keyturn::json::JmesPath::Compile(text.substr(0, newline));
  if (!path.ok() || newline == std::string_view::npos) return 0;
  const auto document = keyturn::json::CheckedParse(text.substr(newline + 1));
  if (!document.ok()) return 0;
  const auto found = path->Search(*document);
  KEYTURN_CHECK(found == path->Search(*document));
  return 0;
}
