// FakeClock: a Clock and Sleeper whose time moves only when a test says so, or when somebody
// sleeps. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "lib/base/sleeper.h"

namespace keyturn::testing {

// THREAD: safe.
class FakeClock final : public Clock, public Sleeper {
 public:
  // 2026-11-23T10:00:00Z.
  static constexpr std::chrono::seconds kStart{1'795'428'000};

  WallTime WallNow() const override {
    MutexLock lock(mutex_);
    return wall_;
  }

  MonoTime MonoNow() const override {
    MutexLock lock(mutex_);
    return mono_;
  }

  // Advances to `until` at once and records the wait.
  Status SleepUntil(MonoTime until, const std::stop_token& stop) override {
    if (stop.stop_requested()) return CancelledError("wait interrupted by a stop request");
    MutexLock lock(mutex_);
    const auto wait = std::max(until - mono_, MonoTime::duration::zero());
    sleeps_.push_back(std::chrono::duration_cast<std::chrono::milliseconds>(wait));
    AdvanceLocked(wait);
    return OkStatus();
  }

  void Advance(std::chrono::nanoseconds by) {
    MutexLock lock(mutex_);
    AdvanceLocked(by);
  }

  // Moves the wall clock alone, as an administrator or NTP does.
  void JumpWall(std::chrono::nanoseconds by) {
    MutexLock lock(mutex_);
    wall_ += std::chrono::duration_cast<WallTime::duration>(by);
  }

  std::vector<std::chrono::milliseconds> sleeps() const {
    MutexLock lock(mutex_);
    return sleeps_;
  }

 private:
  void AdvanceLocked(std::chrono::nanoseconds by) KEYTURN_REQUIRES(mutex_) {
    wall_ += std::chrono::duration_cast<WallTime::duration>(by);
    mono_ += by;
  }

  mutable Mutex mutex_;
  WallTime wall_ KEYTURN_GUARDED_BY(mutex_){kStart};
  MonoTime mono_ KEYTURN_GUARDED_BY(mutex_){std::chrono::hours(1)};
  std::vector<std::chrono::milliseconds> sleeps_ KEYTURN_GUARDED_BY(mutex_);
};

}  // namespace keyturn::testing
