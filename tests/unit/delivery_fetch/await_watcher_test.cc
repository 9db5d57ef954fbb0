// SPDX-License-Identifier: Apache-2.0
#include "lib/delivery/await_watcher.h"

#include <gtest/gtest.h>

#include "tests/fakes/fake_client_pool.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_logger.h"
#include "tests/fakes/fake_random.h"

namespace keyturn::delivery {
namespace {

using namespace std::chrono_literals;
using Known = std::map<FetchKey, std::string>;

FetchKey Key(const std::string& id, const std::string& identity = "default") {
  return {identity, "eu-central-1", SourceKind::kSecret, id, "AWSCURRENT", ""};
}

// Counts and waits without sleeping.
class Signal {
 public:
  void Raise() {
    MutexLock lock(mutex_);
    ++count_;
    raised_.NotifyAll();
  }

  void WaitFor(int count) {
    MutexLock lock(mutex_);
    while (count_ < count) raised_.Wait(mutex_);
  }

  int count() {
    MutexLock lock(mutex_);
    return count_;
  }

 private:
  Mutex mutex_;
  CondVar raised_;
  int count_ KEYTURN_GUARDED_BY(mutex_) = 0;
};

// Blocks every sleeper until it is stopped: what a real back-off looks like to a test.
class BlockingSleeper final : public Sleeper {
 public:
  Status SleepUntil(MonoTime until, const std::stop_token& stop) override {
    const std::stop_callback wake(stop, [this] {
      MutexLock lock(mutex_);
      changed_.NotifyAll();
    });
    MutexLock lock(mutex_);
    sleeps_.push_back(until);
    changed_.NotifyAll();
    while (!stop.stop_requested()) changed_.Wait(mutex_);
    return CancelledError("stopped");
  }

  MonoTime WaitForSleep(size_t count) {
    MutexLock lock(mutex_);
    while (sleeps_.size() < count) changed_.Wait(mutex_);
    return sleeps_[count - 1];
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::vector<MonoTime> sleeps_ KEYTURN_GUARDED_BY(mutex_);
};

class AwaitWatcherTest : public ::testing::Test {
 protected:
  AwaitWatcherTest() { secrets_.OfferAwait(true); }

  std::unique_ptr<AwaitWatcher> Make(Sleeper& sleeper) {
    return std::make_unique<AwaitWatcher>(
        AwaitWatcher::Dependencies{&clock_, &sleeper, &random_, &logger_, &metrics_},
        [this] { changes_.Raise(); });
  }

  double Count(const std::string& result) {
    return metrics_.GetCounter("keyturn_await_total", "", {{"result", result}}).value();
  }

  testing::FakeClock clock_;
  testing::FakeRandom random_;
  testing::FakeLogger logger_;
  metrics::Registry metrics_;
  std::shared_ptr<testing::FakeClientPool> pool_ = std::make_shared<testing::FakeClientPool>();
  testing::FakeSecretsManager& secrets_ = pool_->Secrets();
  BlockingSleeper blocking_;
  Signal changes_;
  plan::Refresh refresh_;
};

TEST_F(AwaitWatcherTest, ReportsAChangeAndWaitsForTheNext) {
  const std::string v1 = secrets_.Put("db", "one");
  auto watcher = Make(blocking_);
  watcher->Watch(pool_, refresh_, {{Key("db"), v1}});
  secrets_.WaitForAwaits(1);
  EXPECT_EQ(changes_.count(), 0);
  const std::string v2 = secrets_.Put("db", "two");
  changes_.WaitFor(1);
  // It backs off until the owner has taken the change up, and then waits for the next.
  blocking_.WaitForSleep(1);
  watcher->Watch(pool_, refresh_, {{Key("db"), v2}});
  secrets_.WaitForAwaits(2);
  secrets_.Put("db", "three");
  changes_.WaitFor(2);
  EXPECT_EQ(secrets_.awaits()[1].entries[0].known_version_id, v2);
}

TEST_F(AwaitWatcherTest, SendsWhatIsKnownAndTheLongestWait) {
  const std::string version = secrets_.Put("db", "one");
  auto watcher = Make(blocking_);
  watcher->Watch(pool_, refresh_, {{Key("db"), version}});
  secrets_.WaitForAwaits(1);
  const auto request = secrets_.awaits()[0];
  EXPECT_EQ(request.wait, 50s);
  ASSERT_EQ(request.entries.size(), 1U);
  EXPECT_EQ(request.entries[0], (aws::AwaitEntry{"db", "AWSCURRENT", version}));
}

TEST_F(AwaitWatcherTest, AChangeBetweenTwoAwaitsIsNotLost) {
  const std::string v1 = secrets_.Put("db", "one");
  secrets_.Put("db", "two");  // before anybody waits
  auto watcher = Make(blocking_);
  watcher->Watch(pool_, refresh_, {{Key("db"), v1}});
  changes_.WaitFor(1);
}

TEST_F(AwaitWatcherTest, AnEndpointThatDoesNotOfferIsNeverAsked) {
  secrets_.OfferAwait(false);
  secrets_.Put("db", "one");
  auto watcher = Make(blocking_);
  watcher->Watch(pool_, refresh_, {{Key("db"), "v0"}});
  EXPECT_EQ(watcher->active(), 0U);
  EXPECT_TRUE(secrets_.calls().empty());
  // It is asked once an answer of the service has announced the protocol.
  secrets_.OfferAwait(true);
  watcher->Watch(pool_, refresh_, {{Key("db"), "v1"}});
  EXPECT_EQ(watcher->active(), 1U);
}

TEST_F(AwaitWatcherTest, PushOffMeansNoThread) {
  refresh_.push = plan::Push::kOff;
  auto watcher = Make(blocking_);
  watcher->Watch(pool_, refresh_, {{Key("db"), "v1"}});
  EXPECT_EQ(watcher->active(), 0U);
}

TEST_F(AwaitWatcherTest, PinnedVersionsAndParametersAreNotAwaited) {
  auto watcher = Make(blocking_);
  watcher->Watch(pool_, refresh_,
                 {{{"default", "eu-central-1", SourceKind::kSecret, "db", "", "v1"}, "v1"},
                  {{"default", "eu-central-1", SourceKind::kParameter, "/p", "", ""}, "1"}});
  EXPECT_EQ(watcher->active(), 0U);
}

TEST_F(AwaitWatcherTest, AtMostFourEndpointsAreAwaited) {
  Known known;
  for (const char* identity : {"a", "b", "c", "d", "e", "f"}) {
    pool_->Secrets(identity).OfferAwait(true);
    pool_->Secrets(identity).Put("db", "one");
    known[Key("db", identity)] = "v1";
  }
  auto watcher = Make(blocking_);
  watcher->Watch(pool_, refresh_, known);
  EXPECT_EQ(watcher->active(), 4U);
  pool_->Secrets("d").WaitForAwaits(1);
  EXPECT_TRUE(pool_->Secrets("e").awaits().empty());
}

TEST_F(AwaitWatcherTest, AtMostAHundredSecretsAreSent) {
  Known known;
  for (int i = 0; i < 130; ++i) {
    const std::string name = "s" + std::to_string(i);
    known[Key(name)] = secrets_.Put(name, "x");
  }
  auto watcher = Make(blocking_);
  watcher->Watch(pool_, refresh_, known);
  secrets_.WaitForAwaits(1);
  EXPECT_EQ(secrets_.awaits()[0].entries.size(), aws::kMaxAwaitEntries);
}

TEST_F(AwaitWatcherTest, TheHintServiceIsAskedInsteadOfTheEndpoint) {
  refresh_.hint_url = "https://hint.example";
  auto& hint = pool_->HintService();
  const std::string v1 = hint.Put("db", "");
  auto watcher = Make(blocking_);
  watcher->Watch(pool_, refresh_, {{Key("db"), v1}});
  hint.WaitForAwaits(1);
  hint.Put("db", "");
  changes_.WaitFor(1);
  EXPECT_TRUE(secrets_.awaits().empty());
}

TEST_F(AwaitWatcherTest, AnEndpointThatRefusesTheOperationIsLeftAloneForTenMinutes) {
  for (const Status& status : {UnimplementedError("x"), InvalidArgumentError("UnknownOperation")}) {
    BlockingSleeper sleeper;
    secrets_.FailNext("AwaitSecretChange", status);
    auto watcher = Make(sleeper);
    watcher->Watch(pool_, refresh_, {{Key("db"), "v1"}});
    EXPECT_EQ(sleeper.WaitForSleep(1), clock_.MonoNow() + 10min);
    watcher->Watch(pool_, refresh_, {{Key("db"), "v2"}});
    watcher->Stop();
  }
  EXPECT_EQ(secrets_.CountOf("AwaitSecretChange"), 2U);
}

TEST_F(AwaitWatcherTest, FailuresBackOffWithJitterAndAreLoggedOnce) {
  // The fake clock's sleeper returns at once, so the thread runs through the script and then waits.
  secrets_.Put("db", "one");
  secrets_.FailNext("AwaitSecretChange", UnavailableError("connect"), 10);
  auto watcher = Make(clock_);
  watcher->Watch(pool_, refresh_, {{Key("db"), "v1"}});
  secrets_.WaitForAwaits(11);
  const auto sleeps = clock_.sleeps();
  ASSERT_EQ(sleeps.size(), 10U);
  std::chrono::milliseconds cap = 1s;
  for (const auto sleep : sleeps) {
    EXPECT_LE(sleep, cap);
    EXPECT_GE(sleep, cap / 2);
    cap = std::min<std::chrono::milliseconds>(cap * 2, 60s);
  }
  EXPECT_EQ(logger_.lines().size(), 1U);
  EXPECT_EQ(Count("error"), 10);
  EXPECT_EQ(changes_.count(), 0);
}

TEST_F(AwaitWatcherTest, AVersionThatIsNotTakenUpIsReportedOnce) {
  secrets_.Put("db", "one");
  secrets_.Put("db", "two");
  // The owner cannot publish v2: the known version stays. The server answers every await at once.
  secrets_.FailNext("AwaitSecretChange", UnavailableError("x"), 0);
  int awaits = 0;
  secrets_.SetHook([&](const testing::FakeSecretsManager::Call&) {
    if (++awaits == 5) secrets_.Stage("db", "AWSCURRENT", "v1");  // ends the loop: it blocks
  });
  auto watcher = Make(clock_);
  watcher->Watch(pool_, refresh_, {{Key("db"), "v1"}});
  secrets_.WaitForAwaits(5);
  watcher->Stop();
  EXPECT_EQ(changes_.count(), 1);
  const auto sleeps = clock_.sleeps();
  ASSERT_EQ(sleeps.size(), 4U);
  EXPECT_GT(sleeps[3], sleeps[0]) << "backs off";
}

TEST_F(AwaitWatcherTest, ADeletedSecretIsReportedOnceAndLeftAlone) {
  secrets_.Put("db", "one");
  secrets_.Put("other", "one");
  auto watcher = Make(blocking_);
  watcher->Watch(pool_, refresh_, {{Key("db"), "v1"}, {Key("other"), "v1"}});
  secrets_.WaitForAwaits(1);
  secrets_.Remove("db");
  changes_.WaitFor(1);
  secrets_.WaitForAwaits(2);
  ASSERT_EQ(secrets_.awaits()[1].entries.size(), 1U);
  EXPECT_EQ(secrets_.awaits()[1].entries[0].secret_id, "other");
  secrets_.Put("other", "two");
  changes_.WaitFor(2);
}

TEST_F(AwaitWatcherTest, WhenAllSecretsFailItSleeps) {
  auto watcher = Make(blocking_);
  watcher->Watch(pool_, refresh_, {{Key("missing"), "v1"}});
  changes_.WaitFor(1);
  EXPECT_EQ(blocking_.WaitForSleep(1), clock_.MonoNow() + 10min);
}

TEST_F(AwaitWatcherTest, NewEntriesReplaceAnAwaitInFlight) {
  secrets_.Put("db", "one");
  secrets_.Put("api", "one");
  auto watcher = Make(blocking_);
  watcher->Watch(pool_, refresh_, {{Key("db"), "v1"}});
  secrets_.WaitForAwaits(1);
  watcher->Watch(pool_, refresh_, {{Key("db"), "v1"}, {Key("api"), "v1"}});
  secrets_.WaitForAwaits(2);
  EXPECT_EQ(secrets_.awaits()[1].entries.size(), 2U);
  // The same again changes nothing.
  watcher->Watch(pool_, refresh_, {{Key("db"), "v1"}, {Key("api"), "v1"}});
  EXPECT_EQ(secrets_.CountOf("AwaitSecretChange"), 2U);
  EXPECT_EQ(Count("error"), 0);
}

TEST_F(AwaitWatcherTest, AServerThatDoesNotWaitIsNotHammered) {
  // Every await is told at once that its wait is over; the fake clock's sleeper makes the
  // back-off visible.
  secrets_.Put("db", "one");
  std::atomic<int> awaits = 0;
  secrets_.SetHook([&](const testing::FakeSecretsManager::Call&) { ++awaits; });
  auto watcher = Make(clock_);
  watcher->Watch(pool_, refresh_, {{Key("db"), "v1"}});
  for (int i = 1; i <= 3; ++i) {
    secrets_.WaitForAwaits(static_cast<size_t>(i));
    while (secrets_.CountOf("AwaitSecretChange") == static_cast<size_t>(i)) secrets_.EndWaits();
  }
  watcher->Stop();
  EXPECT_GE(clock_.sleeps().size(), 3U);
}

TEST_F(AwaitWatcherTest, StopsPromptlyWhileWaiting) {
  secrets_.Put("db", "one");
  auto watcher = Make(blocking_);
  watcher->Watch(pool_, refresh_, {{Key("db"), "v1"}});
  secrets_.WaitForAwaits(1);
  watcher->Stop();
  EXPECT_EQ(watcher->active(), 0U);
  // And starts again.
  watcher->Watch(pool_, refresh_, {{Key("db"), "v1"}});
  secrets_.WaitForAwaits(2);
}

TEST_F(AwaitWatcherTest, ANewPoolReplacesTheThreads) {
  secrets_.Put("db", "one");
  auto watcher = Make(blocking_);
  watcher->Watch(pool_, refresh_, {{Key("db"), "v1"}});
  secrets_.WaitForAwaits(1);
  auto other = std::make_shared<testing::FakeClientPool>();
  other->Secrets().OfferAwait(true);
  other->Secrets().Put("db", "one");
  watcher->Watch(other, refresh_, {{Key("db"), "v1"}});
  other->Secrets().WaitForAwaits(1);
  EXPECT_EQ(watcher->active(), 1U);
  watcher->Watch(other, refresh_, {});
  EXPECT_EQ(watcher->active(), 0U);
}

}  // namespace
}  // namespace keyturn::delivery
