// What we know of the difference between our wall clock and the service's, and what follows from
// it. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/base/time_format.h"

namespace keyturn::aws {

// One per endpoint. Learnt from the Date header of an answer that refuses the signature's time;
// applied to every later signature. THREAD: safe.
class ClockOffset {
 public:
  WallTime Apply(WallTime local) const { return local + std::chrono::milliseconds(millis_.load()); }

  void Learn(WallTime local, WallTime server) {
    millis_.store(std::chrono::duration_cast<std::chrono::milliseconds>(server - local).count());
  }

  std::chrono::milliseconds offset() const { return std::chrono::milliseconds(millis_.load()); }

 private:
  std::atomic<int64_t> millis_ = 0;
};

// By how much the clock of an answer's sender is ahead of ours, from its Date header; 0 when the
// header is absent or unusable, and below a minute, which the header's whole seconds and the way
// through the network explain. `local` is the time at which the answer came.
inline std::chrono::milliseconds ClockLead(std::string_view date_header, WallTime local) {
  constexpr std::chrono::minutes kNegligible{1};
  const auto date = ParseHttpDate(date_header);
  // Before the epoch there were no clocks to be behind of, and the difference could overflow.
  if (!date || *date < WallTime()) return std::chrono::milliseconds(0);
  const auto lead = std::chrono::duration_cast<std::chrono::milliseconds>(*date - local);
  const bool negligible = lead <= kNegligible && lead >= -kNegligible;
  return negligible ? std::chrono::milliseconds(0) : lead;
}

// A time that a sender with that lead wrote, on our clock. Saturates at both ends of time.
inline WallTime OnLocalClock(WallTime theirs, std::chrono::milliseconds lead) {
  if (lead.count() < 0 && theirs > WallTime::max() + lead) return WallTime::max();
  if (lead.count() > 0 && theirs < WallTime::min() + lead) return WallTime::min();
  return theirs - lead;
}

}  // namespace keyturn::aws
