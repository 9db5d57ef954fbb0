// SPDX-License-Identifier: Apache-2.0
#include "agent/state_file.h"

#include <gtest/gtest.h>

#include "agent/admin_server.h"

namespace keyturn::agent {
namespace {

AgentState Sample() {
  AgentState state;
  state.ready = true;
  state.updated = WallTime(std::chrono::seconds(1'795'428'000));
  delivery::FileStatus file;
  file.target = "/keyturn/secrets";
  file.path = "db/password";
  file.secret = "prod/db";
  file.version_id = "v1";
  file.stage = "AWSCURRENT";
  file.last_check = state.updated;
  file.error = StatusCode::kPermissionDenied;
  file.error_message = "GetSecretValue prod/db: AccessDeniedException";
  state.pipeline.files.push_back(file);
  state.pipeline.targets.push_back({"/keyturn/secrets", "..2026", true, OkStatus()});
  return state;
}

TEST(StateFileTest, RoundTripKeepsEveryField) {
  const Result<AgentState> read = ParseState(FormatState(Sample()));
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(FormatState(*read), FormatState(Sample()));
}

TEST(StateFileTest, RefusesWhatIsNoState) {
  for (const char* text : {"", "[]", "{", "1", "\"x\""})
    EXPECT_FALSE(ParseState(text).ok()) << text;
}

TEST(StateFileTest, ToleratesWrongTypesOfAnotherVersion) {
  const Result<AgentState> read =
      ParseState(R"({"ready": 1, "files": ["x", {"path": 2}], "targets": {"a": 1}})");
  ASSERT_TRUE(read.ok());
  EXPECT_FALSE(read->ready);
}

TEST(StateFileTest, ExplainNamesSecretAndCauseOnce) {
  AgentState state = Sample();
  state.pipeline.files.push_back(state.pipeline.files.front());
  const std::string text = ExplainState(state);
  EXPECT_NE(text.find("PERMISSION_DENIED"), std::string::npos);
  EXPECT_NE(text.find("prod/db"), std::string::npos);
  EXPECT_EQ(text.find('\n'), std::string::npos);
}

TEST(StateFileTest, ExplainSaysThatNothingHappenedYet) {
  EXPECT_NE(ExplainState(AgentState()).find("first fetch"), std::string::npos);
}

TEST(StateFileTest, ExplainShowsTheRefusedPlan) {
  AgentState state;
  state.ready = true;
  state.plan_error = "targets: missing";
  EXPECT_EQ(ExplainState(state), "plan not taken: targets: missing");
}

TEST(StateFileTest, StateDirectoryIsBesideTheFirstTarget) {
  plan::Plan plan;
  plan.targets.push_back({"/keyturn/secrets", false, {}});
  EXPECT_EQ(StateDirectory("", plan), "/keyturn/.keyturn");
  EXPECT_EQ(StateDirectory("/elsewhere", plan), "/elsewhere");
}

TEST(StateFileTest, PeopleSeeOneLinePerFile) {
  const std::string text = FormatStateForPeople(Sample());
  EXPECT_NE(text.find("db/password"), std::string::npos);
  EXPECT_NE(text.find("2026-11-23T10:00:00.000Z"), std::string::npos);
}

TEST(AdminServerTest, StalenessMakesUnreadyOnlyOnRequest) {
  AgentState state = Sample();
  state.stale = true;
  EXPECT_TRUE(IsReady(state, false));
  EXPECT_FALSE(IsReady(state, true));
}

}  // namespace
}  // namespace keyturn::agent
