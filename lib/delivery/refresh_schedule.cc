// SPDX-License-Identifier: Apache-2.0
#include "lib/delivery/refresh_schedule.h"

#include <algorithm>

namespace keyturn::delivery {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

// A full jitter may come out near zero; a loop without any pause would be an attack on the service.
constexpr int kMinBackoffDivisor = 10;
// A date that stays in the past is a rotation that hangs: asking again soon teaches nothing.
constexpr int kPastDateIntervals = 6;

milliseconds Scale(milliseconds value, double factor) {
  return milliseconds(static_cast<milliseconds::rep>(static_cast<double>(value.count()) * factor));
}

}  // namespace

RefreshSchedule::RefreshSchedule(Clock& clock, Random& random, const RefreshOptions& options)
    : clock_(clock),
      random_(random),
      options_(options),
      full_pass_due_(clock.MonoNow()),
      backoff_(options.retry_min) {}

RefreshSchedule::Action RefreshSchedule::Due() const {
  const MonoTime now = clock_.MonoNow();
  if (now >= full_pass_due_) return Action::kFullPass;
  if (retry_due_ && now >= *retry_due_) return Action::kRetry;
  return ProbesDue().empty() ? Action::kNothing : Action::kProbe;
}

MonoTime RefreshSchedule::NextDue() const {
  MonoTime due = full_pass_due_;
  if (retry_due_) due = std::min(due, *retry_due_);
  for (const auto& [id, secret] : secrets_) {
    if (const auto probe = NextProbe(secret)) due = std::min(due, *probe);
  }
  return due;
}

void RefreshSchedule::Restart(milliseconds interval) {
  options_.interval = interval;
  full_pass_due_ = clock_.MonoNow();
  retry_due_.reset();
  backoff_ = options_.retry_min;
}

void RefreshSchedule::FullPassStarted() {
  const MonoTime now = clock_.MonoNow();
  const double factor = 1.0 - kIntervalJitter * random_.NextDouble();
  full_pass_due_ = now + Scale(options_.interval, factor);
  for (auto& [id, secret] : secrets_) secret.last_check = now;
}

void RefreshSchedule::PassEnded(bool succeeded) {
  if (succeeded) {
    retry_due_.reset();
    backoff_ = options_.retry_min;
    return;
  }
  const milliseconds cap = std::min(backoff_, options_.interval);
  const milliseconds delay =
      std::max(Scale(cap, random_.NextDouble()), options_.retry_min / kMinBackoffDivisor);
  retry_due_ = clock_.MonoNow() + delay;
  backoff_ = std::min(backoff_ * 2, options_.retry_max);
}

void RefreshSchedule::Track(const std::set<FetchKey>& keys) {
  std::map<SecretId, Secret> tracked;
  for (const FetchKey& key : keys) {
    if (key.kind != SourceKind::kSecret || !key.version_id.empty()) continue;
    const SecretId id = IdOf(key);
    if (tracked.contains(id)) continue;
    const auto known = secrets_.find(id);
    if (known != secrets_.end()) {
      tracked[id] = known->second;
    } else {
      tracked[id].last_check = clock_.MonoNow();
    }
    tracked[id].key = key;
  }
  secrets_ = std::move(tracked);
}

std::vector<FetchKey> RefreshSchedule::DescribesDue() const {
  std::vector<FetchKey> due;
  for (const auto& [id, secret] : secrets_) {
    const bool passed = secret.rotation && clock_.WallNow() >= *secret.rotation;
    const bool wanted = secret.describe_wanted || passed;
    if (wanted && clock_.MonoNow() >= secret.describe_not_before) due.push_back(secret.key);
  }
  return due;
}

void RefreshSchedule::Described(const FetchKey& key, const Result<aws::SecretDescription>& answer) {
  const auto found = secrets_.find(IdOf(key));
  if (found == secrets_.end()) return;
  Secret& secret = found->second;
  const MonoTime now = clock_.MonoNow();
  if (!answer.ok()) {
    const bool denied = answer.status().code() == StatusCode::kPermissionDenied;
    secret.describe_not_before =
        now + (denied ? duration_cast<milliseconds>(kDescribeDenialMemory) : options_.interval);
    return;
  }
  secret.describe_wanted = false;
  secret.describe_not_before = now + options_.interval;
  if (!answer->rotation_enabled || !answer->next_rotation) {
    secret.rotation.reset();
    return;
  }
  if (*answer->next_rotation <= clock_.WallNow()) {
    secret.describe_not_before = now + kPastDateIntervals * options_.interval;
  }
  // The budget belongs to the date: the same date asked twice does not double it.
  if (secret.rotation != answer->next_rotation) secret.probes_left = kMaxProbesPerWindow;
  secret.rotation = answer->next_rotation;
  secret.window =
      answer->rotation_window.count() > 0 ? answer->rotation_window : kDefaultRotationWindow;
}

void RefreshSchedule::Changed(const FetchKey& key) {
  const auto found = secrets_.find(IdOf(key));
  if (found != secrets_.end()) found->second.describe_wanted = true;
}

std::optional<MonoTime> RefreshSchedule::NextProbe(const Secret& secret) const {
  if (!secret.rotation || secret.probes_left == 0) return std::nullopt;
  const milliseconds period = std::max(
      {options_.interval / 20, milliseconds(kMinProbePeriod), secret.window / kMaxProbesPerWindow});
  if (period >= options_.interval) return std::nullopt;  // the interval is as good
  // Wall time is read anew on every call, so that a jump of the clock corrects itself.
  const MonoTime now = clock_.MonoNow();
  const MonoTime end = now + (*secret.rotation - clock_.WallNow());
  const MonoTime next = std::max(end - secret.window, secret.last_check + period);
  // A date that passes during the wait, or has passed, is no reason to ask.
  if (end <= now || next >= end) return std::nullopt;
  return next;
}

std::vector<FetchKey> RefreshSchedule::ProbesDue() const {
  std::vector<FetchKey> due;
  for (const auto& [id, secret] : secrets_) {
    const auto next = NextProbe(secret);
    if (next && *next <= clock_.MonoNow()) due.push_back(secret.key);
  }
  return due;
}

void RefreshSchedule::Probed(const FetchKey& key) {
  const auto found = secrets_.find(IdOf(key));
  if (found == secrets_.end()) return;
  found->second.last_check = clock_.MonoNow();
  if (found->second.probes_left > 0) --found->second.probes_left;
}

}  // namespace keyturn::delivery
