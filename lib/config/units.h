// Text forms of durations and sizes.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/base/result.h"

namespace keyturn::config {

// Go's form, as in Kubernetes: "300ms", "10s", "5m", "1h30m". A bare "0" is zero; a bare number is
// refused, because its unit would be a guess. ERRORS: INVALID_ARGUMENT, OUT_OF_RANGE beyond 10
// years.
Result<std::chrono::milliseconds> ParseDuration(std::string_view text);
std::string FormatDuration(std::chrono::milliseconds duration);

// A Kubernetes quantity of bytes: "65536", "64Ki", "8Mi", "1Gi", "500k", "1M", "1G".
Result<uint64_t> ParseBytes(std::string_view text);

// "0440" or "440": octal file permissions, at most 0777.
Result<uint32_t> ParseFileMode(std::string_view text);

}  // namespace keyturn::config
