// JSON Pointer. Source: RFC 6901.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "lib/base/result.h"
#include "lib/json/json_fwd.h"

namespace keyturn::json {

// The value that `pointer` names inside `document`, which outlives the answer.
// ERRORS: INVALID_ARGUMENT for a malformed pointer, NOT_FOUND when nothing is there ("no key 'b' at
// /a").
Result<const Json*> ResolvePointer(const Json& document, std::string_view pointer);

// OK if `pointer` is "" or begins with '/' and every '~' is followed by 0 or 1.
Status ValidatePointer(std::string_view pointer);

}  // namespace keyturn::json
