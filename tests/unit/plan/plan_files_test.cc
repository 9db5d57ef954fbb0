// The Plans of tests/data/plans: the same files are checked against docs/plan.schema.json by
// tests/integration/test_plan_schema.py, so that schema and parser agree.
// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "lib/plan/plan.h"

namespace keyturn::plan {
namespace {

std::map<std::string, std::string> ReadFolder(const std::string& folder) {
  std::map<std::string, std::string> texts;
  const std::string root = std::string(KEYTURN_SOURCE_DIR "/tests/data/") + folder;
  for (const auto& entry : std::filesystem::directory_iterator(root)) {
    if (entry.path().extension() != ".json") continue;
    std::ifstream file(entry.path());
    std::stringstream text;
    text << file.rdbuf();
    texts[entry.path().filename()] = text.str();
  }
  return texts;
}

TEST(PlanFilesTest, AcceptsTheValidOnesAndWritesThemBackEqual) {
  const auto plans = ReadFolder("plans");
  EXPECT_GE(plans.size(), 4U);
  for (const auto& [name, text] : plans) {
    const auto plan = ParsePlan(text);
    ASSERT_TRUE(plan.ok()) << name << ": " << plan.status().message();
    const std::string written = FormatPlan(*plan);
    const auto again = ParsePlan(written);
    ASSERT_TRUE(again.ok()) << name << ": " << again.status().message();
    EXPECT_EQ(*again, *plan) << name;
    EXPECT_EQ(FormatPlan(*again), written) << name;
  }
}

TEST(PlanFilesTest, RefusesTheInvalidOnes) {
  const auto plans = ReadFolder("plans/invalid");
  EXPECT_GE(plans.size(), 70U);
  for (const auto& [name, text] : plans) {
    const auto plan = ParsePlan(text);
    EXPECT_FALSE(plan.ok()) << name;
    EXPECT_EQ(plan.status().code(), StatusCode::kInvalidArgument) << name;
  }
}

}  // namespace
}  // namespace keyturn::plan
