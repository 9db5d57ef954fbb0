// Tests of the text helpers.
// SPDX-License-Identifier: Apache-2.0
#include "lib/base/strings.h"

#include <cstdint>
#include <string>

#include <gtest/gtest.h>

namespace keyturn {
namespace {

using Views = std::vector<std::string_view>;

TEST(StringsTest, StrCatJoinsTextNumbersAndCharacters) {
  EXPECT_EQ(StrCat("a", std::string("b"), std::string_view("c"), 'd', 5, -6L, uint64_t{7}),
            "abcd5-67");
  EXPECT_EQ(StrCat(), "");
  EXPECT_EQ(StrCat(UINT64_MAX, " ", INT64_MIN), "18446744073709551615 -9223372036854775808");
}

TEST(StringsTest, TrimsOnlyTheEnds) {
  EXPECT_EQ(TrimWhitespace(" \t\r\na b\n "), "a b");
  EXPECT_EQ(TrimWhitespace(" \n"), "");
  EXPECT_EQ(TrimWhitespace(""), "");
  EXPECT_EQ(TrimWhitespace("\va\v"), "\va\v");
}

TEST(StringsTest, SplitKeepsEmptyFields) {
  EXPECT_EQ(Split("a,,b", ','), (Views{"a", "", "b"}));
  EXPECT_EQ(Split("", ','), (Views{""}));
  EXPECT_EQ(Split(",", ','), (Views{"", ""}));
  EXPECT_EQ(Join({"a", "", "b"}, ", "), "a, , b");
  EXPECT_EQ(Join({}, ","), "");
}

TEST(StringsTest, CaseIsAsciiOnly) {
  EXPECT_EQ(ToLowerAscii("AbZ[@\xC3\x84"), "abz[@\xC3\x84");
  EXPECT_TRUE(EqualsIgnoreCaseAscii("Content-LENGTH", "content-length"));
  EXPECT_FALSE(EqualsIgnoreCaseAscii("\xC3\x84", "\xC3\xA4"));
  EXPECT_FALSE(EqualsIgnoreCaseAscii("ab", "abc"));
  EXPECT_FALSE(EqualsIgnoreCaseAscii("[", "{"));
}

TEST(StringsTest, ParsesUnsignedNumbersStrictly) {
  EXPECT_EQ(ParseUnsigned<uint16_t>("65535"), 65535);
  EXPECT_EQ(ParseUnsigned<uint64_t>("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(ParseUnsigned<unsigned>("007"), 7U);
  for (const char* text : {"", "-1", "+1", " 1", "1 ", "1a", "0x1", "65536", "1.0", "1e3"}) {
    EXPECT_EQ(ParseUnsigned<uint16_t>(text), std::nullopt) << text;
  }
  EXPECT_EQ(ParseUnsigned<uint16_t>(std::string_view("1\0", 2)), std::nullopt);
}

TEST(StringsTest, AcceptsWellFormedUtf8) {
  const std::string_view cases[] = {
      "",
      "plain",
      std::string_view("\0", 1),
      "\x7F",
      "\xC2\x80",          // U+0080, the smallest of two bytes
      "\xDF\xBF",          // U+07FF
      "\xE0\xA0\x80",      // U+0800
      "\xED\x9F\xBF",      // U+D7FF, before the surrogates
      "\xEE\x80\x80",      // U+E000, behind them
      "\xEF\xBF\xBF",      // U+FFFF
      "\xF0\x90\x80\x80",  // U+10000
      "\xF4\x8F\xBF\xBF",  // U+10FFFF, the last
      "a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80z",
  };
  for (const std::string_view text : cases) EXPECT_TRUE(IsValidUtf8(text)) << text;
}

TEST(StringsTest, RefusesMalformedUtf8) {
  const std::string_view cases[] = {
      "\x80",              // continuation alone
      "\xBF",              //
      "\xC2",              // cut short
      "\xE2\x82",          //
      "\xF0\x9F\x98",      //
      "\xC2\x41",          // no continuation
      "\xE2\x41\xAC",      //
      "\xC0\x80",          // overlong NUL
      "\xC1\xBF",          // overlong
      "\xE0\x9F\xBF",      //
      "\xF0\x8F\xBF\xBF",  //
      "\xED\xA0\x80",      // U+D800
      "\xED\xBF\xBF",      // U+DFFF
      "\xF4\x90\x80\x80",  // U+110000
      "\xF5\x80\x80\x80",  //
      "\xF8\x88\x80\x80\x80",
      "\xFE",
      "\xFF",
      "good\xFF",
  };
  for (const std::string_view text : cases) EXPECT_FALSE(IsValidUtf8(text)) << text;
}

TEST(StringsTest, QuotedTextIsOneShortLineOfValidUtf8) {
  const struct {
    std::string text;
    std::string quoted;
  } cases[] = {
      {"plain", "plain"},
      {"a\nb\x1B[1m\x7F", "a?b?[1m?"},
      {std::string("a\0b", 3), "a?b"},
      {"gr\xC3\xBCn", "gr\xC3\xBCn"},
      {"bad\xFF\xC3", "bad??"},
      {"12345678", "12345678"},
      {"123456789", "12345678…"},
      {"1234567\xC3\xBC", "1234567…"},  // never half a character
      {"123456\xC3\xBC", "123456\xC3\xBC"},
  };

  for (const auto& c : cases) {
    EXPECT_EQ(QuoteForMessage(c.text, 8), c.quoted);
    EXPECT_TRUE(IsValidUtf8(QuoteForMessage(c.text, 8)));
  }
}

TEST(StringsTest, SuggestsTheNearestSpellingOnlyForTypos) {
  const Views names = {"inject", "secrets", "refresh-interval", "mode"};

  const struct {
    std::string text;
    std::string_view suggestion;
  } cases[] = {
      {"injct", "inject"},
      {"INJECT", "inject"},
      {"secret", "secrets"},
      {"refreshInterval", "refresh-interval"},
      {"mdoe", ""},
      {"mod", "mode"},
      {"", ""},
      {"completely-different", ""},
      {"xyz", ""},
      {std::string(10'000, 'a'), ""},
  };

  for (const auto& c : cases) EXPECT_EQ(NearestSpelling(c.text, names), c.suggestion) << c.text;
  EXPECT_EQ(NearestSpelling("x", {}), "");
}

}  // namespace
}  // namespace keyturn
