// SPDX-License-Identifier: Apache-2.0
#include "lib/json/yaml.h"

#include <fstream>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "lib/json/checked_parse.h"
#include "lib/json/json.h"

namespace keyturn::json {
namespace {

Json RoundTripCases() {
  std::ifstream file(KEYTURN_SOURCE_DIR "/tests/data/yaml/round_trip.json");
  std::stringstream text;
  text << file.rdbuf();
  return CheckedParse(text.str()).value();
}

// That YAML 1.1 readers get the values back: tests/integration/test_yaml.py, on the same file.
TEST(ToYamlTest, WritesTheTextThatReadersGetTheValueBackFrom) {
  const Json cases = RoundTripCases();
  EXPECT_GT(cases.size(), 300U);
  for (const Json& test : cases) {
    EXPECT_EQ(ToYaml(test["value"]), test["yaml"].get<std::string>()) << Dump(test["value"]);
  }
}

TEST(ToYamlTest, WritesBlocks) {
  const Json value = *CheckedParse(R"({"db": {"user": "app", "port": 5432, "hosts": ["a", "b"]},
      "rows": [{"id": 1, "tags": []}, [true]], "enabled": "yes", "motd": "a\nb", "": {}})");
  EXPECT_EQ(ToYaml(value), R"("": {}
db:
  hosts:
    - a
    - b
  port: 5432
  user: app
enabled: "yes"
motd: "a\nb"
rows:
  - id: 1
    tags: []
  - - true
)");
}

TEST(ToYamlTest, ReplacesMalformedUtf8) {
  EXPECT_EQ(ToYaml(Json("a\xFF")), "\"a\xEF\xBF\xBD\"\n");
  EXPECT_EQ(ToYaml(Json("\xC2")), "\"\xEF\xBF\xBD\"\n");
}

}  // namespace
}  // namespace keyturn::json
