// SPDX-License-Identifier: Apache-2.0
#include "lib/config/units.h"

#include <array>
#include <limits>
#include <optional>

#include "lib/base/strings.h"

namespace keyturn::config {
namespace {

struct Unit {
  std::string_view name;
  uint64_t factor;
};

constexpr uint64_t kNanosecondsPerMillisecond = 1'000'000;
constexpr uint64_t kNanosecondsPerSecond = 1'000'000'000;
// Longer times are typing errors; the bound also keeps every sum below 2^64 ns.
constexpr uint64_t kMaxNanoseconds = uint64_t{10} * 366 * 86'400 * kNanosecondsPerSecond;

// A fraction of a byte count has at most this many digits, so that it fits 64 bits at "Ti".
constexpr size_t kMaxByteFractionDigits = 6;
constexpr size_t kMaxDurationFractionDigits = 3;

// Source: https://pkg.go.dev/time#ParseDuration
constexpr std::array<Unit, 6> kTimeUnits = {{{"ns", 1},
                                             {"us", 1'000},
                                             {"ms", kNanosecondsPerMillisecond},
                                             {"s", kNanosecondsPerSecond},
                                             {"m", 60 * kNanosecondsPerSecond},
                                             {"h", 3600 * kNanosecondsPerSecond}}};

// Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
constexpr std::array<Unit, 9> kByteUnits = {{{"", 1},
                                             {"k", 1'000},
                                             {"M", 1'000'000},
                                             {"G", 1'000'000'000},
                                             {"T", 1'000'000'000'000},
                                             {"Ki", uint64_t{1} << 10},
                                             {"Mi", uint64_t{1} << 20},
                                             {"Gi", uint64_t{1} << 30},
                                             {"Ti", uint64_t{1} << 40}}};

bool IsDigit(char character) {
  return character >= '0' && character <= '9';
}

// Cuts the longest prefix whose characters are digits (or, with `digits` false, are not) off
// `text`; a '.' always ends it.
std::string_view TakeWhile(std::string_view& text, bool digits) {
  size_t size = 0;
  while (size < text.size() && text[size] != '.' && IsDigit(text[size]) == digits) ++size;
  const std::string_view taken = text.substr(0, size);
  text.remove_prefix(size);
  return taken;
}

struct Number {
  uint64_t whole = 0;
  uint64_t fraction = 0;  // numerator over 10^digits
  uint64_t denominator = 1;
};

// "12", "1.5" at the start of `text`. A digit is needed on both sides of the point.
std::optional<Number> TakeNumber(std::string_view& text, size_t max_fraction_digits) {
  Number number;
  const auto whole = ParseUnsigned<uint64_t>(TakeWhile(text, true));
  if (!whole) return std::nullopt;
  number.whole = *whole;
  if (text.empty() || text.front() != '.') return number;
  text.remove_prefix(1);
  const std::string_view digits = TakeWhile(text, true);
  const auto fraction = ParseUnsigned<uint64_t>(digits);
  if (!fraction || digits.size() > max_fraction_digits) return std::nullopt;
  number.fraction = *fraction;
  for (size_t i = 0; i < digits.size(); ++i) number.denominator *= 10;
  return number;
}

template <size_t N>
std::optional<uint64_t> FindUnit(const std::array<Unit, N>& units, std::string_view name) {
  for (const Unit& unit : units) {
    if (unit.name == name) return unit.factor;
  }
  return std::nullopt;
}

Status BadDuration(std::string_view text, std::string_view why) {
  return InvalidArgumentError(
      StrCat("parsing duration '", QuoteForMessage(text), "': ", why, " (such as 10s, 5m, 1h30m)"));
}

Status LongDuration(std::string_view text) {
  return OutOfRangeError(
      StrCat("parsing duration '", QuoteForMessage(text), "': longer than 10 years"));
}

// One "12h" or "1.5s" at the start of `rest`, in nanoseconds.
Result<uint64_t> TakeDurationPart(std::string_view text, std::string_view& rest) {
  const auto number = TakeNumber(rest, kMaxDurationFractionDigits);
  if (!number) return BadDuration(text, "needs a number, with at most 3 decimals, and a unit");
  const std::string_view name = TakeWhile(rest, false);
  if (name.empty()) return BadDuration(text, "a number has no unit");
  const auto unit = FindUnit(kTimeUnits, name);
  if (!unit) return BadDuration(text, "the unit must be one of h, m, s, ms, us, ns");
  if (number->whole > kMaxNanoseconds / *unit) return LongDuration(text);
  if (number->fraction * *unit % number->denominator != 0) {
    return BadDuration(text, "finer than a nanosecond");
  }
  return number->whole * *unit + number->fraction * *unit / number->denominator;
}

Status BadBytes(std::string_view text) {
  return InvalidArgumentError(StrCat("parsing size '", QuoteForMessage(text),
                                     "': needs a number with an optional suffix k, M, G, T, Ki, "
                                     "Mi, Gi or Ti (such as 64Ki)"));
}

}  // namespace

Result<std::chrono::milliseconds> ParseDuration(std::string_view text) {
  if (text == "0") return std::chrono::milliseconds(0);
  if (text.empty()) return BadDuration(text, "is empty");
  uint64_t total = 0;
  for (std::string_view rest = text; !rest.empty();) {
    KEYTURN_ASSIGN_OR_RETURN(const uint64_t part, TakeDurationPart(text, rest));
    total += part;
    if (total > kMaxNanoseconds) return LongDuration(text);
  }
  if (total % kNanosecondsPerMillisecond != 0) {
    return BadDuration(text, "must be a whole number of milliseconds");
  }
  return std::chrono::milliseconds(total / kNanosecondsPerMillisecond);
}

std::string FormatDuration(std::chrono::milliseconds duration) {
  if (duration.count() == 0) return "0s";
  const bool negative = duration.count() < 0;
  // Unsigned arithmetic: the magnitude of the smallest value does not fit the signed type.
  const auto count = static_cast<uint64_t>(duration.count());
  uint64_t rest = negative ? uint64_t{0} - count : count;
  std::string out = negative ? "-" : "";
  constexpr std::array<Unit, 4> kParts = {
      {{"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};
  for (const Unit& part : kParts) {
    if (rest / part.factor != 0) out += StrCat(rest / part.factor, part.name);
    rest %= part.factor;
  }
  return out;
}

Result<uint64_t> ParseBytes(std::string_view text) {
  std::string_view rest = text;
  const auto number = TakeNumber(rest, kMaxByteFractionDigits);
  if (!number) return BadBytes(text);
  const auto unit = FindUnit(kByteUnits, rest);
  if (!unit) return BadBytes(text);
  // A part of a byte counts as one, as Kubernetes rounds quantities.
  const uint64_t fraction =
      (number->fraction * *unit + number->denominator - 1) / number->denominator;
  const uint64_t max = std::numeric_limits<uint64_t>::max();
  if (number->whole > (max - fraction) / *unit) {
    return OutOfRangeError(StrCat("parsing size '", QuoteForMessage(text), "': too large"));
  }
  return number->whole * *unit + fraction;
}

Result<uint32_t> ParseFileMode(std::string_view text) {
  const auto bad = [&text] {
    return InvalidArgumentError(StrCat("parsing file mode '", QuoteForMessage(text),
                                       "': must be 3 octal digits, or 4 that begin with 0 "
                                       "(such as 0440)"));
  };
  if (text.size() == 4 && text.front() == '0') text.remove_prefix(1);
  if (text.size() != 3) return bad();
  uint32_t mode = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '7') return bad();
    mode = mode * 8 + static_cast<uint32_t>(digit - '0');
  }
  return mode;
}

}  // namespace keyturn::config
