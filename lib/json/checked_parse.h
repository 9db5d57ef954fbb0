// CheckedParse: JSON from outside, with limits, and errors that never quote the input.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "lib/base/result.h"
#include "lib/json/json_fwd.h"

namespace keyturn::json {

struct ParseLimits {
  size_t max_bytes = 8 * 1024 * 1024;
  size_t max_depth = 64;
};

// Parses one JSON document (RFC 8259). Refuses: more than the limits, malformed UTF-8, duplicate
// keys of one object, trailing bytes. ERRORS: INVALID_ARGUMENT "line 3, column 7: expected …" by
// position and kind only. SECURITY: the library's own messages quote the input, so they are never
// passed on.
Result<Json> CheckedParse(std::string_view text, const ParseLimits& limits = {});

// The compact text of `value`; malformed UTF-8 in strings becomes U+FFFD. Never throws.
std::string Dump(const Json& value);

}  // namespace keyturn::json
