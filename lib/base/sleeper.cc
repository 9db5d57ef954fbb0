// SPDX-License-Identifier: Apache-2.0
#include "lib/base/sleeper.h"

#include <condition_variable>
#include <mutex>

namespace keyturn {

Status SystemSleeper::SleepUntil(MonoTime until, const std::stop_token& stop) {
  // Local to the call: only the stop callback inside wait_until shares them.
  std::mutex mutex;
  std::condition_variable_any condition;
  std::unique_lock<std::mutex> lock(mutex);
  condition.wait_until(lock, stop, until, [] { return false; });
  return stop.stop_requested() ? CancelledError("wait interrupted by a stop request") : OkStatus();
}

}  // namespace keyturn
