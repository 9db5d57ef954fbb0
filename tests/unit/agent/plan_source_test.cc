// SPDX-License-Identifier: Apache-2.0
#include "agent/plan_source.h"

#include <gtest/gtest.h>

#include "tests/fakes/in_memory_file_system.h"

namespace keyturn::agent {
namespace {

constexpr char kPath[] = "/plan.json";
constexpr char kPlan[] =
    R"({"version":1,"aws":{"region":"eu-central-1"},"targets":[{"path":"/t/s","files":[{"path":"a","from":{"secret":"x"}}]}]})";

class PlanSourceTest : public ::testing::Test {
 protected:
  void Write(const std::string& text) {
    ASSERT_TRUE(fs::ReplaceFile(file_system_, kPath, text, 0644).ok());
  }

  testing::InMemoryFileSystem file_system_;
};

TEST_F(PlanSourceTest, LoadsAFile) {
  Write(kPlan);
  PlanSource source(file_system_, kPath, "");
  const Result<plan::Plan> plan = source.Load();
  ASSERT_TRUE(plan.ok()) << plan.status().message();
  EXPECT_EQ(plan->targets[0].path, "/t/s");
}

TEST_F(PlanSourceTest, AnUnchangedFileIsNoChange) {
  Write(kPlan);
  PlanSource source(file_system_, kPath, "");
  ASSERT_TRUE(source.Load().ok());
  EXPECT_FALSE(source.Poll().has_value());
  Write(kPlan);
  EXPECT_FALSE(source.Poll().has_value());
}

TEST_F(PlanSourceTest, AnInvalidChangeIsReportedOnceWithTheFileName) {
  Write(kPlan);
  PlanSource source(file_system_, kPath, "");
  ASSERT_TRUE(source.Load().ok());
  Write(R"({"version":1,"targts":[]})");
  const auto changed = source.Poll();
  ASSERT_TRUE(changed.has_value());
  ASSERT_FALSE(changed->ok());
  EXPECT_NE(changed->status().message().find(kPath), std::string::npos);
  EXPECT_FALSE(source.Poll().has_value());
}

TEST_F(PlanSourceTest, AMissingFileIsReportedOnceAndItsReturnIsSeen) {
  Write(kPlan);
  PlanSource source(file_system_, kPath, "");
  ASSERT_TRUE(source.Load().ok());
  ASSERT_TRUE(file_system_.Unlink(kPath).ok());
  ASSERT_TRUE(source.Poll().has_value());
  EXPECT_FALSE(source.Poll().has_value());
  std::string changed(kPlan);
  changed.replace(changed.find("\"a\""), 3, "\"b\"");
  Write(changed);
  const auto returned = source.Poll();
  ASSERT_TRUE(returned.has_value());
  EXPECT_TRUE(returned->ok());
}

TEST_F(PlanSourceTest, AFileThatReturnsUnchangedEndsItsError) {
  Write(kPlan);
  PlanSource source(file_system_, kPath, "");
  ASSERT_TRUE(source.Load().ok());
  ASSERT_TRUE(file_system_.Unlink(kPath).ok());
  ASSERT_TRUE(source.Poll().has_value());
  Write(kPlan);
  const auto returned = source.Poll();
  ASSERT_TRUE(returned.has_value());
  EXPECT_TRUE(returned->ok());
  EXPECT_FALSE(source.Poll().has_value());
}

TEST_F(PlanSourceTest, AnInlinePlanNeverChanges) {
  PlanSource source(file_system_, "", kPlan);
  EXPECT_TRUE(source.Load().ok());
  EXPECT_FALSE(source.Poll().has_value());
}

TEST_F(PlanSourceTest, AnOversizedFileIsRefused) {
  Write(std::string(plan::kMaxPlanBytes + 1, ' '));
  EXPECT_FALSE(PlanSource(file_system_, kPath, "").Load().ok());
}

}  // namespace
}  // namespace keyturn::agent
