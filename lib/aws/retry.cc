// SPDX-License-Identifier: Apache-2.0
#include "lib/aws/retry.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "lib/base/strings.h"

namespace keyturn::aws {
namespace {

// Source: botocore 1.43.11, botocore/retries/standard.py, with AWS_NEW_RETRIES_2026.
constexpr int kRetryCost = 14;
constexpr int kThrottlingRetryCost = 5;
constexpr int kRefundWithoutRetry = 1;
// How far beyond our own delay a server may push us with x-amz-retry-after.
constexpr std::chrono::milliseconds kMaxServerDelay{5'000};

constexpr std::array<std::string_view, 14> kThrottlingCodes = {
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottledException",
    "TooManyRequestsException",
    "ProvisionedThroughputExceededException",
    "TransactionInProgressException",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "RequestThrottled",
    "SlowDown",
    "PriorRequestNotComplete",
    "EC2ThrottledException"};

// IDPCommunicationError is modelled as retryable by STS although its status is 400.
constexpr std::array<std::string_view, 5> kTransientCodes = {
    "RequestTimeout", "RequestTimeoutException", "InternalServiceError", "InternalServerError",
    "IDPCommunicationError"};

constexpr std::array<int, 4> kTransientStatuses = {500, 502, 503, 504};
constexpr int kTooManyRequests = 429;

template <typename List, typename T>
bool Holds(const List& list, const T& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

int CostOf(FailureClass failure) {
  return failure == FailureClass::kThrottling ? kThrottlingRetryCost : kRetryCost;
}

Status AnnotateAttempts(const Status& status, int attempts) {
  if (attempts < 2) return status;
  return AnnotateStatus(status, StrCat("after ", attempts, " attempts"));
}

}  // namespace

FailureClass ClassifyFailure(int http_status, std::string_view aws_error_code) {
  if (Holds(kThrottlingCodes, aws_error_code) || http_status == kTooManyRequests) {
    return FailureClass::kThrottling;
  }
  const bool no_answer = http_status == 0;
  if (no_answer || Holds(kTransientCodes, aws_error_code) ||
      Holds(kTransientStatuses, http_status)) {
    return FailureClass::kTransient;
  }
  return FailureClass::kFatal;
}

bool RetryQuota::Acquire(FailureClass failure) {
  const int cost = CostOf(failure);
  MutexLock lock(mutex_);
  if (tokens_ < cost) return false;
  tokens_ -= cost;
  return true;
}

void RetryQuota::ReleaseAfterSuccess(std::optional<FailureClass> last_retry) {
  const int refund = last_retry ? CostOf(*last_retry) : kRefundWithoutRetry;
  MutexLock lock(mutex_);
  tokens_ = std::min(tokens_ + refund, kCapacity);
}

int RetryQuota::available() const {
  MutexLock lock(mutex_);
  return tokens_;
}

Retryer::Retryer(Clock& clock, Sleeper& sleeper, Random& random, RetryQuota& quota,
                 RetryOptions options)
    : clock_(clock), sleeper_(sleeper), random_(random), quota_(quota), options_(options) {}

Status Retryer::Run(const CallContext& context, const std::function<AttemptOutcome()>& attempt) {
  std::optional<FailureClass> last_retry;
  for (int attempts = 1;; ++attempts) {
    const AttemptOutcome outcome = attempt();
    if (outcome.status.ok()) {
      quota_.ReleaseAfterSuccess(last_retry);
      return outcome.status;
    }
    const Status failed = AnnotateAttempts(outcome.status, attempts);
    if (outcome.failure == FailureClass::kFatal || attempts >= options_.max_attempts) return failed;
    const MonoTime now = clock_.MonoNow();
    const std::chrono::milliseconds delay = Delay(attempts - 1, outcome);
    // A retry that the deadline would cut off only adds load.
    if (context.deadline <= now || context.deadline - now <= delay) return failed;
    if (!quota_.Acquire(outcome.failure)) return failed;
    last_retry = outcome.failure;
    KEYTURN_RETURN_IF_ERROR(sleeper_.SleepUntil(now + delay, context.stop));
  }
}

std::chrono::milliseconds Retryer::Delay(int retry, const AttemptOutcome& outcome) {
  constexpr int kMaxDoublings = 20;  // 50 ms × 2^20 is far beyond every cap
  const auto base =
      outcome.failure == FailureClass::kThrottling ? options_.throttling_base : options_.base;
  const auto ceiling =
      std::min(base * (int64_t{1} << std::min(retry, kMaxDoublings)), options_.max_backoff);
  const auto own = std::chrono::milliseconds(
      static_cast<int64_t>(random_.NextDouble() * static_cast<double>(ceiling.count())));
  if (!outcome.retry_after) return own;
  return std::clamp(*outcome.retry_after, own, own + kMaxServerDelay);
}

}  // namespace keyturn::aws
