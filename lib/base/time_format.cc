// SPDX-License-Identifier: Apache-2.0
#include "lib/base/time_format.h"

#include <time.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>

#include "lib/base/strings.h"

namespace keyturn {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

// A broken-down UTC instant.
struct Civil {
  int year = 0;
  unsigned month = 0;
  unsigned day = 0;
  unsigned hour = 0;
  unsigned minute = 0;
  unsigned second = 0;
  unsigned millisecond = 0;
  unsigned weekday = 0;
};

Civil ToCivil(WallTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::milliseconds>(time - day));
  return {static_cast<int>(date.year()),
          static_cast<unsigned>(date.month()),
          static_cast<unsigned>(date.day()),
          static_cast<unsigned>(clock.hours().count()),
          static_cast<unsigned>(clock.minutes().count()),
          static_cast<unsigned>(clock.seconds().count()),
          static_cast<unsigned>(clock.subseconds().count()),
          std::chrono::weekday(day).c_encoding()};
}

// WallTime counts nanoseconds in 64 bits, which reach from 1677 to 2262: the whole years inside.
constexpr int kFirstYear = 1678;
constexpr int kLastYear = 2261;

std::optional<WallTime> FromCivil(const Civil& civil) {
  if (civil.year < kFirstYear || civil.year > kLastYear) return std::nullopt;
  const std::chrono::year_month_day date(
      std::chrono::year(civil.year), std::chrono::month(civil.month), std::chrono::day(civil.day));
  // 60: a leap second is legal text (RFC 3339 §5.6) and means the next second here.
  if (!date.ok() || civil.hour > 23 || civil.minute > 59 || civil.second > 60) return std::nullopt;
  return WallTime(std::chrono::sys_days(date)) + std::chrono::hours(civil.hour) +
         std::chrono::minutes(civil.minute) + std::chrono::seconds(civil.second) +
         std::chrono::milliseconds(civil.millisecond);
}

template <typename... Args>
std::string Printf(const char* format, Args... args) {
  std::array<char, 64> buffer{};
  const int size = std::snprintf(buffer.data(), buffer.size(), format, args...);
  return {buffer.data(), static_cast<size_t>(size)};
}

// Reads `text` from the left; the first mismatch makes everything after it fail.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool ok() const { return ok_; }

  bool AtEnd() const { return ok_ && rest_.empty(); }

  char Peek() const { return rest_.empty() ? '\0' : rest_[0]; }

  unsigned Digits(size_t count) {
    const auto value = ParseUnsigned<unsigned>(rest_.substr(0, count));
    ok_ = ok_ && rest_.size() >= count && value.has_value();
    rest_.remove_prefix(std::min(count, rest_.size()));
    return value.value_or(0);
  }

  void Literal(std::string_view expected) {
    ok_ = ok_ && rest_.starts_with(expected);
    rest_.remove_prefix(std::min(expected.size(), rest_.size()));
  }

  // The index of the next three characters in `names`.
  template <size_t N>
  unsigned Name(const std::array<std::string_view, N>& names) {
    for (unsigned i = 0; i < N; ++i) {
      if (rest_.starts_with(names[i])) {
        rest_.remove_prefix(names[i].size());
        return i;
      }
    }
    ok_ = false;
    return 0;
  }

  // ".123456" as milliseconds, or nothing.
  unsigned Fraction() {
    if (Peek() != '.') return 0;
    rest_.remove_prefix(1);
    unsigned millis = 0;
    unsigned scale = 100;
    size_t count = 0;
    for (; Peek() >= '0' && Peek() <= '9'; ++count, rest_.remove_prefix(1)) {
      millis += static_cast<unsigned>(Peek() - '0') * scale;
      scale /= 10;
    }
    ok_ = ok_ && count > 0;
    return millis;
  }

  // "Z" or "+02:00".
  std::chrono::minutes Offset() {
    if (Peek() == 'Z' || Peek() == 'z') {
      rest_.remove_prefix(1);
      return {};
    }
    const bool west = Peek() == '-';
    ok_ = ok_ && (west || Peek() == '+');
    if (!rest_.empty()) rest_.remove_prefix(1);
    const unsigned hours = Digits(2);
    Literal(":");
    const unsigned minutes = Digits(2);
    ok_ = ok_ && hours <= 23 && minutes <= 59;
    const std::chrono::minutes offset = std::chrono::hours(hours) + std::chrono::minutes(minutes);
    return west ? -offset : offset;
  }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace

std::string FormatRfc3339(WallTime time) {
  const Civil c = ToCivil(time);
  return Printf("%04d-%02u-%02uT%02u:%02u:%02u.%03uZ", c.year, c.month, c.day, c.hour, c.minute,
                c.second, c.millisecond);
}

std::optional<WallTime> ParseRfc3339(std::string_view text) {
  Scanner scan(text);
  Civil c;
  c.year = static_cast<int>(scan.Digits(4));
  scan.Literal("-");
  c.month = scan.Digits(2);
  scan.Literal("-");
  c.day = scan.Digits(2);
  scan.Literal(scan.Peek() == 't' ? "t" : "T");
  c.hour = scan.Digits(2);
  scan.Literal(":");
  c.minute = scan.Digits(2);
  scan.Literal(":");
  c.second = scan.Digits(2);
  c.millisecond = scan.Fraction();
  const std::chrono::minutes offset = scan.Offset();
  if (!scan.AtEnd()) return std::nullopt;
  const std::optional<WallTime> time = FromCivil(c);
  if (!time) return std::nullopt;
  const WallTime utc = *time - offset;
  const int year = ToCivil(utc).year;  // the offset may have left the range
  return year < kFirstYear || year > kLastYear ? std::nullopt : std::optional(utc);
}

std::string FormatHttpDate(WallTime time) {
  const Civil c = ToCivil(time);
  return Printf("%s, %02u %s %04d %02u:%02u:%02u GMT", kDays.at(c.weekday).data(), c.day,
                kMonths.at(c.month - 1).data(), c.year, c.hour, c.minute, c.second);
}

std::optional<WallTime> ParseHttpDate(std::string_view text) {
  Scanner scan(text);
  Civil c;
  c.weekday = scan.Name(kDays);
  scan.Literal(", ");
  c.day = scan.Digits(2);
  scan.Literal(" ");
  c.month = scan.Name(kMonths) + 1;
  scan.Literal(" ");
  c.year = static_cast<int>(scan.Digits(4));
  scan.Literal(" ");
  c.hour = scan.Digits(2);
  scan.Literal(":");
  c.minute = scan.Digits(2);
  scan.Literal(":");
  c.second = scan.Digits(2);
  scan.Literal(" GMT");
  return scan.AtEnd() ? FromCivil(c) : std::nullopt;
}

std::string FormatAmzDate(WallTime time) {
  const Civil c = ToCivil(time);
  return Printf("%04d%02u%02uT%02u%02u%02uZ", c.year, c.month, c.day, c.hour, c.minute, c.second);
}

std::optional<WallTime> ParseAmzDate(std::string_view text) {
  Scanner scan(text);
  Civil c;
  c.year = static_cast<int>(scan.Digits(4));
  c.month = scan.Digits(2);
  c.day = scan.Digits(2);
  scan.Literal("T");
  c.hour = scan.Digits(2);
  c.minute = scan.Digits(2);
  c.second = scan.Digits(2);
  scan.Literal("Z");
  return scan.AtEnd() ? FromCivil(c) : std::nullopt;
}

}  // namespace keyturn
