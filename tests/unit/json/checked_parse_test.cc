// SPDX-License-Identifier: Apache-2.0
#include "lib/json/checked_parse.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/json/json.h"

namespace keyturn::json {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kCanary = "hunter2-canary";

std::string Repeat(std::string_view text, size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += text;
  return out;
}

TEST(CheckedParseTest, KeepsEveryKindOfValue) {
  for (const std::string_view text :
       {"null", "true", "false", "0", "-1", "18446744073709551615", "-9223372036854775808", "1.5",
        "\"\"", "\"\\u0000\"", "[]", "{}", "[[],{}]", R"({"":{"a":[1,"x",null]},"b":true})"}) {
    const auto value = CheckedParse(text);
    ASSERT_TRUE(value.ok()) << text << ": " << value.status().message();
    EXPECT_EQ(Dump(*value), text);
  }
}

TEST(CheckedParseTest, AgreesWithTheLibraryOnNesting) {
  const std::string text = R"([{"a":[{"b":1},[2,[3]],{}],"c":{"d":{"e":[]}}},4,[{"f":"g"}]])";
  EXPECT_EQ(*CheckedParse(text), Json::parse(text));
}

TEST(CheckedParseTest, DecodesEscapesAndSkipsAByteOrderMark) {
  EXPECT_EQ(*CheckedParse("\xEF\xBB\xBF\"\\ud83d\\ude00\\u00e9\""),
            Json("\xF0\x9F\x98\x80\xC3\xA9"));
}

struct BadDocument {
  const char* name;
  std::string text;
  const char* message;
};

const BadDocument kBadDocuments[] = {
    {"empty", "", "line 1, column 1: expected '[', '{', or a literal"},
    {"blank", " \n ", "line 2, column 1: "},
    {"unclosed object", R"({"a":1)", "line 1, column 6: expected '}'"},
    {"unclosed array", "[1", "expected ']'"},
    {"key without quotes", "{a:1}", "line 1, column 2: "},
    {"single quotes", "{'a':1}", "line 1, column 2: "},
    {"no colon", "{\"a\" 1}", "line 1, column 7: expected ':'"},
    {"trailing comma in an object", "{\"a\":1,}", "line 1, column 8: expected string literal"},
    {"trailing comma in an array", "[1,]", "line 1, column 4: "},
    {"trailing bytes", "{} x", "line 1, column 4: "},
    {"two documents", "{}\n{}", "line 2, column 1: expected end of input"},
    {"comment", "// x\n1", "line 1, column 1: "},
    {"leading zero", "01", "line 1, column 2: expected end of input"},
    {"plus sign", "+1", "line 1, column 1: "},
    {"hexadecimal", "0x1F", "line 1, column 2: "},
    {"NaN", "NaN", "line 1, column 1: "},
    {"infinite number", "1e999", "number out of range"},
    {"control character", "\"a\nb\"", "line 1, column 3: "},
    {"unknown escape", R"("\x41")", "line 1, column 3: "},
    {"lone high surrogate", R"("\ud800")", "line 1, column 8: "},
    {"lone low surrogate", R"("\udc00")", "line 1, column 7: "},
    {"NUL after the document", std::string("{}\0garbage", 10), "line 1, column 3: NUL byte"},
    {"NUL in a string", std::string("\"\0\"", 3), "line 1, column 2: NUL byte"},
    {"duplicate key", "{\"a\":1,\n \"a\":2}", "line 2, column 4: duplicate key"},
    {"duplicate key by escape", R"({"a":1,"\u0061":2})", "duplicate key"},
    {"nested duplicate key", R"([{"b":{"a":1,"a":1}}])", "duplicate key"},
    {"lone continuation byte", "\"\x80\"", "line 1, column 2: malformed UTF-8"},
    {"overlong form", "\"\xC0\xAF\"", "malformed UTF-8"},
    {"surrogate in UTF-8", "\"\xED\xA0\x80\"", "malformed UTF-8"},
    {"beyond Unicode", "\"\xF5\x80\x80\x80\"", "malformed UTF-8"},
    {"truncated sequence", "\"\xC3\xA9\n\xE2\x82", "line 2, column 1: malformed UTF-8"},
    {"UTF-16", std::string("\xFF\xFE{\0}\0", 6), "malformed UTF-8"},
};

TEST(CheckedParseTest, NamesPositionAndKindOfEveryMistake) {
  for (const BadDocument& bad : kBadDocuments) {
    const auto value = CheckedParse(bad.text);
    ASSERT_FALSE(value.ok()) << bad.name;
    EXPECT_EQ(value.status().code(), StatusCode::kInvalidArgument) << bad.name;
    EXPECT_THAT(value.status().message(), HasSubstr(bad.message)) << bad.name;
  }
}

TEST(CheckedParseTest, NeverQuotesTheInput) {
  const std::string canary(kCanary);
  for (const std::string& text :
       {"\"" + canary, "\"" + canary + "\" x", "{\"" + canary + "\":1,\"" + canary + "\":2}",
        "{\"password\":" + canary + "}", canary, "\"" + canary + "\\q\"", "\"" + canary + "\n\"",
        "[\"; expected " + canary, "\"; expected " + canary, "\"" + canary + "\xFF\"",
        "{\"a\":\"" + canary + "\"", "[\"" + canary + "\" \"b\"]"}) {
    const auto value = CheckedParse(text);
    ASSERT_FALSE(value.ok());
    EXPECT_THAT(value.status().message(), Not(HasSubstr("hunter2")));
  }
}

TEST(CheckedParseTest, CountsColumnsInCharacters) {
  EXPECT_THAT(CheckedParse("[\"\xC3\xA9\xC3\xA9\", x]").status().message(),
              HasSubstr("line 1, column 8: "));
}

TEST(CheckedParseTest, RefusesWhatIsLargerThanTheLimit) {
  ParseLimits limits;
  limits.max_bytes = 4;
  EXPECT_TRUE(CheckedParse("1234", limits).ok());
  EXPECT_THAT(CheckedParse("12345", limits).status().message(),
              HasSubstr("5 bytes: at most 4 are allowed"));
}

TEST(CheckedParseTest, RefusesWhatIsNestedDeeperThanTheLimit) {
  ParseLimits limits;
  limits.max_depth = 2;
  EXPECT_TRUE(CheckedParse(R"({"a":[1]})", limits).ok());
  EXPECT_THAT(CheckedParse(R"({"a":[[]]})", limits).status().message(),
              HasSubstr("line 1, column 7: nested deeper than 2"));
  limits.max_depth = 0;
  EXPECT_TRUE(CheckedParse("1", limits).ok());
  EXPECT_FALSE(CheckedParse("[]", limits).ok());
}

TEST(CheckedParseTest, SurvivesHostileNesting) {
  EXPECT_FALSE(CheckedParse(Repeat("[", 200000)).ok());
  EXPECT_FALSE(CheckedParse(Repeat("{\"a\":", 200000)).ok());
  ParseLimits unlimited;
  unlimited.max_depth = 1000000;
  EXPECT_TRUE(CheckedParse(Repeat("[", 200000) + Repeat("]", 200000), unlimited).ok());
}

TEST(DumpTest, ReplacesMalformedUtf8) {
  EXPECT_EQ(Dump(Json("a\xFF")), "\"a\xEF\xBF\xBD\"");
}

}  // namespace
}  // namespace keyturn::json
