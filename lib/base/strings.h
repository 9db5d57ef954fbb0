// Small text helpers: concatenation, trimming, splitting, case.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <charconv>
#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace keyturn {
namespace internal {

inline void Append(std::string& out, std::string_view text) {
  out += text;
}

template <std::integral T>

requires(!std::same_as<T, char> && !std::same_as<T, bool>) void Append(std::string& out, T number) {
  out += std::to_string(number);
}

inline void Append(std::string& out, char character) {
  out += character;
}

}  // namespace internal

// StrCat("read ", path, ": ", count, " bytes").
template <typename... Parts>
std::string StrCat(const Parts&... parts) {
  std::string out;
  (internal::Append(out, parts), ...);
  return out;
}

// Without leading and trailing space, tab, CR and LF.
std::string_view TrimWhitespace(std::string_view text);

// Splits at every `separator`; empty fields are kept, so that "a,,b" gives three.
std::vector<std::string_view> Split(std::string_view text, char separator);

std::string Join(const std::vector<std::string>& parts, std::string_view separator);

// ASCII only: header names, host names.
std::string ToLowerAscii(std::string_view text);
bool EqualsIgnoreCaseAscii(std::string_view a, std::string_view b);

// The whole text must be a decimal number of T without sign, blanks or a leading '+'.
template <std::unsigned_integral T>
std::optional<T> ParseUnsigned(std::string_view text) {
  T value{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || text.empty()) return std::nullopt;
  return value;
}

// True if `text` is well-formed UTF-8 (no overlong forms, no surrogates, at most U+10FFFF).
// Source: RFC 3629 §4.
bool IsValidUtf8(std::string_view text);

// Replaces control bytes and malformed UTF-8 with '?' and cuts at `max_size` bytes, never within a
// character, so that text from outside can be quoted in a message.
std::string QuoteForMessage(std::string_view text, size_t max_size = 128);

// The candidate nearest to `text` by edit distance if it is near enough to be a typo, else empty:
// for "unknown field …, did you mean …?".
std::string_view NearestSpelling(std::string_view text,
                                 const std::vector<std::string_view>& candidates);

}  // namespace keyturn
