// Escaping of one value for the text formats. Internal to rendering.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "lib/base/result.h"
#include "lib/plan/plan.h"

namespace keyturn::delivery::internal {

// Where in a file's text a value is put: decided by the text around it.
enum class Placement {
  kBare,          // outside quotes: the escaper adds what is needed
  kDoubleQuoted,  // between "…" that the template's author wrote
  kSingleQuoted,  // between '…'
  kComment,       // in a comment, which a line end would leave
};

// A value as text. `is_string` is false for JSON numbers, booleans, objects and arrays, which JSON
// and YAML take unquoted.
struct ValueText {
  std::string text;
  bool is_string = true;
};

// `value` so that a reader of `format` gets it back from `placement`. Formats without escaping
// (raw, files, pem) answer the text as it is. ERRORS: INVALID_ARGUMENT when the format cannot carry
// a byte of it; names byte and format only.
Result<std::string> Escape(plan::Format format, Placement placement, const ValueText& value);

// The key in front of a value in a .properties file. Source: java.util.Properties.load(Reader).
Result<std::string> EscapePropertiesKey(std::string_view key);

// `text`, which is JSON, so that a YAML 1.1 or 1.2 reader takes it for the same value. Source: YAML
// 1.1 §5.1 (printable characters) and §4.2 (line breaks).
std::string JsonToYaml(std::string_view json);

// A JSON string with quotes. ERRORS: INVALID_ARGUMENT for malformed UTF-8.
Result<std::string> QuoteJson(std::string_view text);

// Everything but unreserved characters as %XX. Source: RFC 3986 §2.3.
std::string PercentEncode(std::string_view text);

// ERRORS: INVALID_ARGUMENT "a NUL byte cannot be written in format env" when `text` has one of
// `bytes` (NUL, LF, CR).
Status RefuseBytes(std::string_view text, std::string_view bytes, std::string_view format);

}  // namespace keyturn::delivery::internal
