// Refresh windows, failures, back-off and single flight.
// SPDX-License-Identifier: Apache-2.0
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/aws_credentials/credentials_rig.h"

namespace keyturn::aws {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::FunctionProvider;
using ::testing::HasSubstr;
using testing::MakeCredentials;
using testing::Rig;
using testing::SharedCredentials;

// A caching provider over a source that gives credentials of `life` and the id "K<call>", unless
// `failure` is set.
struct Cache {
  explicit Cache(std::optional<milliseconds> life_in, uint64_t seed = 1)
      : life(life_in), rng(seed) {
    ProviderRuntime runtime = rig.runtime();
    runtime.random = &rng;
    source = std::make_shared<FunctionProvider>([this](const CallContext&) { return Answer(); });
    provider = CreateCachingProvider(runtime, source);
  }

  Result<SharedCredentials> Answer() const {
    if (!failure.ok()) return failure;
    std::optional<WallTime> expiration;
    if (life) expiration = rig.clock.WallNow() + *life;
    return MakeCredentials("K" + std::to_string(source->calls), expiration);
  }

  // The id that a call delivers, or the failure.
  std::string Id() {
    const auto credentials = provider->GetCredentials({});
    return credentials.ok() ? (*credentials)->access_key_id : credentials.status().ToString();
  }

  Rig rig;
  std::optional<milliseconds> life;
  keyturn::testing::FakeRandom rng;
  Status failure;
  std::shared_ptr<FunctionProvider> source;
  std::unique_ptr<CredentialsProvider> provider;
};

TEST(CachingProviderTest, KeepsCredentialsWithoutExpiryForEver) {
  Cache cache(std::nullopt);
  EXPECT_EQ(cache.Id(), "K1");
  cache.rig.clock.Advance(hours(24 * 365));
  EXPECT_EQ(cache.Id(), "K1");
}

TEST(CachingProviderTest, RefreshesWithinTheJitteredAdvisoryWindow) {
  const std::pair<milliseconds, milliseconds> cases[] = {// life, un-jittered window
                                                         {hours(1), minutes(15)},
                                                         {hours(12), minutes(15)},
                                                         {minutes(15), seconds(225)},
                                                         {seconds(8), seconds(2)}};
  for (const auto& [life, window] : cases) {
    for (const uint64_t seed : {1U, 2U, 3U}) {
      Cache cache(life, seed);
      const double jitter = keyturn::testing::FakeRandom(seed).NextDouble();
      const auto expected = milliseconds(
          static_cast<int64_t>(static_cast<double>(window.count()) * (1 - 0.1 * jitter)));
      ASSERT_EQ(cache.Id(), "K1");
      cache.rig.clock.Advance(life - expected - milliseconds(1));
      EXPECT_EQ(cache.Id(), "K1") << life.count() << " ms, seed " << seed;
      cache.rig.clock.Advance(milliseconds(1));
      EXPECT_EQ(cache.Id(), "K2") << life.count() << " ms, seed " << seed;
    }
  }
}

TEST(CachingProviderTest, NeverRefreshesBeforeTheWindow) {
  Cache cache(hours(1));
  for (int minute = 0; minute < 45; ++minute) {
    EXPECT_EQ(cache.Id(), "K1") << minute;
    cache.rig.clock.Advance(minutes(1));
  }
}

TEST(CachingProviderTest, ToleratesFailuresUntilTheCredentialsExpire) {
  Cache cache(hours(1));
  ASSERT_EQ(cache.Id(), "K1");
  cache.failure = UnavailableError("sts is down");
  for (const int minute : {46, 52, 59}) {
    cache.rig.clock.Advance(minutes(minute) -
                            (cache.rig.clock.MonoNow().time_since_epoch() - hours(1)));
    EXPECT_EQ(cache.Id(), "K1") << minute;
  }
  cache.rig.clock.Advance(minutes(1));
  EXPECT_EQ(cache.Id(), "UNAVAILABLE: sts is down");
  EXPECT_TRUE(cache.rig.logger.Contains("credential refresh failed"));
  EXPECT_TRUE(cache.rig.logger.Contains("expires=2026-11-23T11:00:00.000Z"));
  cache.failure = OkStatus();
  EXPECT_THAT(cache.Id(), HasSubstr("K"));
}

TEST(CachingProviderTest, BacksOffAfterAFailedRefresh) {
  Cache cache(hours(1));
  ASSERT_EQ(cache.Id(), "K1");
  cache.rig.clock.Advance(minutes(46));
  cache.failure = UnavailableError("sts is down");
  std::vector<milliseconds> gaps;
  auto last = cache.rig.clock.MonoNow();
  while (gaps.size() < 7) {
    const int before = cache.source->calls;
    ASSERT_EQ(cache.Id(), "K1");
    if (cache.source->calls != before) {
      const auto now = cache.rig.clock.MonoNow();
      gaps.push_back(std::chrono::duration_cast<milliseconds>(now - last));
      last = now;
    }
    cache.rig.clock.Advance(milliseconds(100));
  }
  // 5, 10, 20, 40, 60, 60 s, each cut by at most half; the first entry is the first attempt.
  const int upper[] = {0, 5'000, 10'000, 20'000, 40'000, 60'000, 60'000};
  for (size_t i = 1; i < gaps.size(); ++i) {
    EXPECT_LE(gaps[i].count(), upper[i] + 100) << i;
    EXPECT_GE(gaps[i].count(), upper[i] / 2) << i;
  }
}

TEST(CachingProviderTest, AsksAtOnceWhenTheCredentialsExpireDuringBackOff) {
  Cache cache(seconds(40));
  ASSERT_EQ(cache.Id(), "K1");
  cache.failure = UnavailableError("sts is down");
  cache.rig.clock.Advance(seconds(39));
  EXPECT_EQ(cache.Id(), "K1");
  cache.failure = OkStatus();
  EXPECT_EQ(cache.Id(), "K1");  // backing off
  cache.rig.clock.Advance(seconds(1));
  EXPECT_EQ(cache.Id(), "K3");
}

TEST(CachingProviderTest, RecoversFromBackOffWithFullWindows) {
  Cache cache(hours(1));
  ASSERT_EQ(cache.Id(), "K1");
  cache.rig.clock.Advance(minutes(46));
  cache.failure = UnavailableError("sts is down");
  ASSERT_EQ(cache.Id(), "K1");
  cache.failure = OkStatus();
  cache.rig.clock.Advance(seconds(5));
  EXPECT_EQ(cache.Id(), "K3");
  cache.rig.clock.Advance(minutes(44));
  EXPECT_EQ(cache.Id(), "K3");
}

TEST(CachingProviderTest, ReturnsTheFailureWhenThereWereNoCredentialsYet) {
  Cache cache(hours(1));
  cache.failure = NotFoundError("nothing configured");
  EXPECT_EQ(cache.Id(), "NOT_FOUND: nothing configured");
  cache.failure = OkStatus();
  EXPECT_EQ(cache.Id(), "K2");
}

TEST(CachingProviderTest, RefusesCredentialsThatCameExpired) {
  Cache cache(milliseconds(0));
  EXPECT_THAT(cache.Id(), HasSubstr("UNAVAILABLE: fake source: answered credentials that expired "
                                    "at 2026-11-23T10:00:00.000Z"));
}

TEST(CachingProviderTest, FetchesAnewAfterInvalidateAndTellsTheSource) {
  Cache cache(hours(1));
  ASSERT_EQ(cache.Id(), "K1");
  cache.provider->Invalidate();
  EXPECT_EQ(cache.source->invalidations, 1);
  EXPECT_EQ(cache.Id(), "K2");
}

TEST(CachingProviderTest, SeesExpiryWhenTheWallClockJumps) {
  Cache cache(hours(1));
  ASSERT_EQ(cache.Id(), "K1");
  cache.rig.clock.JumpWall(hours(2));
  EXPECT_EQ(cache.Id(), "K2");
}

// A source whose call the test holds until it says so.
struct HeldSource {
  explicit HeldSource(Rig& rig_in) : rig(rig_in) {
    source = std::make_shared<FunctionProvider>([this](const CallContext& context) {
      MutexLock lock(mutex);
      ++entered;
      changed.NotifyAll();
      while (!released) changed.Wait(mutex);
      if (context.stop.stop_requested()) return Result<SharedCredentials>(CancelledError("stop"));
      return answer;
    });
    provider = CreateCachingProvider(rig.runtime(), source);
  }

  void WaitUntilEntered(int count) {
    MutexLock lock(mutex);
    while (entered < count) changed.Wait(mutex);
  }

  void Set(bool release, Result<SharedCredentials> value) {
    MutexLock lock(mutex);
    released = release;
    answer = std::move(value);
    changed.NotifyAll();
  }

  Rig& rig;
  Mutex mutex;
  CondVar changed;
  int entered = 0;
  bool released = false;
  Result<SharedCredentials> answer = UnknownError("not set");
  std::shared_ptr<FunctionProvider> source;
  std::unique_ptr<CredentialsProvider> provider;
};

TEST(CachingProviderTest, MakesOneCallForManyConcurrentCallers) {
  Rig rig;
  HeldSource held(rig);
  std::atomic<int> good{0};
  std::vector<std::jthread> callers;
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&] {
      const auto credentials = held.provider->GetCredentials({});
      if (credentials.ok() && (*credentials)->access_key_id == "SHARED") ++good;
    });
  }
  held.WaitUntilEntered(1);
  held.Set(true, MakeCredentials("SHARED"));
  callers.clear();
  EXPECT_EQ(good, 8);
  EXPECT_EQ(held.source->calls, 1);
}

TEST(CachingProviderTest, ServesTheOldCredentialsDuringAnAdvisoryRefresh) {
  Rig rig;
  HeldSource held(rig);
  held.Set(true, MakeCredentials("OLD", rig.clock.WallNow() + hours(1)));
  ASSERT_TRUE(held.provider->GetCredentials({}).ok());
  rig.clock.Advance(minutes(47));
  held.Set(false, MakeCredentials("NEW", rig.clock.WallNow() + hours(1)));
  std::jthread leader(
      [&held] { EXPECT_EQ((*held.provider->GetCredentials({}))->access_key_id, "NEW"); });
  held.WaitUntilEntered(2);
  EXPECT_EQ((*held.provider->GetCredentials({}))->access_key_id, "OLD");  // would hang otherwise
  held.Set(true, MakeCredentials("NEW", rig.clock.WallNow() + hours(1)));
  leader.join();
  EXPECT_EQ(held.source->calls, 2);
}

TEST(CachingProviderTest, MakesAllCallersWaitInTheMandatoryWindow) {
  Rig rig;
  HeldSource held(rig);
  held.Set(true, MakeCredentials("OLD", rig.clock.WallNow() + hours(1)));
  ASSERT_TRUE(held.provider->GetCredentials({}).ok());
  rig.clock.Advance(minutes(52));
  held.Set(false, UnknownError("unset"));
  std::atomic<int> good{0};
  std::vector<std::jthread> callers;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&] {
      if ((*held.provider->GetCredentials({}))->access_key_id == "NEW") ++good;
    });
  }
  held.WaitUntilEntered(2);
  held.Set(true, MakeCredentials("NEW", rig.clock.WallNow() + hours(1)));
  callers.clear();
  EXPECT_EQ(good, 4);
  EXPECT_EQ(held.source->calls, 2);
}

TEST(CachingProviderTest, WaitersGetTheOldCredentialsWhenAMandatoryRefreshFails) {
  Rig rig;
  HeldSource held(rig);
  held.Set(true, MakeCredentials("OLD", rig.clock.WallNow() + hours(1)));
  ASSERT_TRUE(held.provider->GetCredentials({}).ok());
  rig.clock.Advance(minutes(52));
  held.Set(false, UnknownError("unset"));
  std::atomic<int> good{0};
  std::vector<std::jthread> callers;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&] {
      if ((*held.provider->GetCredentials({}))->access_key_id == "OLD") ++good;
    });
  }
  held.WaitUntilEntered(2);
  held.Set(true, UnavailableError("sts is down"));
  callers.clear();
  EXPECT_EQ(good, 4);
  EXPECT_EQ(held.source->calls, 2);
}

TEST(CachingProviderTest, AWaiterLeavesAtItsOwnStopRequestOrDeadline) {
  Rig rig;
  HeldSource held(rig);
  std::jthread leader([&held] { EXPECT_TRUE(held.provider->GetCredentials({}).ok()); });
  held.WaitUntilEntered(1);
  const CallContext late{rig.clock.MonoNow(), {}};
  EXPECT_EQ(held.provider->GetCredentials(late).status().code(), StatusCode::kDeadlineExceeded);
  std::stop_source stop;
  std::jthread waiter([&] {
    const CallContext context{MonoTime::max(), stop.get_token()};
    EXPECT_EQ(held.provider->GetCredentials(context).status().code(), StatusCode::kCancelled);
  });
  stop.request_stop();
  waiter.join();
  held.Set(true, MakeCredentials("A"));
}

TEST(CachingProviderTest, WaitersDoNotInheritTheLeadersStopRequest) {
  Rig rig;
  HeldSource held(rig);
  std::stop_source stop;
  std::jthread leader([&] {
    const CallContext context{MonoTime::max(), stop.get_token()};
    EXPECT_EQ(held.provider->GetCredentials(context).status().code(), StatusCode::kCancelled);
  });
  held.WaitUntilEntered(1);
  std::jthread waiter([&] { EXPECT_TRUE(held.provider->GetCredentials({}).ok()); });
  stop.request_stop();
  held.Set(true, MakeCredentials("A"));
  leader.join();
  waiter.join();
  EXPECT_EQ(held.source->calls, 2);
}

}  // namespace
}  // namespace keyturn::aws
