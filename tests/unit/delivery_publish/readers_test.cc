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

constexpr int kReadsPerThread = 60'000;
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

struct Tally {
  std::atomic<int> reads{0};
  std::atomic<int> missing{0};     // ENOENT on a visible name
  std::atomic<int> failed{0};      // any other error
  std::atomic<int> incomplete{0};  // short, empty or zeroed
  std::atomic<int> mixed{0};       // two generations below one directory descriptor
  std::atomic<int> backwards{0};   // an older generation after a newer one
  std::atomic<int> retried{0};     // directory descriptor outlived its generation
};

// Opens the names that applications know.
void ReadVisibleNames(const std::string& target, Tally& tally) {
  std::string content;
  int last = 0;
  const UniqueFd directory(::open(target.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  for (int i = 0; i < kReadsPerThread; ++i) {
    const int error = ReadAt(directory.get(), kFiles[static_cast<size_t>(i) % 3], content);
    ++tally.reads;
    if (error != 0) {
      ++(error == ENOENT ? tally.missing : tally.failed);
      continue;
    }
    const int generation = GenerationOf(content);
    if (generation < 0) ++tally.incomplete;
    if (generation >= 0 && generation < last) ++tally.backwards;
    last = std::max(last, generation);
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

void ReadWholeGenerations(const std::string& target, Tally& tally) {
  for (int i = 0; i < kReadsPerThread / 3; ++i) {
    while (!ReadOneGeneration(target, tally)) ++tally.retried;
  }
}

TEST(ReadersTest, NeverSeeAMissingPartialOrMixedGeneration) {
  const testing::TmpfsDirectory directory;
  const std::string& target = directory.path();
  const auto fs = fs::CreatePosixFileSystem();
  testing::Publisher publisher(*fs);
  const auto writer = publisher.Create(target);
  int generation = 1;
  ASSERT_TRUE((*writer)->Publish(testing::Render(PayloadOf(generation))).ok());

  Tally tally;
  std::atomic<int> running{2};
  std::thread visible([&] {
    ReadVisibleNames(target, tally);
    --running;
  });
  std::thread whole([&] {
    ReadWholeGenerations(target, tally);
    --running;
  });
  while (running > 0) {
    ++generation;
    EXPECT_TRUE((*writer)->Publish(testing::Render(PayloadOf(generation))).ok());
    publisher.wiper().RetryPending();
  }
  visible.join();
  whole.join();
  RecordProperty("flips", generation);
  RecordProperty("retried", tally.retried);
  EXPECT_GE(tally.reads, 100'000);
  EXPECT_GT(generation, 1'000);
  EXPECT_EQ(tally.missing, 0);
  EXPECT_EQ(tally.failed, 0);
  EXPECT_EQ(tally.incomplete, 0);
  EXPECT_EQ(tally.mixed, 0);
  EXPECT_EQ(tally.backwards, 0);
  EXPECT_EQ(testing::DiffVolume(target, PayloadOf(generation)), "");
}

TEST(ReadersTest, ADescriptorFromBeforeTheFlipReadsTheCompleteOldBytes) {
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

TEST(ReadersTest, ADirectoryDescriptorOfARemovedGenerationGivesNotFound) {
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
