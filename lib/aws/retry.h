// The SDKs' standard retry mode (2026): which failures are tried again, when, and when to give up.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "lib/base/call_context.h"
#include "lib/base/mutex.h"
#include "lib/base/random.h"
#include "lib/base/sleeper.h"
#include "lib/base/status.h"

namespace keyturn::aws {

enum class FailureClass { kFatal, kTransient, kThrottling };

// What one attempt ended with.
struct AttemptOutcome {
  Status status;
  FailureClass failure = FailureClass::kFatal;           // meaningful when !status.ok()
  std::optional<std::chrono::milliseconds> retry_after;  // header x-amz-retry-after
};

// The class of an answer by HTTP status and AWS error code; status 0 is a connection failure.
FailureClass ClassifyFailure(int http_status, std::string_view aws_error_code);

// A token bucket shared by the calls of one client: retries stop when the service is down, instead
// of multiplying the load. THREAD: safe.
class RetryQuota {
 public:
  static constexpr int kCapacity = 500;
  // Takes the cost of a retry; false when the bucket does not hold it.
  bool Acquire(FailureClass failure);
  // A call that succeeded gives back what its last retry took, or 1 when it needed none.
  void ReleaseAfterSuccess(std::optional<FailureClass> last_retry);
  int available() const;

 private:
  mutable Mutex mutex_;
  int tokens_ KEYTURN_GUARDED_BY(mutex_) = kCapacity;
};

struct RetryOptions {
  int max_attempts = 3;
  std::chrono::milliseconds base{50};
  std::chrono::milliseconds throttling_base{1000};
  std::chrono::milliseconds max_backoff{20'000};
};

// Runs `attempt` until it succeeds, fails for good, or attempts, quota or deadline run out.
// The answer is the last attempt's Status, annotated with the number of attempts when there were
// several.
class Retryer {
 public:
  Retryer(Clock& clock, Sleeper& sleeper, Random& random, RetryQuota& quota, RetryOptions options);
  Status Run(const CallContext& context, const std::function<AttemptOutcome()>& attempt);

 private:
  std::chrono::milliseconds Delay(int retry, const AttemptOutcome& outcome);
  Clock& clock_;
  Sleeper& sleeper_;
  Random& random_;
  RetryQuota& quota_;
  const RetryOptions options_;
};

}  // namespace keyturn::aws
