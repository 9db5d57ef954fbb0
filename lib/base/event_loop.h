// EventLoop: timers, posted work and signals of one thread.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/result.h"

namespace keyturn {

using TimerId = uint64_t;

// Callbacks run on the thread that calls Run(), one at a time, never from within another call.
// THREAD: Post and Stop from any thread; everything else on the loop's thread (or before Run).
class EventLoop {
 public:
  virtual ~EventLoop() = default;
  // Runs `task` soon.
  virtual void Post(std::function<void()> task) = 0;
  // Runs `task` once, not before `at`.
  virtual TimerId At(MonoTime at, std::function<void()> task) = 0;
  // An unknown or elapsed id is ignored.
  virtual void Cancel(TimerId id) = 0;
  // Blocks the signals in `signals` for this process and reports each arrival to `handler`.
  // REQUIRES: called once, before other threads start (they inherit the mask).
  virtual Status OnSignals(const std::vector<int>& signals, std::function<void(int)> handler) = 0;
  // Runs callbacks until Stop().
  virtual void Run() = 0;
  virtual void Stop() = 0;
};

// poll(2) over an eventfd and a signalfd.
// ERRORS: RESOURCE_EXHAUSTED when descriptors run out.
Result<std::unique_ptr<EventLoop>> CreateEventLoop(const Clock& clock);

}  // namespace keyturn
