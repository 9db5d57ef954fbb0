// SPDX-License-Identifier: Apache-2.0
#include "lib/delivery/wiper.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/base/strings.h"
#include "lib/base/unique_fd.h"
#include "tests/fakes/fault_injecting_file_system.h"
#include "tests/fakes/in_memory_file_system.h"
#include "tests/unit/delivery_publish/support.h"

namespace keyturn::delivery {
namespace {

namespace stdfs = std::filesystem;
using std::chrono::seconds;
using testing::Slurp;
using testing::Spill;

class WiperTest : public ::testing::Test {
 protected:
  WiperTest() : fs_(fs::CreatePosixFileSystem()), publisher_(*fs_, 1, {seconds(60), 3}) {}

  std::string Path(const std::string& name) const { return directory_.path() + "/" + name; }

  Wiper& wiper() { return publisher_.wiper(); }

  // What an open descriptor reads from the start.
  static std::string ReadAgain(const UniqueFd& fd) {
    return Slurp(StrCat("/proc/self/fd/", fd.get()));
  }

  testing::TmpfsDirectory directory_;
  std::unique_ptr<fs::FileSystem> fs_;
  testing::Publisher publisher_;
};

UniqueFd OpenRead(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_TRUE(fd.valid());
  return fd;
}

TEST_F(WiperTest, RemovesATree) {
  stdfs::create_directories(Path("g/d/e"));
  Spill(Path("g/a"), "1");
  Spill(Path("g/d/e/b"), std::string(200'000, 's'));
  Spill(Path("outside"), "kept");
  ASSERT_EQ(::symlink("../outside", Path("g/link").c_str()), 0);
  ASSERT_EQ(::mkfifo(Path("g/fifo").c_str(), 0600), 0);
  EXPECT_TRUE(wiper().RemoveTree(Path("g")).ok());
  EXPECT_EQ(testing::Names(directory_.path()), std::set<std::string>{"outside"});
  EXPECT_EQ(publisher_.wiped("wiped"), 2);
  EXPECT_EQ(Slurp(Path("outside")), "kept");
}

TEST_F(WiperTest, CountsWhatIsMissingAsDone) {
  EXPECT_TRUE(wiper().RemoveTree(Path("missing")).ok());
  EXPECT_TRUE(wiper().RemoveFile(Path("missing")).ok());
  EXPECT_EQ(publisher_.wiped("error"), 0);
}

TEST_F(WiperTest, OverwritesTheBytesThemselves) {
  // A second name shows the inode after the first one is gone.
  Spill(Path("a"), std::string(150'000, 's'));
  ASSERT_EQ(::link(Path("a").c_str(), Path("witness").c_str()), 0);
  EXPECT_TRUE(wiper().RemoveFile(Path("a")).ok());
  EXPECT_EQ(Slurp(Path("witness")), std::string(150'000, '\0'));
}

TEST_F(WiperTest, LetsAReaderFinishAndWipesAfterwards) {
  Spill(Path("a"), "complete old bytes");
  ASSERT_EQ(::link(Path("a").c_str(), Path("witness").c_str()), 0);
  UniqueFd reader = OpenRead(Path("a"));
  EXPECT_TRUE(wiper().RemoveFile(Path("a")).ok());
  EXPECT_FALSE(stdfs::exists(Path("a")));
  publisher_.clock().Advance(seconds(59));
  EXPECT_EQ(wiper().RetryPending(), 1U);
  EXPECT_EQ(ReadAgain(reader), "complete old bytes");
  reader.Reset();
  EXPECT_EQ(wiper().RetryPending(), 0U);
  EXPECT_EQ(Slurp(Path("witness")), std::string(18, '\0'));
  EXPECT_EQ(publisher_.wiped("wiped"), 1);
}

TEST_F(WiperTest, GivesUpWhenTheGraceIsOver) {
  Spill(Path("a"), "complete old bytes");
  const UniqueFd reader = OpenRead(Path("a"));
  EXPECT_TRUE(wiper().RemoveFile(Path("a")).ok());
  publisher_.clock().Advance(seconds(60));
  EXPECT_EQ(wiper().RetryPending(), 0U);
  EXPECT_EQ(ReadAgain(reader), "complete old bytes");
  EXPECT_EQ(publisher_.wiped("in_use"), 1);
  EXPECT_EQ(publisher_.wiped("wiped"), 0);
}

TEST_F(WiperTest, SparesAFileThatIsOnlyMapped) {
  Spill(Path("a"), "mapped");
  UniqueFd reader = OpenRead(Path("a"));
  const void* mapping = ::mmap(nullptr, 6, PROT_READ, MAP_SHARED, reader.get(), 0);
  ASSERT_NE(mapping, MAP_FAILED);
  reader.Reset();
  EXPECT_TRUE(wiper().RemoveFile(Path("a")).ok());
  EXPECT_EQ(wiper().RetryPending(), 1U);
  EXPECT_EQ(std::string(static_cast<const char*>(mapping), 6), "mapped");
  ::munmap(const_cast<void*>(mapping), 6);
  EXPECT_EQ(wiper().RetryPending(), 0U);
  EXPECT_EQ(publisher_.wiped("wiped"), 1);
}

TEST_F(WiperTest, HoldsAtMostMaxPendingDescriptors) {
  std::vector<UniqueFd> readers;
  for (int i = 0; i < 5; ++i) {
    Spill(Path(StrCat(i)), "x");
    readers.push_back(OpenRead(Path(StrCat(i))));
    EXPECT_TRUE(wiper().RemoveFile(Path(StrCat(i))).ok());
  }
  EXPECT_EQ(publisher_.wiped("in_use"), 2);
  EXPECT_EQ(wiper().RetryPending(), 3U);
  readers.clear();
  EXPECT_EQ(wiper().RetryPending(), 0U);
  EXPECT_EQ(publisher_.wiped("wiped"), 3);
}

TEST_F(WiperTest, UnlinksWithoutWipingWhereLeasesAreNotSupported) {
  testing::FaultInjectingFileSystem sandbox(*fs_);
  testing::Publisher publisher(sandbox);
  Spill(Path("a"), "secret");
  sandbox.Arm(testing::Fault::kFailOnce, 4, EOPNOTSUPP);  // stat, open, unlink, lease
  EXPECT_TRUE(publisher.wiper().RemoveFile(Path("a")).ok());
  EXPECT_EQ(sandbox.trace().back(), "lease a");
  EXPECT_FALSE(stdfs::exists(Path("a")));
  EXPECT_EQ(publisher.wiped("unsupported"), 1);
  EXPECT_EQ(publisher.wiper().RetryPending(), 0U);
}

TEST_F(WiperTest, OpensUnlinksLeasesThenOverwrites) {
  testing::FaultInjectingFileSystem traced(*fs_);
  testing::Publisher publisher(traced);
  Spill(Path("a"), "secret");
  traced.Arm(testing::Fault::kNone, 0);
  ASSERT_TRUE(publisher.wiper().RemoveFile(Path("a")).ok());
  EXPECT_THAT(traced.trace(),
              ::testing::ElementsAre("stat a", "open a", "unlink a", "lease a", "overwrite a"));
}

struct Faulted {
  int call;
  bool gone;  // the file
  StatusCode code;
};

TEST_F(WiperTest, RemovesEvenWhatItCannotWipe) {
  const std::vector<Faulted> cases = {{1, false, StatusCode::kInternal},
                                      {2, true, StatusCode::kOk},
                                      {3, false, StatusCode::kInternal},
                                      {4, true, StatusCode::kOk},
                                      {5, true, StatusCode::kOk}};
  for (const Faulted& test : cases) {
    testing::FaultInjectingFileSystem faulty(*fs_);
    testing::Publisher publisher(faulty);
    Spill(Path("a"), "secret");
    faulty.Arm(testing::Fault::kFailOnce, test.call, EIO);
    EXPECT_EQ(publisher.wiper().RemoveFile(Path("a")).code(), test.code) << test.call;
    EXPECT_EQ(!stdfs::exists(Path("a")), test.gone) << test.call;
    EXPECT_EQ(publisher.wiped("error"), test.gone ? 1 : 0) << test.call;
  }
}

TEST_F(WiperTest, GoesOnAfterAnErrorAndReportsTheFirst) {
  testing::FaultInjectingFileSystem faulty(*fs_);
  for (int n = 1; n < 40; ++n) {
    testing::Publisher publisher(faulty);
    stdfs::create_directories(Path("g/d"));
    for (const char* name : {"g/a", "g/b", "g/d/c"}) Spill(Path(name), "x");
    faulty.Arm(testing::Fault::kFailOnce, n, EIO);
    const Status status = publisher.wiper().RemoveTree(Path("g"));
    if (!faulty.fired()) break;
    EXPECT_EQ(status.ok(), !stdfs::exists(Path("g"))) << n;
    faulty.Disarm();
    EXPECT_TRUE(publisher.wiper().RemoveTree(Path("g")).ok());
    EXPECT_FALSE(stdfs::exists(Path("g")));
    ASSERT_LT(n, 39);
  }
}

TEST_F(WiperTest, WipesPendingFilesWhenItEnds) {
  testing::InMemoryFileSystem memory;
  ASSERT_TRUE(memory.MakeDirectory("/t", 0755).ok());
  ASSERT_TRUE((*memory.CreateFile("/t/a", 0600))->Write("secret").ok());
  ASSERT_TRUE((*memory.CreateFile("/t/b", 0600))->Write("secret").ok());
  auto reader_of_a = memory.OpenForRead("/t/a");
  const auto reader_of_b = memory.OpenForRead("/t/b");
  testing::FakeClock clock;
  NullLogger logger;
  metrics::Registry metrics;
  auto wiper = CreateWiper(memory, clock, logger, metrics, {});
  EXPECT_TRUE(wiper->RemoveTree("/t").ok());
  EXPECT_EQ(wiper->RetryPending(), 2U);
  reader_of_a.reset();
  wiper.reset();
  EXPECT_EQ(reader_of_b->Content(), "secret");
  EXPECT_EQ(metrics.GetCounter("keyturn_wipe_files_total", "", {{"result", "wiped"}}).value(), 1);
  EXPECT_EQ(metrics.GetCounter("keyturn_wipe_files_total", "", {{"result", "in_use"}}).value(), 1);
}

}  // namespace
}  // namespace keyturn::delivery
