// YAML: writing a JSON value so that YAML 1.1 and 1.2 readers get the same value back.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "lib/json/json_fwd.h"

namespace keyturn::json {

// Block style, two spaces per level, keys sorted, with a final newline. A string is written plain
// only if no reader can take it for anything else; otherwise in double quotes on one line with
// JSON's escapes, which YAML shares: "yes", "1e3", "~", "2026-11-23" and "a: b" stay strings.
// Malformed UTF-8 becomes U+FFFD. REQUIRES: nesting as CheckedParse allows (the writer recurses).
std::string ToYaml(const Json& value);

}  // namespace keyturn::json
