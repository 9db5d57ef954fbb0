// Text forms of instants: RFC 3339, HTTP dates and the SigV4 date. The parsers accept the years
// 1678 to 2261, which is what WallTime can hold. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib/base/clock.h"

namespace keyturn {

// "2026-11-23T10:00:00.123Z" (always UTC, always milliseconds). Source: RFC 3339 §5.6.
std::string FormatRfc3339(WallTime time);
// Accepts any RFC 3339 date-time: offset or Z, optional fraction. Empty when malformed or out of
// range.
std::optional<WallTime> ParseRfc3339(std::string_view text);

// "Mon, 23 Nov 2026 10:00:00 GMT". Source: RFC 9110 §5.6.7 (IMF-fixdate).
std::string FormatHttpDate(WallTime time);
std::optional<WallTime> ParseHttpDate(std::string_view text);

// "20261123T100000Z", the X-Amz-Date form (ISO 8601 basic).
std::string FormatAmzDate(WallTime time);
std::optional<WallTime> ParseAmzDate(std::string_view text);

}  // namespace keyturn
