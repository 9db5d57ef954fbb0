// Time formats and text helpers on any bytes: what parses reads back, what is quoted or logged is
// valid UTF-8 on one line.
// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/base/check.h"
#include "lib/base/log.h"
#include "lib/base/strings.h"
#include "lib/base/time_format.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using namespace keyturn;

void CheckTimes(std::string_view text) {
  if (const auto time = ParseRfc3339(text)) {
    KEYTURN_CHECK(ParseRfc3339(FormatRfc3339(*time)) == time);
    const auto second = std::chrono::floor<std::chrono::seconds>(*time);
    KEYTURN_CHECK(ParseHttpDate(FormatHttpDate(*time)) == second);
    KEYTURN_CHECK(ParseAmzDate(FormatAmzDate(*time)) == second);
  }
  if (const auto time = ParseHttpDate(text)) {
    KEYTURN_CHECK(ParseHttpDate(FormatHttpDate(*time)) == time);
  }
  if (const auto time = ParseAmzDate(text)) {
    KEYTURN_CHECK(ParseAmzDate(FormatAmzDate(*time)) == time);
  }
}

void CheckText(std::string_view text) {
  const std::string quoted = QuoteForMessage(text, 16);
  KEYTURN_CHECK(IsValidUtf8(quoted) && quoted.find('\n') == std::string::npos);
  KEYTURN_CHECK(quoted.size() <= 16 + std::string_view("…").size());
  std::string json;
  AppendJsonString(json, text);
  KEYTURN_CHECK(IsValidUtf8(json) && json.find('\n') == std::string::npos);
  KEYTURN_CHECK(json.size() >= 2 && json.front() == '"' && json.back() == '"');
  std::string joined;
  for (const std::string_view part : Split(text, ',')) joined += std::string(part) + ",";
  joined.pop_back();
  KEYTURN_CHECK(joined == text);
  KEYTURN_CHECK(EqualsIgnoreCaseAscii(ToLowerAscii(text), text));
  const std::string_view trimmed = TrimWhitespace(text);
  KEYTURN_CHECK(TrimWhitespace(trimmed) == trimmed);
  (void)NearestSpelling(text, {"inject", "secrets", "refresh-interval"});
  if (const auto number = ParseUnsigned<uint16_t>(text)) KEYTURN_CHECK(*number <= 65535);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  CheckTimes(text);
  CheckText(text);
  return 0;
}
