// SPDX-License-Identifier: Apache-2.0
#include "lib/base/event_loop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <map>

#include "lib/base/mutex.h"
#include "lib/base/unique_fd.h"

namespace keyturn {
namespace {

class PosixEventLoop final : public EventLoop {
 public:
  PosixEventLoop(const Clock& clock, UniqueFd wake) : clock_(clock), wake_(std::move(wake)) {}

  void Post(std::function<void()> task) override {
    {
      MutexLock lock(mutex_);
      posted_.push_back(std::move(task));
    }
    Wake();
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
    sigset_t set;
    ::sigemptyset(&set);
    for (const int signal : signals) ::sigaddset(&set, signal);
    if (::sigprocmask(SIG_BLOCK, &set, nullptr) != 0) return ErrnoToStatus(errno, "block signals");
    signals_.Reset(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
    if (!signals_.valid()) return ErrnoToStatus(errno, "create signalfd");
    on_signal_ = std::move(handler);
    return OkStatus();
  }

  void Run() override {
    while (!stopped_) {
      WaitForEvents();
      DeliverSignals();
      RunPosted();
      RunDueTimers();
    }
  }

  void Stop() override {
    stopped_ = true;
    Wake();
  }

 private:
  void Wake() {
    const uint64_t one = 1;
    // A full counter (EAGAIN) means that a wake-up is already pending.
    [[maybe_unused]] const ssize_t count = ::write(wake_.get(), &one, sizeof one);
  }

  int TimeoutMillis() const {
    if (timers_.empty()) return -1;
    const MonoTime at = timers_.begin()->first.first;
    const MonoTime now = clock_.MonoNow();
    if (at <= now) return 0;  // before the subtraction, which overflows for MonoTime::min()
    const auto left = at - now;
    // Rounded up, so that the loop does not spin through the last fraction of a millisecond.
    const auto millis = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    return static_cast<int>(std::clamp<int64_t>(millis, 0, 60'000));
  }

  void WaitForEvents() {
    pollfd fds[2] = {{wake_.get(), POLLIN, 0}, {signals_.get(), POLLIN, 0}};
    ::poll(fds, signals_.valid() ? 2 : 1, TimeoutMillis());
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t size = ::read(wake_.get(), &count, sizeof count);
  }

  void DeliverSignals() {
    signalfd_siginfo info{};
    while (signals_.valid() && ::read(signals_.get(), &info, sizeof info) == sizeof info) {
      on_signal_(static_cast<int>(info.ssi_signo));
    }
  }

  void RunPosted() {
    std::vector<std::function<void()>> tasks;
    {
      MutexLock lock(mutex_);
      tasks.swap(posted_);
    }
    for (const auto& task : tasks) task();
  }

  void RunDueTimers() {
    const MonoTime now = clock_.MonoNow();
    // Timers that a callback arms for "now" wait for the next turn: posted work and Stop come
    // first.
    const TimerId newest = last_id_;
    auto next = timers_.begin();
    while (next != timers_.end() && next->first.first <= now && !stopped_) {
      if (next->first.second > newest) {
        ++next;
        continue;
      }
      const std::function<void()> task = std::move(next->second);
      timers_.erase(next);
      task();
      next = timers_.begin();  // the callback may have armed or cancelled any
    }
  }

  const Clock& clock_;
  const UniqueFd wake_;
  UniqueFd signals_;
  std::function<void(int)> on_signal_;
  std::map<std::pair<MonoTime, TimerId>, std::function<void()>> timers_;
  TimerId last_id_ = 0;
  std::atomic<bool> stopped_ = false;
  Mutex mutex_;
  std::vector<std::function<void()>> posted_ KEYTURN_GUARDED_BY(mutex_);
};

}  // namespace

Result<std::unique_ptr<EventLoop>> CreateEventLoop(const Clock& clock) {
  UniqueFd wake(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!wake.valid()) return ErrnoToStatus(errno, "create eventfd");
  return std::unique_ptr<EventLoop>(std::make_unique<PosixEventLoop>(clock, std::move(wake)));
}

}  // namespace keyturn
