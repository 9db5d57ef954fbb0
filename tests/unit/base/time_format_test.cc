// Tests of the text forms of instants.
// SPDX-License-Identifier: Apache-2.0
#include "lib/base/time_format.h"

#include <random>

#include <gtest/gtest.h>

namespace keyturn {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

WallTime At(int64_t second, int millisecond = 0) {
  return WallTime(seconds(second)) + milliseconds(millisecond);
}

TEST(TimeFormatTest, WritesKnownInstants) {
  EXPECT_EQ(FormatRfc3339(At(0)), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(FormatRfc3339(At(1795428000, 123)), "2026-11-23T10:00:00.123Z");
  EXPECT_EQ(FormatRfc3339(At(-1, 500)), "1969-12-31T23:59:59.500Z");
  EXPECT_EQ(FormatHttpDate(At(784111777, 999)), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(FormatAmzDate(At(1795428000)), "20261123T100000Z");
  EXPECT_EQ(FormatAmzDate(At(951782400)), "20000229T000000Z");
}

TEST(TimeFormatTest, EveryFormReadsBackWhatItWrote) {
  constexpr uint32_t kSeed = 42;
  SCOPED_TRACE(kSeed);
  std::mt19937_64 random(kSeed);
  for (int i = 0; i < 2000; ++i) {
    const auto second = static_cast<int64_t>(random() % 9'000'000'000ULL);  // up to 2255
    const WallTime time = At(second, static_cast<int>(random() % 1000));
    EXPECT_EQ(ParseRfc3339(FormatRfc3339(time)), time);
    EXPECT_EQ(ParseHttpDate(FormatHttpDate(time)), At(second));
    EXPECT_EQ(ParseAmzDate(FormatAmzDate(time)), At(second));
  }
}

TEST(TimeFormatTest, ReadsEveryRfc3339Form) {
  const struct {
    const char* text;
    WallTime time;
  } cases[] = {
      {"2026-11-23T10:00:00Z", At(1795428000)},
      {"2026-11-23t10:00:00z", At(1795428000)},
      {"2026-11-23T10:00:00.1Z", At(1795428000, 100)},
      {"2026-11-23T10:00:00.123456789Z", At(1795428000, 123)},
      {"2026-11-23T12:00:00+02:00", At(1795428000)},
      {"2026-11-22T22:30:00-11:30", At(1795428000)},
      {"2026-11-23T10:00:00-00:00", At(1795428000)},
      {"2024-02-29T00:00:00Z", At(1709164800)},
      {"2016-12-31T23:59:60Z", At(1483228800)},
      {"1678-01-01T00:00:00Z", At(-9214560000)},
      {"2261-12-31T23:59:59Z", At(9214646399)},
  };

  for (const auto& c : cases) EXPECT_EQ(ParseRfc3339(c.text), c.time) << c.text;
}

TEST(TimeFormatTest, RefusesMalformedRfc3339) {
  for (const char* text :
       {"", "2026", "2026-11-23", "2026-11-23T10:00:00", "2026-11-23 10:00:00Z",
        "2026-11-23T10:00:00ZZ", "2026-11-23T10:00:00Z ", " 2026-11-23T10:00:00Z",
        "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-02-29T00:00:00Z",
        "2026-11-31T00:00:00Z", "2026-11-00T00:00:00Z", "2026-11-23T24:00:00Z",
        "2026-11-23T10:60:00Z", "2026-11-23T10:00:61Z", "2026-11-23T10:00:00.Z",
        "2026-11-23T10:00:00,5Z", "2026-11-23T10:00:00+24:00", "2026-11-23T10:00:00+01:60",
        "2026-11-23T10:00:00+0100", "2026-11-23T10:00:00+01", "2026-11-23T10:00:00+",
        "26-11-23T10:00:00Z", "+026-11-23T10:00:00Z", "-026-11-23T10:00:00Z", "2026-1-23T10:00:00Z",
        "2026-11-23T1:00:00Z", "2026/11/23T10:00:00Z",
        // Beyond what WallTime can hold.
        "0000-01-01T00:00:00Z", "1677-12-31T23:59:59Z", "2262-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z", "1678-01-01T00:00:00+23:59", "2261-12-31T23:59:59-23:59"}) {
    EXPECT_EQ(ParseRfc3339(text), std::nullopt) << text;
  }
}

TEST(TimeFormatTest, RefusesMalformedHttpDates) {
  for (const char* text : {"", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC",
                           "Sun, 06 Nov 1994 08:49:37 GMT ", "Sun 06 Nov 1994 08:49:37 GMT",
                           "sun, 06 nov 1994 08:49:37 gmt", "Sun, 6 Nov 1994 08:49:37 GMT",
                           "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Foo 1994 08:49:37 GMT",
                           "Sun, 06 Nov 9994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                           "Sun Nov  6 08:49:37 1994", "Sun, 06 Nov 1994 25:49:37 GMT"}) {
    EXPECT_EQ(ParseHttpDate(text), std::nullopt) << text;
  }
}

TEST(TimeFormatTest, RefusesMalformedAmzDates) {
  for (const char* text :
       {"", "20261123", "20261123T100000", "20261123T1000Z", "2026-11-23T10:00:00Z",
        "20261123t100000z", "20261323T100000Z", "20260230T100000Z", "20261123T240000Z",
        "20261123T100000Z0", "x0261123T100000Z", "00000101T000000Z", "99991231T235959Z"}) {
    EXPECT_EQ(ParseAmzDate(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace keyturn
