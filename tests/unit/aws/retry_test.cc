// SPDX-License-Identifier: Apache-2.0
#include "lib/aws/retry.h"

#include <algorithm>
#include <deque>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/fakes/fake_clock.h"

namespace keyturn::aws {
namespace {

using std::chrono::milliseconds;

// NextDouble() is near 0, 0.5 or 1 as the byte is 0x00, 0x80 or 0xFF.
class ConstantRandom final : public Random {
 public:
  explicit ConstantRandom(unsigned char byte) : byte_(byte) {}

  void Fill(std::span<std::byte> out) override {
    std::fill(out.begin(), out.end(), std::byte{byte_});
  }

 private:
  const unsigned char byte_;
};

AttemptOutcome Fail(FailureClass failure, std::optional<milliseconds> retry_after = std::nullopt) {
  return {UnavailableError("down"), failure, retry_after};
}

AttemptOutcome Succeed() {
  return {OkStatus(), FailureClass::kFatal, std::nullopt};
}

// Runs scripted outcomes; the last one is repeated.
struct Runner {
  testing::FakeClock clock{};
  ConstantRandom random{0xFF};
  RetryQuota quota{};
  RetryOptions options{};
  std::stop_source stop{};
  int attempts = 0;

  Status Run(std::deque<AttemptOutcome> outcomes,
             std::chrono::seconds deadline = std::chrono::hours(1)) {
    Retryer retryer(clock, clock, random, quota, options);
    return retryer.Run({clock.MonoNow() + deadline, stop.get_token()}, [&] {
      ++attempts;
      AttemptOutcome outcome = outcomes.front();
      if (outcomes.size() > 1) outcomes.pop_front();
      return outcome;
    });
  }
};

TEST(RetryTest, ClassifiesFailures) {
  struct Case {
    int status;
    const char* code;
    FailureClass expected;
  };

  const std::vector<Case> cases = {
      {0, "", FailureClass::kTransient},
      {500, "", FailureClass::kTransient},
      {502, "", FailureClass::kTransient},
      {503, "", FailureClass::kTransient},
      {504, "", FailureClass::kTransient},
      {501, "", FailureClass::kFatal},
      {400, "", FailureClass::kFatal},
      {403, "AccessDeniedException", FailureClass::kFatal},
      {400, "RequestTimeout", FailureClass::kTransient},
      {400, "RequestTimeoutException", FailureClass::kTransient},
      {400, "IDPCommunicationError", FailureClass::kTransient},
      {500, "InternalServiceError", FailureClass::kTransient},
      {429, "", FailureClass::kThrottling},
      {400, "Throttling", FailureClass::kThrottling},
      {400, "ThrottlingException", FailureClass::kThrottling},
      {400, "ThrottledException", FailureClass::kThrottling},
      {400, "RequestThrottledException", FailureClass::kThrottling},
      {400, "TooManyRequestsException", FailureClass::kThrottling},
      {400, "ProvisionedThroughputExceededException", FailureClass::kThrottling},
      {400, "TransactionInProgressException", FailureClass::kThrottling},
      {400, "RequestLimitExceeded", FailureClass::kThrottling},
      {400, "BandwidthLimitExceeded", FailureClass::kThrottling},
      {400, "LimitExceededException", FailureClass::kThrottling},
      {400, "RequestThrottled", FailureClass::kThrottling},
      {503, "SlowDown", FailureClass::kThrottling},
      {400, "PriorRequestNotComplete", FailureClass::kThrottling},
      {400, "EC2ThrottledException", FailureClass::kThrottling},
      {400, "throttling", FailureClass::kFatal},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(ClassifyFailure(c.status, c.code), c.expected) << c.status << c.code;
  }
}

TEST(RetryTest, DelaysDoubleUpToTheCap) {
  struct Case {
    FailureClass failure;
    unsigned char random;
    std::vector<int> expected;
  };

  // rand(0,1) × min(base × 2^i, 20 s), in whole milliseconds, rounded down.
  const std::vector<Case> cases = {
      {FailureClass::kTransient,
       0xFF,
       {49, 99, 199, 399, 799, 1599, 3199, 6399, 12799, 19999, 19999}},
      {FailureClass::kTransient, 0x80, {25, 50, 100, 200}},
      {FailureClass::kTransient, 0x00, {0, 0, 0}},
      {FailureClass::kThrottling, 0xFF, {999, 1999, 3999, 7999, 15999, 19999}},
  };
  for (const Case& c : cases) {
    Runner runner{.random = ConstantRandom(c.random)};
    runner.options.max_attempts = static_cast<int>(c.expected.size()) + 1;
    EXPECT_FALSE(runner.Run({Fail(c.failure)}).ok());
    std::vector<int> sleeps;
    for (const milliseconds sleep : runner.clock.sleeps()) {
      sleeps.push_back(static_cast<int>(sleep.count()));
    }
    for (size_t i = 0; i < c.expected.size(); ++i) {
      ASSERT_LT(i, sleeps.size());
      EXPECT_NEAR(sleeps[i], c.expected[i], c.expected[i] / 100 + 1) << i;
      EXPECT_LE(sleeps[i], 20'000);
    }
  }
}

TEST(RetryTest, MakesThreeAttemptsByDefaultAndSaysSo) {
  Runner runner;
  const Status status = runner.Run({Fail(FailureClass::kTransient)});
  EXPECT_EQ(runner.attempts, 3);
  EXPECT_EQ(status, UnavailableError("after 3 attempts: down"));
}

TEST(RetryTest, AFatalFailureIsFinalAndKeepsItsMessage) {
  Runner runner;
  EXPECT_EQ(runner.Run({Fail(FailureClass::kFatal)}), UnavailableError("down"));
  EXPECT_EQ(runner.attempts, 1);
  EXPECT_TRUE(runner.clock.sleeps().empty());
}

TEST(RetryTest, StopsAtTheFirstSuccess) {
  Runner runner;
  EXPECT_TRUE(runner.Run({Fail(FailureClass::kTransient), Succeed()}).ok());
  EXPECT_EQ(runner.attempts, 2);
}

TEST(RetryTest, ServerDelayIsClampedToFiveSecondsBeyondOurs) {
  struct Case {
    int server;
    int expected;
  };

  for (const Case& c :
       std::vector<Case>{{0, 49}, {40, 49}, {700, 700}, {5'000, 5'000}, {60'000, 5'049}}) {
    Runner runner;
    runner.options.max_attempts = 2;
    EXPECT_FALSE(runner.Run({Fail(FailureClass::kTransient, milliseconds(c.server))}).ok());
    ASSERT_EQ(runner.clock.sleeps().size(), 1U);
    EXPECT_EQ(runner.clock.sleeps()[0].count(), c.expected) << c.server;
  }
}

TEST(RetryTest, NeverSleepsPastTheDeadline) {
  Runner runner;
  const MonoTime start = runner.clock.MonoNow();
  // The first throttling delay is 999 ms, the second 1999 ms.
  const Status status = runner.Run({Fail(FailureClass::kThrottling)}, std::chrono::seconds(2));
  EXPECT_EQ(status, UnavailableError("after 2 attempts: down"));
  EXPECT_LT(runner.clock.MonoNow() - start, std::chrono::seconds(2));
}

TEST(RetryTest, AnExpiredDeadlineStillGetsItsOneAttempt) {
  Runner runner;
  EXPECT_EQ(runner.Run({Fail(FailureClass::kTransient)}, std::chrono::seconds(0)),
            UnavailableError("down"));
}

TEST(RetryTest, AnEndlessDeadlineDoesNotOverflow) {
  Runner runner;
  Retryer retryer(runner.clock, runner.clock, runner.random, runner.quota, runner.options);
  const Status status = retryer.Run({}, [] { return Fail(FailureClass::kTransient); });
  EXPECT_EQ(status, UnavailableError("after 3 attempts: down"));
}

TEST(RetryTest, AStopRequestEndsTheWait) {
  Runner runner;
  runner.stop.request_stop();
  EXPECT_EQ(runner.Run({Fail(FailureClass::kTransient)}).code(), StatusCode::kCancelled);
  EXPECT_EQ(runner.attempts, 1);
}

TEST(RetryTest, QuotaBoundsRetriesAcrossCalls) {
  struct Case {
    FailureClass failure;
    int cost;
  };

  for (const Case& c :
       std::vector<Case>{{FailureClass::kTransient, 14}, {FailureClass::kThrottling, 5}}) {
    Runner runner;
    const int retries = RetryQuota::kCapacity / c.cost;
    for (int call = 0; call < retries; ++call) EXPECT_FALSE(runner.Run({Fail(c.failure)}).ok());
    EXPECT_EQ(runner.attempts, retries + retries);
    EXPECT_EQ(runner.quota.available(), RetryQuota::kCapacity - retries * c.cost);
  }
}

TEST(RetryTest, SuccessGivesTokensBack) {
  Runner runner;
  runner.options.max_attempts = 10;
  const AttemptOutcome transient = Fail(FailureClass::kTransient);
  const AttemptOutcome throttled = Fail(FailureClass::kThrottling);
  EXPECT_TRUE(runner.Run({transient, transient, throttled, Succeed()}).ok());
  // Only what the last retry took comes back.
  EXPECT_EQ(runner.quota.available(), RetryQuota::kCapacity - 14 - 14);
  EXPECT_TRUE(runner.Run({Succeed()}).ok());
  EXPECT_EQ(runner.quota.available(), RetryQuota::kCapacity - 14 - 14 + 1);
}

TEST(RetryTest, QuotaNeverExceedsItsCapacity) {
  RetryQuota quota;
  quota.ReleaseAfterSuccess(std::nullopt);
  quota.ReleaseAfterSuccess(FailureClass::kTransient);
  EXPECT_EQ(quota.available(), RetryQuota::kCapacity);
}

}  // namespace
}  // namespace keyturn::aws
