// ClockOffset: what we know of the difference between our wall clock and the service's.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>

#include "lib/base/clock.h"

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

}  // namespace keyturn::aws
