// Sleeper: interruptible waiting, injected so that back-off is testable without real time.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stop_token>

#include "lib/base/clock.h"
#include "lib/base/status.h"

namespace keyturn {

class Sleeper {
 public:
  virtual ~Sleeper() = default;
  // Blocks until `until` (OK) or until a stop is requested (CANCELLED).
  virtual Status SleepUntil(MonoTime until, const std::stop_token& stop) = 0;
};

// THREAD: safe; each call blocks its own thread only.
class SystemSleeper final : public Sleeper {
 public:
  Status SleepUntil(MonoTime until, const std::stop_token& stop) override;
};

}  // namespace keyturn
