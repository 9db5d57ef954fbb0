// The n-th system call fails, stops the writer or kills it, for all n.
// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <ostream>

#include <gtest/gtest.h>

#include "lib/base/strings.h"
#include "lib/base/unique_fd.h"
#include "tests/fakes/fault_injecting_file_system.h"
#include "tests/unit/delivery_publish/support.h"

extern char** environ;

namespace keyturn::delivery {
namespace {

using testing::Fault;
using testing::Payload;
using testing::Scenario;

struct Injection {
  const char* name;
  Fault fault;
  int error_number;
};

// For the names of the tests; the default would print addresses.
void PrintTo(const Injection& injection, std::ostream* out) {
  *out << injection.name;
}

constexpr std::array<Injection, 5> kInjections = {{{"EIO", Fault::kFailOnce, EIO},
                                                   {"ENOSPC", Fault::kFailOnce, ENOSPC},
                                                   {"EDQUOT", Fault::kFailOnce, EDQUOT},
                                                   {"EACCES", Fault::kFailOnce, EACCES},
                                                   {"Dead", Fault::kDead, EIO}}};

// More calls than any scenario makes: the sweep must end because nothing fired any more.
constexpr int kMostCalls = 1000;

// Files with equal paths and contents in both.
Payload Common(const Payload& a, const Payload& b) {
  Payload common;
  for (const testing::FileSpec& x : a) {
    for (const testing::FileSpec& y : b) {
      if (x.path == y.path && x.content == y.content) common.push_back(x);
    }
  }
  return common;
}

// What must hold whenever a publication was interrupted: `before` is published completely, or
// `after` is; and what both contain can be read by its visible name.
std::string DiffInterrupted(const std::string& target, const Scenario& scenario) {
  if (testing::DiffGeneration(target, scenario.after).empty()) {
    if (!scenario.before) return {};  // the first links may still be missing
    return testing::DiffVisible(target, Common(*scenario.before, scenario.after));
  }
  if (scenario.before) {
    return testing::DiffGeneration(target, *scenario.before) +
           testing::DiffVisible(target, *scenario.before);
  }
  const bool none = testing::LinkTextOf(target + "/..data")[0] == '<';
  return none ? "" : "an incomplete generation is published\n";
}

// A fresh process repairs everything.
std::string Repair(const std::string& target, const Scenario& scenario) {
  const Result<PublishResult> repaired = testing::PublishOnce(target, scenario.after, 99);
  if (!repaired.ok()) return repaired.status().ToString();
  return testing::DiffVolume(target, scenario.after);
}

class FaultSweepTest : public ::testing::TestWithParam<std::tuple<size_t, Injection>> {
 protected:
  FaultSweepTest() : real_(fs::CreatePosixFileSystem()), faulty_(*real_) {}

  // Everything for one n. False when the call was not reached.
  bool RunOnce(const Scenario& scenario, const Injection& injection, int n) {
    const testing::TmpfsDirectory directory;
    const std::string& target = directory.path();
    if (scenario.before) {
      EXPECT_TRUE(testing::PublishOnce(target, *scenario.before, 5).ok());
    }
    testing::Publisher publisher(faulty_, 7);
    faulty_.Arm(injection.fault, n, injection.error_number);
    Result<std::unique_ptr<AtomicWriter>> writer = publisher.Create(target);
    if (writer.ok()) {
      const Status status = (*writer)->Publish(testing::Render(scenario.after)).status();
      if (status.ok()) {
        EXPECT_EQ(testing::DiffGeneration(target, scenario.after), "");
        EXPECT_EQ(testing::DiffVisible(target, scenario.after), "");
      }
    }
    const bool fired = faulty_.fired();
    faulty_.Disarm();
    EXPECT_EQ(DiffInterrupted(target, scenario), "");
    if (writer.ok() && injection.fault == Fault::kFailOnce) {
      EXPECT_TRUE((*writer)->Publish(testing::Render(scenario.after)).ok());
      EXPECT_EQ(testing::DiffVolume(target, scenario.after), "") << "same writer";
      EXPECT_TRUE((*writer)->HasCompleteGeneration());
    }
    if (writer.ok()) writer->reset();
    EXPECT_EQ(Repair(target, scenario), "");
    return fired;
  }

  std::unique_ptr<fs::FileSystem> real_;
  testing::FaultInjectingFileSystem faulty_;
};

TEST_P(FaultSweepTest, KeepsAGoodGenerationAndRepairs) {
  const Scenario& scenario = testing::Scenarios()[std::get<0>(GetParam())];
  const Injection& injection = std::get<1>(GetParam());
  int n = 1;
  while (n < kMostCalls && RunOnce(scenario, injection, n) && !HasFailure()) ++n;
  EXPECT_FALSE(HasFailure()) << "at call " << n;
  EXPECT_GT(n, 10);
  EXPECT_LT(n, kMostCalls);
}

INSTANTIATE_TEST_SUITE_P(All, FaultSweepTest,
                         ::testing::Combine(::testing::Range<size_t>(0, 10),
                                            ::testing::ValuesIn(kInjections)),
                         [](const auto& test) {
                           const size_t scenario = std::get<0>(test.param);
                           return StrCat(testing::Scenarios()[scenario].name,
                                         std::get<1>(test.param).name);
                         });

// publish_victim, over a pair of pipes.
class Victim {
 public:
  Victim() {
    std::array<int, 2> in{};
    std::array<int, 2> out{};
    EXPECT_EQ(::pipe2(in.data(), O_CLOEXEC), 0);
    EXPECT_EQ(::pipe2(out.data(), O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    ::posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    std::string program = KEYTURN_PUBLISH_VICTIM;
    std::array<char*, 2> arguments = {program.data(), nullptr};
    EXPECT_EQ(::posix_spawn(&pid_, program.c_str(), &actions, nullptr, arguments.data(), environ),
              0);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(in[0]);
    ::close(out[1]);
    to_.reset(::fdopen(in[1], "w"));
    from_.reset(::fdopen(out[0], "r"));
  }

  ~Victim() {
    to_.reset();
    ::waitpid(pid_, nullptr, 0);
  }

  Victim(const Victim&) = delete;
  Victim& operator=(const Victim&) = delete;

  // "killed", "done" or something unexpected.
  std::string Publish(size_t scenario, int n, const std::string& target) {
    std::fprintf(to_.get(), "%zu %d %s\n", scenario, n, target.c_str());
    std::fflush(to_.get());
    std::array<char, 128> line{};
    if (std::fgets(line.data(), line.size(), from_.get()) == nullptr) return "no answer";
    return std::string(TrimWhitespace(line.data()));
  }

 private:
  struct Closer {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  pid_t pid_ = -1;
  std::unique_ptr<std::FILE, Closer> to_;
  std::unique_ptr<std::FILE, Closer> from_;
};

class KillSweepTest : public ::testing::TestWithParam<size_t> {};

TEST_P(KillSweepTest, KeepsAGoodGenerationAndRepairs) {
  const Scenario& scenario = testing::Scenarios()[GetParam()];
  Victim victim;
  std::string answer = "killed";
  int n = 0;
  while (answer == "killed" && n < kMostCalls && !HasFailure()) {
    ++n;
    const testing::TmpfsDirectory directory;
    if (scenario.before) {
      ASSERT_TRUE(testing::PublishOnce(directory.path(), *scenario.before, 5).ok());
    }
    answer = victim.Publish(GetParam(), n, directory.path());
    EXPECT_EQ(DiffInterrupted(directory.path(), scenario), "") << "at call " << n;
    EXPECT_EQ(Repair(directory.path(), scenario), "") << "at call " << n;
  }
  EXPECT_EQ(answer, "done");
  EXPECT_GT(n, 10);
}

INSTANTIATE_TEST_SUITE_P(All, KillSweepTest, ::testing::Range<size_t>(0, 10), [](const auto& test) {
  return std::string(testing::Scenarios()[test.param].name);
});

TEST(CrashSweepTest, CoversEveryScenario) {
  EXPECT_EQ(testing::Scenarios().size(), 10U);
}

}  // namespace
}  // namespace keyturn::delivery
