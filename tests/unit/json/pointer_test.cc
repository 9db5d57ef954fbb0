// SPDX-License-Identifier: Apache-2.0
#include "lib/json/pointer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/json/checked_parse.h"
#include "lib/json/json.h"

namespace keyturn::json {
namespace {

using testing::HasSubstr;
using testing::Not;

// The document of RFC 6901 §5.
constexpr std::string_view kRfcDocument = R"({"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2,
  "e^f": 3, "g|h": 4, "i\\j": 5, "k\"l": 6, " ": 7, "m~n": 8})";

TEST(PointerTest, ResolvesTheExamplesOfTheSpecification) {
  const Json document = *CheckedParse(kRfcDocument);

  struct {
    const char* pointer;
    const char* value;
  } const kCases[] = {
      {"/foo", R"(["bar","baz"])"},
      {"/foo/0", "\"bar\""},
      {"/", "0"},
      {"/a~1b", "1"},
      {"/c%d", "2"},
      {"/e^f", "3"},
      {"/g|h", "4"},
      {"/i\\j", "5"},
      {"/k\"l", "6"},
      {"/ ", "7"},
      {"/m~0n", "8"},
  };

  EXPECT_EQ(*ResolvePointer(document, ""), &document);
  for (const auto& [pointer, value] : kCases) {
    const auto found = ResolvePointer(document, pointer);
    ASSERT_TRUE(found.ok()) << pointer << ": " << found.status().message();
    EXPECT_EQ(Dump(**found), value) << pointer;
  }
}

TEST(PointerTest, UnescapesTildeOneOnce) {
  const Json document = *CheckedParse(R"({"~1": 1, "/": 2})");
  EXPECT_EQ(**ResolvePointer(document, "/~01"), Json(1));
  EXPECT_EQ(**ResolvePointer(document, "/~1"), Json(2));
}

TEST(PointerTest, SaysWhatIsMissingAndWhere) {
  const Json document = *CheckedParse(R"({"a": {"x": 1}, "list": [1, 2], "text": "hunter2"})");

  struct {
    const char* pointer;
    const char* message;
  } const kCases[] = {
      {"/b", "no key 'b' at the top level"},
      {"/a/b", "no key 'b' at /a"},
      {"/a/b/c", "no key 'b' at /a"},
      {"/", "no key '' at the top level"},
      {"/list/2", "no element '2' at /list"},
      {"/list/-", "no element '-' at /list"},
      {"/list/00", "no element '00' at /list"},
      {"/list/01", "no element '01' at /list"},
      {"/list/-1", "no element '-1' at /list"},
      {"/list/x", "no element 'x' at /list"},
      {"/list/", "no element '' at /list"},
      {"/list/99999999999999999999999", "no element"},
      {"/text/0", "neither an object nor an array"},
  };

  for (const auto& [pointer, message] : kCases) {
    const auto found = ResolvePointer(document, pointer);
    ASSERT_FALSE(found.ok()) << pointer;
    EXPECT_EQ(found.status().code(), StatusCode::kNotFound) << pointer;
    EXPECT_THAT(found.status().message(), HasSubstr(message)) << pointer;
    EXPECT_THAT(found.status().message(), Not(HasSubstr("hunter2"))) << pointer;
  }
}

TEST(PointerTest, RefusesMalformedPointers) {
  const Json document = Json::object();
  for (const char* pointer : {"a", "a/b", " /a", "#/a", "/~", "/~2", "/a~", "/~~", "/a/~x"}) {
    EXPECT_EQ(ValidatePointer(pointer).code(), StatusCode::kInvalidArgument) << pointer;
    EXPECT_EQ(ResolvePointer(document, pointer).status().code(), StatusCode::kInvalidArgument)
        << pointer;
  }
}

TEST(PointerTest, AcceptsWellFormedPointers) {
  for (const char* pointer : {"", "/", "//", "/~0~1", "/a/b"}) {
    EXPECT_TRUE(ValidatePointer(pointer).ok()) << pointer;
  }
}

}  // namespace
}  // namespace keyturn::json
