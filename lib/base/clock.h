// Clock: wall and monotonic time, injected so that tests never sleep.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>

namespace keyturn {

using WallTime = std::chrono::system_clock::time_point;
using MonoTime = std::chrono::steady_clock::time_point;

// WallNow() is for what others see (signatures, expiry, file names, logs) and may jump. MonoNow()
// is for intervals, deadlines and back-off. THREAD: safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime WallNow() const = 0;
  virtual MonoTime MonoNow() const = 0;
};

class SystemClock final : public Clock {
 public:
  WallTime WallNow() const override { return std::chrono::system_clock::now(); }

  MonoTime MonoNow() const override { return std::chrono::steady_clock::now(); }
};

}  // namespace keyturn
