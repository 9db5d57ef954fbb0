// SPDX-License-Identifier: Apache-2.0
#include "lib/json/jmespath.h"

#include <fstream>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/json/checked_parse.h"
#include "lib/json/json.h"

namespace keyturn::json {
namespace {

using testing::HasSubstr;

Json ReadData(const std::string& name) {
  std::ifstream file(std::string(KEYTURN_SOURCE_DIR "/tests/data/") + name);
  std::stringstream text;
  text << file.rdbuf();
  return CheckedParse(text.str()).value();
}

// The expected values come from the reference implementation: tests/integration/test_jmespath.py.
TEST(JmesPathTest, SelectsWhatTheReferenceImplementationSelects) {
  size_t cases = 0;
  for (const Json& group : ReadData("jmespath/supported.json")) {
    for (const Json& test : group["cases"]) {
      const auto expression = test["expression"].get<std::string>();
      const auto path = JmesPath::Compile(expression);
      ASSERT_TRUE(path.ok()) << path.status().message();
      EXPECT_EQ(path->Search(group["document"]), test["result"]) << expression;
      ++cases;
    }
  }
  EXPECT_GT(cases, 60U);
}

struct BadPath {
  const char* expression;
  const char* message;
};

const BadPath kBadPaths[] = {
    // Features outside the subset, by name.
    {"a | b", "column 3: a pipe is not supported"},
    {"a || b", "column 3: an or-expression"},
    {"a && b", "column 3: an and-expression"},
    {"!a", "column 1: a not-expression"},
    {"a == b", "column 3: a comparison"},
    {"a != b", "column 3: a comparison"},
    {"a < b", "column 3: a comparison"},
    {"a >= b", "column 3: a comparison"},
    {"*", "column 1: a wildcard"},
    {"a.*", "column 3: a wildcard"},
    {"a[*].b", "column 3: a wildcard"},
    {"a[ * ]", "column 4: a wildcard"},
    {"a[]", "column 3: a flatten operator"},
    {"a[?b]", "column 3: a filter"},
    {"a[1:2]", "column 4: a slice"},
    {"a[:2]", "column 3: a slice"},
    {"a[::]", "column 3: a slice"},
    {"[a, b]", "column 1: a multi-select list"},
    {"a.[b]", "column 3: a multi-select list"},
    {"a[b]", "column 2: a multi-select list"},
    {"a[0,1]", "column 4: a multi-select list"},
    {"a[\"b\"]", "column 2: a multi-select list"},
    {"{x: a}", "column 1: a multi-select hash"},
    {"a.{x: b}", "column 3: a multi-select hash"},
    {"length(a)", "column 7: a function"},
    {"a.keys(@)", "column 7: a function"},
    {"(a)", "column 1: a parenthesis"},
    {"&a", "column 1: an expression reference"},
    {"`1`", "column 1: a literal"},
    {"'a'", "column 1: a raw string"},
    // Mistakes.
    {"", "column 1: expected an identifier"},
    {"  ", "column 3: expected an identifier"},
    {".", "column 1: expected an identifier"},
    {".a", "column 1: expected an identifier"},
    {"a.", "column 3: expected an identifier"},
    {"a..b", "column 3: expected an identifier"},
    {"a.0", "column 3: expected an identifier"},
    {"1a", "column 1: expected an identifier"},
    {"$.a", "column 1: expected an identifier"},
    {"/a", "column 1: expected an identifier"},
    {"a-b", "column 2: expected '.', '[' or the end"},
    {"a b", "column 3: expected '.', '[' or the end"},
    {"a\"b\"", "column 2: expected '.'"},
    {"a[0]b", "column 5: expected '.'"},
    {"@a", "column 2: expected '.'"},
    {"@@", "column 2: expected '.'"},
    {"a.@", "column 3: expected an identifier"},
    {"a]", "column 2: expected '.'"},
    {"a[", "column 3: expected an index"},
    {"a[0", "column 4: expected ']'"},
    {"a[-]", "column 3: expected an index of 64 bits"},
    {"a[99999999999999999999]", "column 3: expected an index of 64 bits"},
    {"a[0.5]", "column 4: expected ']'"},
    {"a[--1]", "column 3: expected an index of 64 bits"},
    {"\"a", "column 1: the closing quote is missing"},
    {"\"a\\\"", "column 1: the closing quote is missing"},
    {"\"a\\", "column 1: the closing quote is missing"},
    {"\"\\x\"", "column 1: the quoted identifier is not a valid JSON string"},
    {"\"a\tb\"", "not a valid JSON string"},
    {"\"\\ud83d\"", "not a valid JSON string"},
    {"\xC3\xA9", "column 1: expected an identifier"},
    {"\"\xC3\xA9\".", "column 5: expected an identifier"},
    {"\"\xFF\"", "not a valid JSON string"},
};

TEST(JmesPathTest, RefusesWhatIsOutsideTheSubsetByNameAndColumn) {
  for (const BadPath& bad : kBadPaths) {
    const auto path = JmesPath::Compile(bad.expression);
    ASSERT_FALSE(path.ok()) << bad.expression;
    EXPECT_EQ(path.status().code(), StatusCode::kInvalidArgument) << bad.expression;
    EXPECT_THAT(path.status().message(), HasSubstr(bad.message)) << bad.expression;
  }
}

TEST(JmesPathTest, BoundsTheExpression) {
  EXPECT_TRUE(JmesPath::Compile(std::string(kMaxJmesPathBytes, 'a')).ok());
  EXPECT_THAT(JmesPath::Compile(std::string(kMaxJmesPathBytes + 1, 'a')).status().message(),
              HasSubstr("at most 1024"));
}

TEST(JmesPathTest, CanBeMoved) {
  auto path = JmesPath::Compile("a").value();
  auto other = JmesPath::Compile("b").value();
  other = std::move(path);
  EXPECT_EQ(other.Search(Json{{"a", 1}, {"b", 2}}), Json(1));
}

}  // namespace
}  // namespace keyturn::json
