// Readers in parallel with a writer that flips all the time.
// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <charconv>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "lib/base/strings.h"
#include "lib/base/unique_fd.h"
#include "tests/unit/delivery_publish/support.h"

namespace keyturn::delivery {
namespace {

// A race goes on until this many flips and the reads that are asked for, whatever the machine is
// busy with.
constexpr int kFlips = 100;
constexpr std::array<const char*, 3> kFiles = {"a", "b", "d/e/c"};

// "GENERATION LENGTH " and filler up to LENGTH bytes, which differs between generations.
std::string ContentOf(int generation) {
  const size_t length = 40 + static_cast<size_t>(generation % 7) * 700;
  std::string text = StrCat(generation, " ", length, " ");
  text.resize(length, static_cast<char>('a' + generation % 26));
  return text;
}

testing::Payload PayloadOf(int generation) {
  testing::Payload payload;
  for (const char* name : kFiles) payload.push_back({name, ContentOf(generation)});
  return payload;
}

// The generation that `content` belongs to, -1 when it is not complete.
int GenerationOf(std::string_view content) {
  int generation = -1;
  std::from_chars(content.data(), content.data() + content.size(), generation);
  return generation >= 0 && content == ContentOf(generation) ? generation : -1;
}

// Fills `content`; errno when it fails, 0 otherwise.
int ReadAt(int directory, const char* path, std::string& content) {
  const UniqueFd fd(::openat(directory, path, O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return errno;
  content.resize(8192);
  const ssize_t got = ::read(fd.get(), content.data(), content.size());
  if (got < 0) return errno;
  content.resize(static_cast<size_t>(got));
  return 0;
}

// What one reader found.
struct Tally {
  int reads = 0;
  int missing = 0;     // ENOENT on a visible name
  int failed = 0;      // any other error
  int incomplete = 0;  // short, empty or zeroed
  int mixed = 0;       // two generations below one directory descriptor
  int backwards = 0;   // an older generation after a newer one
  int retried = 0;     // the generation went while its directory was open
};

// Passes that a reader has begun; even when it is between two.
using Progress = std::atomic<uint64_t>;

// Opens one of the names that applications know.
void ReadVisibleName(int directory, int turn, int& last, Tally& tally) {
  std::string content;
  const int error = ReadAt(directory, kFiles[static_cast<size_t>(turn) % 3], content);
  ++tally.reads;
  if (error != 0) {
    ++(error == ENOENT ? tally.missing : tally.failed);
    return;
  }
  const int generation = GenerationOf(content);
  if (generation < 0) ++tally.incomplete;
  if (generation >= 0 && generation < last) ++tally.backwards;
  last = std::max(last, generation);
}

void ReadVisibleNames(const std::string& target, const std::atomic<bool>& stop, Progress& progress,
                      Tally& tally) {
  const UniqueFd directory(::open(target.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  int last = 0;
  while (!stop) {
    ++progress;
    ReadVisibleName(directory.get(), tally.reads, last, tally);
    ++progress;
  }
}

// One pass over a generation through one directory descriptor. False: removed meanwhile.
bool ReadOneGeneration(const std::string& target, Tally& tally) {
  const UniqueFd data(::open((target + "/..data").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!data.valid()) return false;
  std::array<int, kFiles.size()> generations{};
  std::string content;
  for (size_t i = 0; i < kFiles.size(); ++i) {
    const int error = ReadAt(data.get(), kFiles[i], content);
    if (error == ENOENT) return false;
    ++tally.reads;
    if (error != 0) ++tally.failed;
    generations[i] = GenerationOf(content);
    if (generations[i] < 0) ++tally.incomplete;
  }
  if (generations[0] != generations[1] || generations[1] != generations[2]) ++tally.mixed;
  return true;
}

void ReadWholeGenerations(const std::string& target, const std::atomic<bool>& stop,
                          Progress& progress, Tally& tally) {
  while (!stop) {
    ++progress;
    while (!ReadOneGeneration(target, tally)) ++tally.retried;
    ++progress;
  }
}

// Lingers until every pass that was under way has ended: what the real linger time achieves on any
// machine that is not starved, without depending on this machine's load.
class QuiescentSleeper final : public Sleeper {
 public:
  explicit QuiescentSleeper(std::array<Progress, 2>& readers) : readers_(readers) {}

  Status SleepUntil(MonoTime, const std::stop_token&) override {
    for (Progress& reader : readers_) {
      const uint64_t now = reader;
      while (now % 2 == 1 && reader == now) std::this_thread::yield();
    }
    return OkStatus();
  }

 private:
  std::array<Progress, 2>& readers_;
};

class ReadersTest : public ::testing::Test {
 protected:
  ReadersTest() : fs_(fs::CreatePosixFileSystem()), publisher_(*fs_) {}

  void Race(Sleeper* sleeper, uint64_t reads) {
    const std::string& target = directory_.path();
    const auto writer = publisher_.Create(target, false, sleeper);
    ASSERT_TRUE((*writer)->Publish(testing::Render(PayloadOf(flips_))).ok());
    std::atomic<bool> stop{false};
    std::thread visible([&] { ReadVisibleNames(target, stop, progress_[0], visible_); });
    std::thread whole([&] { ReadWholeGenerations(target, stop, progress_[1], whole_); });
    // Every pass counts twice, and a pass over a generation is three reads.
    while (flips_ < kFlips || progress_[0] / 2 + progress_[1] / 2 * 3 < reads) {
      EXPECT_TRUE((*writer)->Publish(testing::Render(PayloadOf(++flips_))).ok());
      publisher_.wiper().RetryPending();
    }
    stop = true;
    visible.join();
    whole.join();
    EXPECT_EQ(testing::DiffVolume(target, PayloadOf(flips_)), "");
  }

  // Everything but a name that is gone.
  void ExpectWhole() const {
    EXPECT_GT(visible_.reads, 0);
    EXPECT_GT(whole_.reads, 0);
    for (const Tally* tally : {&visible_, &whole_}) {
      EXPECT_EQ(tally->failed, 0);
      EXPECT_EQ(tally->incomplete, 0);
      EXPECT_EQ(tally->mixed, 0);
      EXPECT_EQ(tally->backwards, 0);
    }
  }

  testing::TmpfsDirectory directory_;
  std::unique_ptr<fs::FileSystem> fs_;
  testing::Publisher publisher_;
  std::array<Progress, 2> progress_{};
  Tally visible_;
  Tally whole_;
  int flips_ = 1;
};

TEST_F(ReadersTest, NeverSeeAMissingPartialOrMixedGeneration) {
  QuiescentSleeper sleeper(progress_);
  Race(&sleeper, 100'000);
  ExpectWhole();
  EXPECT_EQ(visible_.missing, 0);
  EXPECT_EQ(whole_.retried, 0);
}

TEST_F(ReadersTest, NeverSeeAPartialOrMixedGenerationEvenWithoutLingering) {
  Race(nullptr, 30'000);
  ExpectWhole();
  EXPECT_LT(visible_.missing, 1 + visible_.reads / 100);
}

TEST(OpenDescriptorsTest, ADescriptorFromBeforeTheFlipReadsTheCompleteOldBytes) {
  const testing::TmpfsDirectory directory;
  const auto fs = fs::CreatePosixFileSystem();
  testing::Publisher publisher(*fs);
  const auto writer = publisher.Create(directory.path());
  ASSERT_TRUE((*writer)->Publish(testing::Render({{"a", "0123456789"}, {"b", "x"}})).ok());
  const UniqueFd fd(::open((directory.path() + "/a").c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 5> half{};
  ASSERT_EQ(::read(fd.get(), half.data(), 5), 5);
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE((*writer)->Publish(testing::Render({{"a", StrCat("new", i)}})).ok());
    EXPECT_EQ(publisher.wiper().RetryPending(), 1U);
    EXPECT_EQ(::pread(fd.get(), half.data(), 5, 5), 5);
    EXPECT_EQ(std::string(half.data(), 5), "56789");
  }
  EXPECT_EQ(publisher.wiped("wiped"), 5);  // b, and each new a
}

TEST(OpenDescriptorsTest, ADirectoryDescriptorOfARemovedGenerationGivesNotFound) {
  const testing::TmpfsDirectory directory;
  ASSERT_TRUE(testing::PublishOnce(directory.path(), {{"a", "1"}}).ok());
  const UniqueFd data(::open((directory.path() + "/..data").c_str(), O_RDONLY | O_DIRECTORY));
  ASSERT_TRUE(testing::PublishOnce(directory.path(), {{"a", "2"}}, 2).ok());
  std::string content;
  EXPECT_EQ(ReadAt(data.get(), "a", content), ENOENT);
  EXPECT_EQ(testing::Slurp(directory.path() + "/a"), "2");
}

}  // namespace
}  // namespace keyturn::delivery
