// RefreshSchedule: when the next check is due. Pure logic over an injected clock.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "lib/aws/secrets_manager.h"
#include "lib/base/clock.h"
#include "lib/base/random.h"
#include "lib/base/result.h"
#include "lib/delivery/fetch.h"

namespace keyturn::delivery {

struct RefreshOptions {
  // Upper bound between the starts of two full passes.
  std::chrono::milliseconds interval{std::chrono::minutes(10)};
  // Back-off after a failed pass: full jitter below a cap that doubles from min to max.
  std::chrono::milliseconds retry_min{1'000};
  std::chrono::milliseconds retry_max{60'000};
};

// Jitter of the interval, downwards only: a fleet spreads and the bound still holds.
inline constexpr double kIntervalJitter = 0.1;
// Probes of one secret in one rotation window: the cost of knowing the schedule stays bounded.
inline constexpr int kMaxProbesPerWindow = 20;
inline constexpr std::chrono::seconds kMinProbePeriod{15};
// A schedule without Duration: AWS's default for schedules in hours. (For schedules in days it is
// the rest of the UTC day, which would only dilute the probes.) Source: user guide, "Rotation
// windows".
inline constexpr std::chrono::hours kDefaultRotationWindow{1};
// A denied DescribeSecret is a policy, not an accident.
inline constexpr std::chrono::hours kDescribeDenialMemory{1};

// Three kinds of check: a full pass at every interval; a retry of what failed, with back-off; and
// probes of single secrets inside their announced rotation window (NextRotationDate − Duration …
// NextRotationDate), spread over it within a budget. Probes only ever shorten the wait.
// THREAD: one call at a time.
class RefreshSchedule {
 public:
  enum class Action { kNothing, kProbe, kRetry, kFullPass };

  // `clock` and `random` outlive it. A full pass is due at once.
  RefreshSchedule(Clock& clock, Random& random, const RefreshOptions& options);

  Action Due() const;
  MonoTime NextDue() const;

  // The next full pass is due at once, at an interval that may be new.
  void Restart(std::chrono::milliseconds interval);
  void FullPassStarted();
  // The end of a full pass or a retry.
  void PassEnded(bool succeeded);

  // The secrets whose schedules matter; forgets all others. Pinned versions and parameters are
  // ignored: they have no rotation.
  void Track(const std::set<FetchKey>& keys);

  // Secrets whose rotation schedule should be asked now: at first, after a change and once a known
  // date has passed; not more than once per interval, and not within an hour of a denial.
  std::vector<FetchKey> DescribesDue() const;
  void Described(const FetchKey& key, const Result<aws::SecretDescription>& answer);
  // A new version of the secret was seen.
  void Changed(const FetchKey& key);

  std::vector<FetchKey> ProbesDue() const;
  // Takes one from the window's budget.
  void Probed(const FetchKey& key);

 private:
  struct Secret {
    FetchKey key;
    std::optional<WallTime> rotation;  // NextRotationDate
    std::chrono::milliseconds window{0};
    int probes_left = 0;
    MonoTime last_check;
    bool describe_wanted = true;
    MonoTime describe_not_before = MonoTime::min();
  };

  using SecretId = std::pair<Endpoint, std::string>;

  static SecretId IdOf(const FetchKey& key) { return {{key.identity, key.region}, key.id}; }

  std::optional<MonoTime> NextProbe(const Secret& secret) const;

  Clock& clock_;
  Random& random_;
  RefreshOptions options_;
  MonoTime full_pass_due_;
  std::optional<MonoTime> retry_due_;
  std::chrono::milliseconds backoff_{0};  // cap of the next back-off
  std::map<SecretId, Secret> secrets_;
};

}  // namespace keyturn::delivery
