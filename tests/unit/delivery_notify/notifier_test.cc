// Debounce, splay, retries and metrics, with a channel that does as told.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/delivery/notify.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_logger.h"
#include "tests/fakes/fake_random.h"

namespace keyturn::delivery {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// What a FakeChannel answers and saw; outlives it.
struct ChannelState {
  Status answer;
  std::vector<std::string> delivered;
  std::vector<CallContext> contexts;
  std::function<void()> during = [] {};
};

class FakeChannel final : public NotifyChannel {
 public:
  FakeChannel(std::string kind, ChannelState& state) : kind_(std::move(kind)), state_(state) {}

  std::string kind() const override { return kind_; }

  Status Deliver(const std::string& change_id, const CallContext& context) override {
    state_.delivered.push_back(change_id);
    state_.contexts.push_back(context);
    state_.during();
    return state_.answer;
  }

 private:
  const std::string kind_;
  ChannelState& state_;
};

class NotifierTest : public ::testing::Test {
 protected:
  void Start(NotifyOptions options = {}) {
    std::vector<std::unique_ptr<NotifyChannel>> channels;
    channels.push_back(std::make_unique<FakeChannel>("first", first_));
    channels.push_back(std::make_unique<FakeChannel>("second", second_));
    notifier_ = std::make_unique<Notifier>(std::move(channels), clock_, random_, logger_, metrics_,
                                           options);
  }

  // From now to the next due time; a day when there is none.
  milliseconds Wait() const {
    const auto due = notifier_->NextDue();
    if (!due) return std::chrono::hours(24);
    return std::chrono::duration_cast<milliseconds>(*due - clock_.MonoNow());
  }

  // Lets the time until the next due instant pass, then runs.
  milliseconds Step() {
    const milliseconds wait = Wait();
    clock_.Advance(wait);
    notifier_->Run({});
    return wait;
  }

  double Count(const std::string& kind, const std::string& result) {
    return metrics_.GetCounter("keyturn_notify_total", "", {{"kind", kind}, {"result", result}})
        .value();
  }

  keyturn::testing::FakeClock clock_;
  keyturn::testing::FakeRandom random_;
  keyturn::testing::FakeLogger logger_;
  metrics::Registry metrics_;
  ChannelState first_;
  ChannelState second_;
  std::unique_ptr<Notifier> notifier_;
};

TEST_F(NotifierTest, DoesNothingWithoutAChange) {
  Start();
  EXPECT_EQ(notifier_->NextDue(), std::nullopt);
  notifier_->Run({});
  EXPECT_THAT(first_.delivered, IsEmpty());
}

TEST_F(NotifierTest, WithoutChannelsNothingIsEverDue) {
  Notifier notifier({}, clock_, random_, logger_, metrics_, {});
  notifier.Changed("a");
  EXPECT_EQ(notifier.NextDue(), std::nullopt);
  notifier.Run({});
}

TEST_F(NotifierTest, TellsEveryChannelOnceAfterTheDebounce) {
  Start();
  notifier_->Changed("a");
  clock_.Advance(milliseconds(999));
  notifier_->Run({});
  EXPECT_THAT(first_.delivered, IsEmpty());
  EXPECT_EQ(Step(), milliseconds(1));
  EXPECT_THAT(first_.delivered, ElementsAre("a"));
  EXPECT_THAT(second_.delivered, ElementsAre("a"));
  EXPECT_EQ(notifier_->NextDue(), std::nullopt);
  notifier_->Run({});
  EXPECT_THAT(first_.delivered, ElementsAre("a"));
}

TEST_F(NotifierTest, MakesOneNotificationOfChangesWithinTheDebounce) {
  Start();
  for (const char* change : {"a", "b", "c"}) {
    notifier_->Changed(change);
    clock_.Advance(milliseconds(700));
    notifier_->Run({});
  }
  EXPECT_EQ(Step(), milliseconds(300));
  EXPECT_THAT(first_.delivered, ElementsAre("c"));
}

TEST_F(NotifierTest, CannotBePutOffForEver) {
  Start();
  const MonoTime start = clock_.MonoNow();
  while (first_.delivered.empty() && clock_.MonoNow() < start + seconds(60)) {
    notifier_->Changed("x");
    clock_.Advance(milliseconds(500));
    notifier_->Run({});
  }
  EXPECT_EQ(clock_.MonoNow() - start, seconds(10));
}

TEST_F(NotifierTest, AddsOneRandomSplayPerNotification) {
  Start({.splay = seconds(30)});
  keyturn::testing::FakeRandom same;
  const auto splay = [&same] {
    return milliseconds(static_cast<int64_t>(30'000 * same.NextDouble()));
  };
  for (int i = 0; i < 3; ++i) {
    const milliseconds expected = splay();
    notifier_->Changed("a");
    notifier_->Changed("b");
    EXPECT_EQ(Step(), seconds(1) + expected);
    EXPECT_THAT(first_.delivered.back(), "b");
  }
}

TEST_F(NotifierTest, RetriesWithDoublingBackOffAndThenGivesUp) {
  Start({.attempts = 4});
  first_.answer = UnavailableError("refused");
  notifier_->Changed("a");
  std::vector<milliseconds> waits;
  while (notifier_->NextDue()) waits.push_back(Step());
  EXPECT_THAT(waits, ElementsAre(seconds(1), seconds(1), seconds(2), seconds(4)));
  EXPECT_THAT(first_.delivered, ElementsAre("a", "a", "a", "a"));
  EXPECT_THAT(second_.delivered, ElementsAre("a"));
  EXPECT_EQ(Count("first", "retry"), 3);
  EXPECT_EQ(Count("first", "failure"), 1);
  EXPECT_EQ(Count("first", "success"), 0);
  EXPECT_EQ(Count("second", "success"), 1);
  EXPECT_TRUE(logger_.Contains("giving up until the next change kind=first change=a attempts=4"));
}

TEST_F(NotifierTest, StopsRetryingOnceAnAttemptSucceeds) {
  Start();
  first_.answer = UnavailableError("refused");
  notifier_->Changed("a");
  Step();
  first_.answer = OkStatus();
  Step();
  EXPECT_EQ(notifier_->NextDue(), std::nullopt);
  EXPECT_EQ(Count("first", "retry"), 1);
  EXPECT_EQ(Count("first", "success"), 1);
  EXPECT_EQ(Count("first", "failure"), 0);
}

TEST_F(NotifierTest, StartsAnewForAChangeThatComesDuringRetries) {
  Start();
  first_.answer = UnavailableError("refused");
  notifier_->Changed("a");
  Step();
  Step();  // two of three attempts are used up
  notifier_->Changed("b");
  EXPECT_EQ(Wait(), seconds(1));
  while (notifier_->NextDue()) Step();
  EXPECT_THAT(first_.delivered, ElementsAre("a", "a", "b", "b", "b"));
  EXPECT_THAT(second_.delivered, ElementsAre("a", "b"));
}

TEST_F(NotifierTest, NotifiesOfTheNextChangeAfterGivingUp) {
  Start({.attempts = 1});
  first_.answer = UnavailableError("refused");
  notifier_->Changed("a");
  Step();
  EXPECT_EQ(notifier_->NextDue(), std::nullopt);
  first_.answer = OkStatus();
  notifier_->Changed("b");
  Step();
  EXPECT_THAT(first_.delivered, ElementsAre("a", "b"));
}

TEST_F(NotifierTest, LimitsEachAttemptToItsTimeoutAndTheCallersDeadline) {
  Start();
  notifier_->Changed("a");
  clock_.Advance(seconds(1));
  const MonoTime start = clock_.MonoNow();
  first_.during = [this] { clock_.Advance(seconds(10)); };
  notifier_->Run({start + seconds(15), {}});
  EXPECT_EQ(first_.contexts.at(0).deadline, start + seconds(10));
  EXPECT_EQ(second_.contexts.at(0).deadline, start + seconds(15));
}

TEST_F(NotifierTest, KeepsForLaterWhatARunHasNoTimeFor) {
  Start();
  notifier_->Changed("a");
  clock_.Advance(seconds(1));
  first_.during = [this] { clock_.Advance(seconds(10)); };
  notifier_->Run({clock_.MonoNow() + seconds(5), {}});
  EXPECT_THAT(second_.delivered, IsEmpty());
  ASSERT_TRUE(notifier_->NextDue().has_value());
  notifier_->Run({});
  EXPECT_THAT(first_.delivered, ElementsAre("a"));
  EXPECT_THAT(second_.delivered, ElementsAre("a"));
}

TEST_F(NotifierTest, DoesNotCountAnAttemptThatAStopRequestEnded) {
  Start();
  std::stop_source stop;
  first_.answer = CancelledError("stopped");
  first_.during = [&stop] { stop.request_stop(); };
  notifier_->Changed("a");
  clock_.Advance(seconds(1));
  notifier_->Run({MonoTime::max(), stop.get_token()});
  EXPECT_THAT(second_.delivered, IsEmpty());
  EXPECT_EQ(Count("first", "retry") + Count("first", "failure"), 0);
}

TEST_F(NotifierTest, ExposesEverySeriesFromTheStartAndTheTimeOfSuccess) {
  Start();
  EXPECT_THAT(metrics_.Expose(),
              HasSubstr("keyturn_notify_total{kind=\"first\",result=\"failure\"} 0"));
  notifier_->Changed("a");
  Step();
  EXPECT_EQ(
      metrics_.GetGauge("keyturn_notify_last_success_timestamp_seconds", "", {{"kind", "first"}})
          .value(),
      keyturn::testing::FakeClock::kStart.count() + 1);
}

}  // namespace
}  // namespace keyturn::delivery
