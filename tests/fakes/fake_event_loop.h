// FakeEventLoop: an EventLoop on FakeClock time that runs only when a test says so.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "lib/base/event_loop.h"
#include "lib/base/mutex.h"
#include "tests/fakes/fake_clock.h"

namespace keyturn::testing {

// THREAD: Post and Stop from any thread, the rest from the test's, as the interface asks.
class FakeEventLoop final : public EventLoop {
 public:
  explicit FakeEventLoop(FakeClock& clock) : clock_(clock) {}

  void Post(std::function<void()> task) override {
    MutexLock lock(mutex_);
    posted_.push_back(std::move(task));
  }

  TimerId At(MonoTime at, std::function<void()> task) override {
    const TimerId id = ++last_id_;
    timers_.emplace(std::make_pair(at, id), std::move(task));
    return id;
  }

  void Cancel(TimerId id) override {
    std::erase_if(timers_, [id](const auto& timer) { return timer.first.second == id; });
  }

  Status OnSignals(const std::vector<int>& signals, std::function<void(int)> handler) override {
    signals_ = signals;
    on_signal_ = std::move(handler);
    return OkStatus();
  }

  // Runs everything, moving the clock from timer to timer, until Stop() or nothing is left: unlike
  // the real loop it does not wait for other threads.
  void Run() override {
    while (!stopped()) {
      RunReady();
      if (stopped() || timers_.empty()) return;
      MoveTo(timers_.begin()->first.first);
    }
  }

  void Stop() override {
    MutexLock lock(mutex_);
    stopped_ = true;
  }

  // Runs posted work and due timers, and what they post in turn, without moving the clock.
  void RunReady() {
    while (RunPosted() || RunDueTimer()) {
    }
  }

  // Moves the clock by `by` and runs each timer on the way at its own time.
  void Advance(std::chrono::nanoseconds by) {
    const MonoTime until = clock_.MonoNow() + by;
    RunReady();
    while (!stopped() && !timers_.empty() && timers_.begin()->first.first <= until) {
      MoveTo(timers_.begin()->first.first);
      RunReady();
    }
    MoveTo(until);
  }

  // As if `signal` had arrived; false when the loop does not handle it.
  bool Raise(int signal) {
    if (std::find(signals_.begin(), signals_.end(), signal) == signals_.end()) return false;
    on_signal_(signal);
    return true;
  }

  std::optional<MonoTime> next_timer() const {
    if (timers_.empty()) return std::nullopt;
    return timers_.begin()->first.first;
  }

  bool stopped() const {
    MutexLock lock(mutex_);
    return stopped_;
  }

 private:
  bool RunPosted() {
    std::vector<std::function<void()>> tasks;
    {
      MutexLock lock(mutex_);
      if (stopped_) return false;
      tasks.swap(posted_);
    }
    for (const auto& task : tasks) task();
    return !tasks.empty();
  }

  bool RunDueTimer() {
    if (stopped() || timers_.empty()) return false;
    if (timers_.begin()->first.first > clock_.MonoNow()) return false;
    const std::function<void()> task = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
    task();
    return true;
  }

  void MoveTo(MonoTime at) {
    if (at > clock_.MonoNow()) clock_.Advance(at - clock_.MonoNow());
  }

  FakeClock& clock_;
  std::map<std::pair<MonoTime, TimerId>, std::function<void()>> timers_;
  TimerId last_id_ = 0;
  std::vector<int> signals_;
  std::function<void(int)> on_signal_;
  mutable Mutex mutex_;
  std::vector<std::function<void()>> posted_ KEYTURN_GUARDED_BY(mutex_);
  bool stopped_ KEYTURN_GUARDED_BY(mutex_) = false;
};

}  // namespace keyturn::testing
