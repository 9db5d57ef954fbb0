// SPDX-License-Identifier: Apache-2.0
#include "lib/config/units.h"

#include <limits>

#include <gtest/gtest.h>

namespace keyturn::config {
namespace {

using std::chrono::milliseconds;

TEST(ParseDurationTest, AcceptsGoForms) {
  const std::pair<const char*, int64_t> cases[] = {
      {"0", 0},
      {"0s", 0},
      {"300ms", 300},
      {"10s", 10'000},
      {"5m", 300'000},
      {"1h30m", 5'400'000},
      {"1h0m0.5s", 3'600'500},
      {"1.5h", 5'400'000},
      {"0.125s", 125},
      {"1000us", 1},
      {"2000000ns", 2},
      {"1m1h", 3'660'000},
      {"007s", 7'000},
      {"87600h", 315'360'000'000},
  };
  for (const auto& [text, expected] : cases) {
    const auto parsed = ParseDuration(text);
    ASSERT_TRUE(parsed.ok()) << text << ": " << parsed.status().ToString();
    EXPECT_EQ(parsed->count(), expected) << text;
  }
}

TEST(ParseDurationTest, RefusesMalformedText) {
  for (const std::string text :
       {"",           " ",       "5",   "00",    "1.5",      "s",       ".5s",  "5.s",
        "1..5s",      "-5s",     "+5s", "5 s",   " 5s",      "5s ",     "5S",   "5sec",
        "5min",       "5d",      "1w",  "1h30",  "h1",       "5s,",     "1e3s", "0x10s",
        "5\xC2\xB5s", "1.0005s", "1us", "999ns", "0.0001ms", "1.2345s", "5ms5"}) {
    const auto parsed = ParseDuration(text);
    EXPECT_EQ(parsed.status().code(), StatusCode::kInvalidArgument) << "'" << text << "'";
  }
  EXPECT_EQ(ParseDuration(std::string_view("5s\0", 3)).status().code(),
            StatusCode::kInvalidArgument);
}

TEST(ParseDurationTest, RefusesMoreThanTenYears) {
  for (const char* text : {"87841h", "1000000000h", "18446744073709551615s", "87840h1ms"}) {
    EXPECT_EQ(ParseDuration(text).status().code(), StatusCode::kOutOfRange) << text;
  }
  EXPECT_EQ(ParseDuration("99999999999999999999s").status().code(), StatusCode::kInvalidArgument);
}

TEST(ParseDurationTest, SaysWhatIsWrongWithoutControlCharacters) {
  EXPECT_EQ(ParseDuration("5").status().message(),
            "parsing duration '5': a number has no unit (such as 10s, 5m, 1h30m)");
  EXPECT_EQ(ParseDuration("5\n").status().message().find('\n'), std::string::npos);
}

TEST(FormatDurationTest, WritesTheShortestPartsAndParsesBack) {
  const std::pair<int64_t, const char*> cases[] = {
      {0, "0s"},      {1, "1ms"},           {1'500, "1s500ms"},
      {60'000, "1m"}, {5'400'000, "1h30m"}, {3'600'001, "1h1ms"}};
  for (const auto& [count, text] : cases) {
    EXPECT_EQ(FormatDuration(milliseconds(count)), text);
    EXPECT_EQ(ParseDuration(text)->count(), count);
  }
}

TEST(FormatDurationTest, WritesNegativeAndExtremeValues) {
  EXPECT_EQ(FormatDuration(milliseconds(-1'500)), "-1s500ms");
  EXPECT_EQ(FormatDuration(milliseconds::min()).substr(0, 14), "-2562047788015");
}

TEST(ParseBytesTest, AcceptsQuantities) {
  const std::pair<const char*, uint64_t> cases[] = {
      {"0", 0},          {"65536", 65'536},      {"64Ki", 65'536},
      {"8Mi", 8 << 20},  {"1Gi", 1ULL << 30},    {"2Ti", 2ULL << 40},
      {"500k", 500'000}, {"1M", 1'000'000},      {"1G", 1'000'000'000},
      {"1.5Ki", 1'536},  {"0.1Gi", 107'374'183}, {"18446744073709551615", UINT64_MAX},
      {"0.5", 1}};
  for (const auto& [text, expected] : cases) {
    const auto parsed = ParseBytes(text);
    ASSERT_TRUE(parsed.ok()) << text << ": " << parsed.status().ToString();
    EXPECT_EQ(*parsed, expected) << text;
  }
}

TEST(ParseBytesTest, RefusesMalformedText) {
  for (const char* text : {"", "Ki", "1K", "1ki", "1KB", "1MB", "1Kib", "-1", "+1", "1 Ki", " 1",
                           "1.", ".5Ki", "1e3", "1m", "0x10", "1.1234567Ki", "1,5", "64KiKi"}) {
    EXPECT_EQ(ParseBytes(text).status().code(), StatusCode::kInvalidArgument) << text;
  }
}

TEST(ParseBytesTest, RefusesWhatDoesNotFit) {
  for (const char* text : {"16777216Ti", "18446744073709551615k", "18446744073709551615.5"}) {
    EXPECT_EQ(ParseBytes(text).status().code(), StatusCode::kOutOfRange) << text;
  }
}

TEST(ParseFileModeTest, AcceptsThreeOctalDigitsWithOrWithoutZero) {
  EXPECT_EQ(*ParseFileMode("0440"), 0440U);
  EXPECT_EQ(*ParseFileMode("440"), 0440U);
  EXPECT_EQ(*ParseFileMode("0777"), 0777U);
  EXPECT_EQ(*ParseFileMode("000"), 0U);
}

TEST(ParseFileModeTest, RefusesEverythingElse) {
  for (const char* text : {"", "0", "44", "0o440", "448", "1777", "4755", "00440", "-440", "+440",
                           " 440", "440 ", "rw-r--r--", "0x1"}) {
    EXPECT_EQ(ParseFileMode(text).status().code(), StatusCode::kInvalidArgument) << text;
  }
}

}  // namespace
}  // namespace keyturn::config
