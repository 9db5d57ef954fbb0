// Tests of the event loop and of its fake.
// SPDX-License-Identifier: Apache-2.0
#include "lib/base/event_loop.h"

#include <pthread.h>
#include <signal.h>

#include <memory>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_event_loop.h"

namespace keyturn {
namespace {

using testing::FakeClock;
using testing::FakeEventLoop;
using namespace std::chrono_literals;

std::unique_ptr<EventLoop> MakeLoop(const Clock& clock) {
  auto loop = CreateEventLoop(clock);
  EXPECT_TRUE(loop.ok());
  return std::move(*loop);
}

TEST(EventLoopTest, RunsPostedTasksInOrderUntilStopped) {
  const SystemClock clock;
  const auto loop = MakeLoop(clock);
  std::string order;
  loop->Post([&] { order += 'a'; });
  loop->Post([&] {
    order += 'b';
    loop->Post([&] {
      order += 'c';
      loop->Stop();
    });
  });
  loop->Run();
  EXPECT_EQ(order, "abc");
}

TEST(EventLoopTest, RunsTasksOfOtherThreadsOnItsOwn) {
  const SystemClock clock;
  const auto loop = MakeLoop(clock);
  int count = 0;  // not atomic: only the loop's thread touches it
  bool all_here = true;
  const auto here = std::this_thread::get_id();
  const auto post = [&] {
    for (int i = 0; i < 500; ++i) {
      loop->Post([&] {
        all_here = all_here && std::this_thread::get_id() == here;
        if (++count == 1000) loop->Stop();
      });
    }
  };
  std::thread first(post);
  std::thread second(post);
  loop->Run();
  first.join();
  second.join();
  EXPECT_EQ(count, 1000);
  EXPECT_TRUE(all_here);
}

TEST(EventLoopTest, AnotherThreadMayStopAnIdleLoop) {
  const SystemClock clock;
  const auto loop = MakeLoop(clock);
  std::thread stopper([&] { loop->Stop(); });
  loop->Run();
  stopper.join();
}

TEST(EventLoopTest, TimersRunInTheOrderOfTheirTimes) {
  FakeClock clock;
  const auto loop = MakeLoop(clock);
  std::string order;
  const MonoTime now = clock.MonoNow();
  loop->At(now + 2h, [&] { order += 'c'; });
  loop->At(now + 1h, [&] { order += 'a'; });
  loop->At(now + 1h, [&] { order += 'b'; });
  const TimerId cancelled = loop->At(now + 1h, [&] { order += 'x'; });
  loop->At(now + 3h, [&] { loop->Stop(); });
  loop->Cancel(cancelled);
  loop->Cancel(cancelled);
  loop->Cancel(12345);
  loop->Post([&] { clock.Advance(5h); });
  loop->Run();
  EXPECT_EQ(order, "abc");
}

TEST(EventLoopTest, ATimerNeverRunsEarly) {
  FakeClock clock;
  const auto loop = MakeLoop(clock);
  const MonoTime at = clock.MonoNow() + 1s;
  bool ran = false;
  loop->At(at, [&] {
    ran = true;
    EXPECT_GE(clock.MonoNow(), at);
    loop->Stop();
  });
  loop->Post([&] {
    clock.Advance(999'999'999ns);
    loop->Post([&] {
      EXPECT_FALSE(ran);
      clock.Advance(1ns);
    });
  });
  loop->Run();
  EXPECT_TRUE(ran);
}

TEST(EventLoopTest, ACallbackMayCancelAnotherThatIsDue) {
  FakeClock clock;
  const auto loop = MakeLoop(clock);
  std::string order;
  TimerId second = 0;
  loop->At(clock.MonoNow(), [&] {
    order += 'a';
    loop->Cancel(second);
  });
  second = loop->At(clock.MonoNow(), [&] { order += 'b'; });
  loop->At(clock.MonoNow(), [&] { loop->Stop(); });
  loop->Run();
  EXPECT_EQ(order, "a");
}

// A callback that re-arms itself for "now" must not keep everything else from running.
TEST(EventLoopTest, ATimerThatRearmsItselfDoesNotStarvePostedWork) {
  FakeClock clock;
  const auto loop = MakeLoop(clock);
  int ticks = 0;
  std::function<void()> tick = [&] {
    if (++ticks == 1) loop->Post([&] { loop->Stop(); });
    ASSERT_LT(ticks, 100);
    loop->At(clock.MonoNow(), tick);
  };
  loop->At(MonoTime::min(), tick);
  loop->Run();
  EXPECT_GE(ticks, 1);
}

TEST(EventLoopTest, WaitsForARealTimer) {
  const SystemClock clock;
  const auto loop = MakeLoop(clock);
  const MonoTime at = clock.MonoNow() + 2ms;
  loop->At(at, [&] { loop->Stop(); });
  loop->At(MonoTime::max(), [] { FAIL(); });
  loop->Run();
  EXPECT_GE(clock.MonoNow(), at);
}

TEST(EventLoopTest, DeliversSignalsAsCallbacks) {
  sigset_t before;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &before);
  const SystemClock clock;
  const auto loop = MakeLoop(clock);
  std::vector<int> seen;
  ASSERT_TRUE(loop->OnSignals({SIGUSR1, SIGTERM},
                              [&](int signal) {
                                seen.push_back(signal);
                                if (seen.size() == 2) loop->Stop();
                              })
                  .ok());
  ::raise(SIGUSR1);
  loop->Post([] { ::raise(SIGTERM); });
  loop->Run();
  EXPECT_EQ(seen, (std::vector<int>{SIGUSR1, SIGTERM}));
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST(FakeEventLoopTest, AdvanceRunsEachTimerAtItsOwnTime) {
  FakeClock clock;
  FakeEventLoop loop(clock);
  const MonoTime start = clock.MonoNow();
  std::vector<MonoTime::duration> at;
  const auto note = [&] { at.push_back(clock.MonoNow() - start); };
  loop.At(start + 3s, note);
  loop.At(start + 1s, [&] {
    note();
    loop.Post(note);
    loop.At(start + 2s, note);
  });
  loop.Advance(2s);
  EXPECT_EQ(at, (std::vector<MonoTime::duration>{1s, 1s, 2s}));
  EXPECT_EQ(loop.next_timer(), start + 3s);
  EXPECT_EQ(clock.MonoNow(), start + 2s);
  loop.Run();
  EXPECT_EQ(at.back(), 3s);
  EXPECT_EQ(loop.next_timer(), std::nullopt);
}

TEST(FakeEventLoopTest, StopsCancelsAndRaisesLikeTheRealOne) {
  FakeClock clock;
  FakeEventLoop loop(clock);
  std::string order;
  ASSERT_TRUE(loop.OnSignals({SIGTERM}, [&](int) { loop.Stop(); }).ok());
  const TimerId id = loop.At(clock.MonoNow() + 1s, [&] { order += 'x'; });
  loop.Cancel(id);
  loop.At(clock.MonoNow() + 2s, [&] {
    order += 'a';
    EXPECT_TRUE(loop.Raise(SIGTERM));
  });
  loop.At(clock.MonoNow() + 3s, [&] { order += 'y'; });
  EXPECT_FALSE(loop.Raise(SIGHUP));
  loop.Run();
  EXPECT_EQ(order, "a");
  EXPECT_TRUE(loop.stopped());
}

}  // namespace
}  // namespace keyturn
