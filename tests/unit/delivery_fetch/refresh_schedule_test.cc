// SPDX-License-Identifier: Apache-2.0
#include "lib/delivery/refresh_schedule.h"

#include <gtest/gtest.h>

#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_random.h"

namespace keyturn::delivery {
namespace {

using namespace std::chrono_literals;
using Action = RefreshSchedule::Action;

FetchKey Secret(const std::string& id, const std::string& stage = "AWSCURRENT") {
  return {"default", "eu-central-1", SourceKind::kSecret, id, stage, ""};
}

class RefreshScheduleTest : public ::testing::Test {
 protected:
  RefreshScheduleTest() { schedule_.Track({key_}); }

  void FullPass(bool succeeded = true) {
    schedule_.FullPassStarted();
    schedule_.PassEnded(succeeded);
  }

  std::chrono::milliseconds UntilDue() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(schedule_.NextDue() -
                                                                 clock_.MonoNow());
  }

  // The service announces the next rotation.
  void Announce(std::chrono::milliseconds from_now, std::chrono::hours window) {
    aws::SecretDescription description;
    description.rotation_enabled = true;
    description.next_rotation = clock_.WallNow() + from_now;
    description.rotation_window = window;
    schedule_.Described(key_, description);
  }

  // Lets the schedule run for `span`; the number of probes it asked for. Every due full pass is
  // made and succeeds.
  int ProbesDuring(std::chrono::milliseconds span) {
    int probes = 0;
    const MonoTime end = clock_.MonoNow() + span;
    while (schedule_.NextDue() < end) {
      clock_.Advance(std::max<MonoTime::duration>(schedule_.NextDue() - clock_.MonoNow(), 0ns));
      if (schedule_.Due() == Action::kFullPass) {
        FullPass();
        continue;
      }
      for (const FetchKey& key : schedule_.ProbesDue()) {
        schedule_.Probed(key);
        ++probes;
      }
    }
    clock_.Advance(std::max<MonoTime::duration>(end - clock_.MonoNow(), 0ns));
    return probes;
  }

  const FetchKey key_ = Secret("db");
  testing::FakeClock clock_;
  testing::FakeRandom random_{7};
  RefreshSchedule schedule_{clock_, random_, {10min, 1s, 60s}};
};

TEST_F(RefreshScheduleTest, AFullPassIsDueAtOnce) {
  EXPECT_EQ(schedule_.Due(), Action::kFullPass);
}

TEST_F(RefreshScheduleTest, TheIntervalIsAnUpperBound) {
  bool differs = false;
  std::chrono::milliseconds last{0};
  for (int i = 0; i < 1000; ++i) {
    FullPass();
    const auto wait = UntilDue();
    EXPECT_LE(wait, 10min);
    EXPECT_GE(wait, 9min);
    differs = differs || (i > 0 && wait != last);
    last = wait;
    clock_.Advance(wait);
    EXPECT_EQ(schedule_.Due(), Action::kFullPass);
  }
  EXPECT_TRUE(differs) << "no jitter: a fleet would poll in step";
}

TEST_F(RefreshScheduleTest, TheIntervalCountsFromThePassesStart) {
  schedule_.FullPassStarted();
  clock_.Advance(30s);
  schedule_.PassEnded(true);
  EXPECT_LE(UntilDue(), 10min - 30s);
}

TEST_F(RefreshScheduleTest, TheIntervalIsAnUpperBoundWhileRetriesFailToo) {
  MonoTime last_full = clock_.MonoNow();
  FullPass(false);
  for (int i = 0; i < 500; ++i) {
    const auto wait = UntilDue();
    EXPECT_LE(wait, 60s);
    EXPECT_GE(wait, 0s);
    clock_.Advance(wait);
    if (schedule_.Due() == Action::kFullPass) {
      EXPECT_LE(clock_.MonoNow() - last_full, 10min);
      last_full = clock_.MonoNow();
      FullPass(false);
    } else {
      ASSERT_EQ(schedule_.Due(), Action::kRetry);
      schedule_.PassEnded(false);
    }
  }
}

TEST_F(RefreshScheduleTest, RetriesBackOffWithFullJitterUpToTheMaximum) {
  std::chrono::milliseconds cap = 1s;
  FullPass(false);
  bool small = false;
  for (int i = 0; i < 200; ++i) {
    EXPECT_LE(UntilDue(), cap);
    EXPECT_GE(UntilDue(), 100ms);
    small = small || UntilDue() < cap / 4;
    clock_.Advance(UntilDue());
    if (schedule_.Due() == Action::kFullPass) break;
    schedule_.PassEnded(false);
    cap = std::min<std::chrono::milliseconds>(cap * 2, 60s);
  }
  EXPECT_EQ(cap, 60s);
  EXPECT_TRUE(small);
}

TEST_F(RefreshScheduleTest, ASuccessResetsTheBackOff) {
  for (int i = 0; i < 10; ++i) FullPass(false);
  FullPass(true);
  EXPECT_GE(UntilDue(), 9min);
  FullPass(false);
  EXPECT_LE(UntilDue(), 1s);
}

TEST_F(RefreshScheduleTest, AnIntervalBelowTheBackOffWins) {
  RefreshSchedule quick(clock_, random_, {2s, 1s, 60s});
  quick.FullPassStarted();
  for (int i = 0; i < 10; ++i) {
    quick.PassEnded(false);
    EXPECT_LE(quick.NextDue(), clock_.MonoNow() + 2s);
  }
}

TEST_F(RefreshScheduleTest, RestartMakesAPassDueAtANewInterval) {
  FullPass();
  EXPECT_EQ(schedule_.Due(), Action::kNothing);
  schedule_.Restart(20s);
  EXPECT_EQ(schedule_.Due(), Action::kFullPass);
  FullPass();
  EXPECT_LE(UntilDue(), 20s);
}

TEST_F(RefreshScheduleTest, ARotationWindowIsProbedWithinTheBudget) {
  FullPass();
  Announce(3h, std::chrono::hours(2));
  EXPECT_EQ(ProbesDuring(1h - 1s), 0) << "before the window";
  const int probes = ProbesDuring(2h + 1s);
  EXPECT_GT(probes, 5);
  EXPECT_LE(probes, kMaxProbesPerWindow);
  EXPECT_EQ(ProbesDuring(24h), 0) << "after the date";
}

TEST_F(RefreshScheduleTest, ProbesAreSpreadOverTheWindow) {
  FullPass();
  Announce(1h, std::chrono::hours(1));
  const int first_half = ProbesDuring(30min);
  const int second_half = ProbesDuring(30min);
  EXPECT_GT(first_half, 3);
  EXPECT_GT(second_half, 3);
}

TEST_F(RefreshScheduleTest, AKnownScheduleNeverLengthensTheWait) {
  FullPass();
  const auto wait = UntilDue();
  Announce(1h, std::chrono::hours(1));
  EXPECT_LE(UntilDue(), wait);
  Announce(240h, std::chrono::hours(1));
  EXPECT_LE(UntilDue(), wait);
}

TEST_F(RefreshScheduleTest, PastDatesCauseNoProbes) {
  FullPass();
  Announce(-1h, std::chrono::hours(24));
  EXPECT_EQ(ProbesDuring(24h), 0);
}

TEST_F(RefreshScheduleTest, ADateWithoutDurationHasAWindowOfOneHour) {
  FullPass();
  Announce(2h, std::chrono::hours(0));
  EXPECT_EQ(ProbesDuring(59min), 0);
  EXPECT_GT(ProbesDuring(1h), 0);
}

TEST_F(RefreshScheduleTest, AWindowThatTheIntervalCoversIsNotProbed) {
  RefreshSchedule quick(clock_, random_, {15s, 1s, 60s});
  quick.Track({key_});
  quick.FullPassStarted();
  quick.PassEnded(true);
  aws::SecretDescription description;
  description.rotation_enabled = true;
  description.next_rotation = clock_.WallNow() + 1h;
  description.rotation_window = std::chrono::hours(1);
  quick.Described(key_, description);
  EXPECT_TRUE(quick.ProbesDue().empty());
  EXPECT_GE(quick.NextDue(), clock_.MonoNow() + 13s);
}

TEST_F(RefreshScheduleTest, AskingTheSameDateAgainDoesNotRenewTheBudget) {
  FullPass();
  const auto date = clock_.WallNow() + 1h;
  int probes = 0;
  for (int i = 0; i < 6; ++i) {
    aws::SecretDescription description;
    description.rotation_enabled = true;
    description.next_rotation = date;
    description.rotation_window = std::chrono::hours(1);
    schedule_.Described(key_, description);
    probes += ProbesDuring(10min);
  }
  EXPECT_LE(probes, kMaxProbesPerWindow);
}

TEST_F(RefreshScheduleTest, AJumpOfTheWallClockCorrectsItself) {
  FullPass();
  Announce(24h, std::chrono::hours(1));
  EXPECT_TRUE(schedule_.ProbesDue().empty());
  clock_.JumpWall(23h + 30min);
  clock_.Advance(4min);
  EXPECT_FALSE(schedule_.ProbesDue().empty());
  clock_.JumpWall(24h);
  EXPECT_TRUE(schedule_.ProbesDue().empty());
}

TEST_F(RefreshScheduleTest, TheScheduleIsAskedAtFirstAndAfterAChange) {
  EXPECT_EQ(schedule_.DescribesDue().size(), 1U);
  Announce(240h, std::chrono::hours(1));
  EXPECT_TRUE(schedule_.DescribesDue().empty());
  clock_.Advance(100h);
  EXPECT_TRUE(schedule_.DescribesDue().empty());
  schedule_.Changed(key_);
  EXPECT_EQ(schedule_.DescribesDue().size(), 1U);
}

TEST_F(RefreshScheduleTest, TheScheduleIsAskedAgainOnceTheDateHasPassed) {
  Announce(2h, std::chrono::hours(1));
  clock_.Advance(2h - 1s);
  EXPECT_TRUE(schedule_.DescribesDue().empty());
  clock_.Advance(2s);
  EXPECT_EQ(schedule_.DescribesDue().size(), 1U);
  // A rotation that hangs keeps its old date: not asked at every pass.
  Announce(-2s, std::chrono::hours(1));
  clock_.Advance(59min);
  EXPECT_TRUE(schedule_.DescribesDue().empty());
  clock_.Advance(2min);
  EXPECT_EQ(schedule_.DescribesDue().size(), 1U);
}

TEST_F(RefreshScheduleTest, TheScheduleIsNotAskedMoreOftenThanTheInterval) {
  for (int i = 0; i < 10; ++i) {
    schedule_.Changed(key_);
    if (i == 0) Announce(240h, std::chrono::hours(1));
    schedule_.Changed(key_);
    EXPECT_TRUE(schedule_.DescribesDue().empty());
    clock_.Advance(50s);
  }
  clock_.Advance(2min);
  EXPECT_EQ(schedule_.DescribesDue().size(), 1U);
}

TEST_F(RefreshScheduleTest, ADeniedDescribeIsNotRepeatedForAnHour) {
  schedule_.Described(key_, PermissionDeniedError("AccessDenied"));
  clock_.Advance(59min);
  schedule_.Changed(key_);
  EXPECT_TRUE(schedule_.DescribesDue().empty());
  clock_.Advance(2min);
  EXPECT_EQ(schedule_.DescribesDue().size(), 1U);
}

TEST_F(RefreshScheduleTest, AFailedDescribeIsRepeatedAfterAnInterval) {
  schedule_.Described(key_, UnavailableError("down"));
  EXPECT_TRUE(schedule_.DescribesDue().empty());
  clock_.Advance(11min);
  EXPECT_EQ(schedule_.DescribesDue().size(), 1U);
}

TEST_F(RefreshScheduleTest, ASecretWithoutRotationIsPolledPlainly) {
  FullPass();
  schedule_.Described(key_, aws::SecretDescription{});
  EXPECT_EQ(ProbesDuring(24h), 0);
  EXPECT_TRUE(schedule_.DescribesDue().empty());
}

TEST_F(RefreshScheduleTest, OneSecretIsTrackedOnceAndPinnedVersionsNever) {
  schedule_.Track({Secret("db"),
                   Secret("db", "AWSPREVIOUS"),
                   {"default", "eu-central-1", SourceKind::kSecret, "pin", "", "v1"},
                   {"default", "eu-central-1", SourceKind::kParameter, "/p", "", ""}});
  EXPECT_EQ(schedule_.DescribesDue(), std::vector<FetchKey>{Secret("db")});
  schedule_.Track({});
  EXPECT_TRUE(schedule_.DescribesDue().empty());
  schedule_.Probed(Secret("db"));  // what is not tracked is ignored
  schedule_.Changed(Secret("db"));
  schedule_.Described(Secret("db"), aws::SecretDescription{});
}

}  // namespace
}  // namespace keyturn::delivery
