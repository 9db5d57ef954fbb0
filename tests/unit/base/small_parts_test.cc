// Tests of Random, Sleeper, Snapshot and UniqueFd.
// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>

#include <array>
#include <regex>
#include <set>
#include <thread>

#include <gtest/gtest.h>

#include "lib/base/random.h"
#include "lib/base/sleeper.h"
#include "lib/base/snapshot.h"
#include "lib/base/unique_fd.h"
#include "tests/fakes/fake_random.h"

namespace keyturn {
namespace {

using namespace std::chrono_literals;

// Every byte the same: the extremes that a generator can deliver.
class ConstantRandom final : public Random {
 public:
  explicit ConstantRandom(int byte) : byte_(static_cast<std::byte>(byte)) {}

  void Fill(std::span<std::byte> out) override { std::fill(out.begin(), out.end(), byte_); }

 private:
  const std::byte byte_;
};

TEST(RandomTest, UuidHasTheFormOfVersion4) {
  const std::regex form("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}");
  SystemRandom random;
  std::set<std::string> seen;
  for (int i = 0; i < 200; ++i) {
    const std::string uuid = random.Uuid();
    EXPECT_TRUE(std::regex_match(uuid, form)) << uuid;
    EXPECT_TRUE(seen.insert(uuid).second) << uuid;
  }
  EXPECT_TRUE(std::regex_match(ConstantRandom(0).Uuid(), form));
  EXPECT_TRUE(std::regex_match(ConstantRandom(0xFF).Uuid(), form));
}

TEST(RandomTest, UuidUsesEveryVariantDigit) {
  testing::FakeRandom random(7);
  std::set<char> variants;
  for (int i = 0; i < 200; ++i) variants.insert(random.Uuid()[19]);
  EXPECT_EQ(variants, (std::set<char>{'8', '9', 'a', 'b'}));
}

TEST(RandomTest, DoublesLieBetweenZeroAndBelowOne) {
  EXPECT_EQ(ConstantRandom(0).NextDouble(), 0.0);
  EXPECT_LT(ConstantRandom(0xFF).NextDouble(), 1.0);
  EXPECT_GT(ConstantRandom(0xFF).NextDouble(), 0.999999);
}

TEST(RandomTest, HexStringHasTheAskedLength) {
  SystemRandom random;
  for (const size_t size : {0U, 1U, 15U, 16U, 17U, 64U}) {
    const std::string hex = random.HexString(size);
    EXPECT_EQ(hex.size(), size);
    EXPECT_EQ(hex.find_first_not_of("0123456789abcdef"), std::string::npos) << hex;
  }
}

TEST(RandomTest, FillsEveryByte) {
  SystemRandom random;
  std::array<std::byte, 1024> bytes{};
  std::set<std::byte> seen;
  random.Fill(bytes);
  seen.insert(bytes.begin(), bytes.end());
  EXPECT_GT(seen.size(), 200U);
  random.Fill({});
}

TEST(SleeperTest, EndsAtTheTimeOrAtAStopRequest) {
  SystemSleeper sleeper;
  const SystemClock clock;
  EXPECT_TRUE(sleeper.SleepUntil(clock.MonoNow() - 1h, {}).ok());
  const MonoTime soon = clock.MonoNow() + 2ms;
  EXPECT_TRUE(sleeper.SleepUntil(soon, {}).ok());
  EXPECT_GE(clock.MonoNow(), soon);
  std::stop_source stopped;
  stopped.request_stop();
  EXPECT_EQ(sleeper.SleepUntil(MonoTime::max(), stopped.get_token()).code(),
            StatusCode::kCancelled);
}

TEST(SleeperTest, AnotherThreadInterruptsIt) {
  SystemSleeper sleeper;
  std::stop_source source;
  std::thread stopper([&] { source.request_stop(); });
  EXPECT_EQ(sleeper.SleepUntil(MonoTime::max(), source.get_token()).code(), StatusCode::kCancelled);
  stopper.join();
}

TEST(SnapshotTest, ReadersKeepWhatTheyGot) {
  Snapshot<std::string> snapshot;
  EXPECT_EQ(snapshot.Get(), nullptr);
  snapshot.Set(std::make_shared<const std::string>("old"));
  const auto old = snapshot.Get();
  snapshot.Set(std::make_shared<const std::string>("new"));
  EXPECT_EQ(*old, "old");
  EXPECT_EQ(*snapshot.Get(), "new");
}

TEST(SnapshotTest, TheOldValueDiesOutsideTheLock) {
  // Its destructor reads the snapshot: within the lock that would be a deadlock.
  struct Curious {
    explicit Curious(Snapshot<Curious>* snapshot_in) : snapshot(snapshot_in) {}

    Snapshot<Curious>* snapshot;

    ~Curious() {
      if (snapshot != nullptr) (void)snapshot->Get();
    }
  };

  Snapshot<Curious> snapshot;
  snapshot.Set(std::make_shared<const Curious>(&snapshot));
  snapshot.Set(std::make_shared<const Curious>(nullptr));
}

TEST(SnapshotTest, ReplacingWhileReadingIsSafe) {
  Snapshot<int> snapshot(std::make_shared<const int>(0));
  std::thread writer([&] {
    for (int i = 1; i <= 2000; ++i) snapshot.Set(std::make_shared<const int>(i));
  });
  int last = 0;
  while (last < 2000) {
    const int now = *snapshot.Get();
    ASSERT_GE(now, last);
    last = now;
  }
  writer.join();
}

TEST(UniqueFdTest, ClosesExactlyOnceAndMoves) {
  UniqueFd first(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int number = first.get();
  UniqueFd second = std::move(first);
  EXPECT_FALSE(first.valid());
  EXPECT_EQ(second.get(), number);
  UniqueFd& same = second;
  second = std::move(same);
  EXPECT_TRUE(second.valid());
  second.Reset();
  EXPECT_EQ(::fcntl(number, F_GETFD), -1);
}

}  // namespace
}  // namespace keyturn
