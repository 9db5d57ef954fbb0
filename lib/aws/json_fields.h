// Members of a parsed answer, with errors that name the member and never its value. What is not
// asked for is ignored, because services add members.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/json/json_fwd.h"

namespace keyturn::aws {

// Null when `object` has no such member or it is null: services and emulators use both.
const json::Json* FindMember(const json::Json& object, const char* name);

// ERRORS (all): INVALID_ARGUMENT "member 'ARN' is missing" or "… is no string".
Result<std::string> RequiredString(const json::Json& object, const char* name);
Result<std::string> OptionalString(const json::Json& object, const char* name);  // absent: ""
Result<int64_t> OptionalInteger(const json::Json& object, const char* name, int64_t fallback);
Result<bool> OptionalBool(const json::Json& object, const char* name);
Result<std::vector<std::string>> OptionalStrings(const json::Json& object, const char* name);
// Epoch seconds with fraction, or RFC 3339 text. Out of 1970–9999 counts as absent.
std::optional<WallTime> OptionalTime(const json::Json& object, const char* name);
// The array `name`; null when absent.
Result<const json::Json*> OptionalArray(const json::Json& object, const char* name);

// Parses text that must be one JSON object.
Result<json::Json> ParseObject(std::string_view text);

}  // namespace keyturn::aws
