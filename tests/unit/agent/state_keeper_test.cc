// SPDX-License-Identifier: Apache-2.0
#include "agent/state_keeper.h"

#include <unistd.h>

#include <gtest/gtest.h>

#include "tests/fakes/fake_logger.h"
#include "tests/fakes/in_memory_file_system.h"

namespace keyturn::agent {
namespace {

constexpr char kDirectory[] = "/v/.keyturn";
constexpr char kFile[] = "/v/.keyturn/state.json";

class StateKeeperTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(file_system_.MakeDirectory("/v", 0755).ok()); }

  bool FileSaysReady() {
    const Result<SecretBytes> bytes = file_system_.ReadFile(kFile, 1 << 20);
    if (!bytes.ok()) return false;
    return ParseState(bytes->Reveal(InsecureSecretAccess::Get()))->ready;
  }

  static AgentState StateThatIs(bool ready) {
    AgentState state;
    state.ready = ready;
    return state;
  }

  testing::InMemoryFileSystem file_system_;
  testing::FakeLogger logger_;
  StateKeeper keeper_{file_system_, logger_, kDirectory};
};

TEST_F(StateKeeperTest, ClosesADirectoryOfItsOwn) {
  ASSERT_TRUE(file_system_.MakeDirectory(kDirectory, 0755).ok());
  ASSERT_TRUE(keeper_.Prepare().ok());
  EXPECT_EQ(file_system_.Stat(kDirectory)->mode, 0700u);
}

TEST_F(StateKeeperTest, RefusesWhatIsNoDirectoryOfItsOwn) {
  ASSERT_TRUE(file_system_.MakeDirectory("/elsewhere", 0700).ok());
  ASSERT_TRUE(file_system_.Symlink("/elsewhere", kDirectory).ok());
  EXPECT_EQ(keeper_.Prepare().code(), StatusCode::kFailedPrecondition);
  ASSERT_TRUE(file_system_.Unlink(kDirectory).ok());

  ASSERT_TRUE(file_system_.MakeDirectory(kDirectory, 0700).ok());
  ASSERT_TRUE(file_system_.Chown(kDirectory, ::geteuid() + 1, static_cast<gid_t>(-1)).ok());
  EXPECT_EQ(keeper_.Prepare().code(), StatusCode::kFailedPrecondition);
}

TEST_F(StateKeeperTest, LeavesTheModeOfANamedDirectoryAlone) {
  ASSERT_TRUE(file_system_.MakeDirectory("/named", 0755).ok());
  StateKeeper keeper(file_system_, logger_, "/named");
  EXPECT_TRUE(keeper.Prepare().ok());
  ASSERT_TRUE(file_system_.Chmod("/named", 0775).ok());
  EXPECT_EQ(keeper.Prepare().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(file_system_.Stat("/named")->mode, 0775u);
}

TEST_F(StateKeeperTest, NeverWritesWhereAnotherKeepsItsState) {
  keeper_.Keep(StateThatIs(true));
  StateKeeper second(file_system_, logger_, kDirectory);
  EXPECT_EQ(second.Prepare().code(), StatusCode::kUnavailable);
  second.Keep(StateThatIs(false));
  EXPECT_TRUE(FileSaysReady());
  EXPECT_FALSE(second.snapshot().Get()->ready);
}

TEST_F(StateKeeperTest, RestoresADirectoryThatWasRemoved) {
  keeper_.Keep(StateThatIs(false));
  ASSERT_TRUE(file_system_.Unlink(kFile).ok());
  ASSERT_TRUE(file_system_.RemoveDirectory(kDirectory).ok());
  keeper_.Keep(StateThatIs(true));
  EXPECT_TRUE(FileSaysReady());
}

TEST_F(StateKeeperTest, MovesBeforeThereIsAState) {
  keeper_.MoveTo("/v/other");
  keeper_.Keep(StateThatIs(true));
  EXPECT_FALSE(file_system_.Stat(kDirectory).ok());
  EXPECT_TRUE(file_system_.Stat("/v/other/state.json").ok());
}

TEST(VerifyTargetsTest, BelievesOnlyWhatIsThere) {
  testing::InMemoryFileSystem file_system;
  for (const char* path : {"/t", "/t/..gen", "/gone"})
    ASSERT_TRUE(file_system.MakeDirectory(path, 0755).ok());
  ASSERT_TRUE(file_system.Symlink("..gen", "/t/..data").ok());
  AgentState state;
  state.ready = true;
  state.pipeline.targets.push_back({"/t", "..gen", true, OkStatus()});
  VerifyTargets(file_system, state);
  EXPECT_TRUE(state.ready);
  state.pipeline.targets.push_back({"/gone", "..gen", true, OkStatus()});
  VerifyTargets(file_system, state);
  EXPECT_FALSE(state.ready);
  EXPECT_NE(ExplainState(state).find("/gone"), std::string::npos);
}

}  // namespace
}  // namespace keyturn::agent
