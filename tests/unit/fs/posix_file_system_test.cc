// What only the real file system shows, and ReplaceFile under faults. The common contract is in
// tests/conformance/file_system. SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/base/strings.h"
#include "lib/fs/file_system.h"
#include "tests/fakes/fault_injecting_file_system.h"
#include "tests/fakes/in_memory_file_system.h"

namespace keyturn::fs {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class PosixFileSystemTest : public ::testing::Test {
 protected:
  PosixFileSystemTest() : fs_(CreatePosixFileSystem()), root_("/dev/shm/keyturn-posix-XXXXXX") {
    (void)::signal(SIGIO, SIG_IGN);
    EXPECT_NE(::mkdtemp(root_.data()), nullptr);
  }

  ~PosixFileSystemTest() override {
    std::error_code error;
    std::filesystem::remove_all(root_, error);
  }

  std::string Path(const std::string& name) const { return root_ + "/" + name; }

  void WriteNew(const std::string& name, std::string_view bytes, mode_t mode = 0600) {
    const auto file = fs_->CreateFile(Path(name), 0600);
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE((*file)->Write(bytes).ok());
    ASSERT_TRUE((*file)->Chmod(mode).ok());
  }

  std::unique_ptr<FileSystem> fs_;
  std::string root_;
};

std::string Text(const Result<SecretBytes>& bytes) {
  if (!bytes.ok()) return bytes.status().ToString();
  return std::string(bytes->Reveal(InsecureSecretAccess::Get()));
}

TEST_F(PosixFileSystemTest, ReadsFilesWhoseSizeIsUnknown) {
  EXPECT_THAT(Text(fs_->ReadFile("/proc/self/status", 1 << 20)), HasSubstr("VmRSS"));
  // Larger than the first buffer.
  EXPECT_GT(fs_->ReadFile("/proc/self/smaps", 1 << 24)->size(), 4096U);
  EXPECT_EQ(fs_->ReadFile("/proc/self/smaps", 4096).status().code(),
            StatusCode::kResourceExhausted);
}

TEST_F(PosixFileSystemTest, NeverBlocksOnAFifo) {
  ASSERT_EQ(::mkfifo(Path("fifo").c_str(), 0600), 0);
  EXPECT_EQ(fs_->ReadFile(Path("fifo"), 10).status().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(fs_->OpenExisting(Path("fifo")).status().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(fs_->Stat(Path("fifo"))->type, FileType::kOther);
}

TEST_F(PosixFileSystemTest, QuotesPathsInMessages) {
  const Status status = fs_->Stat(Path("line\nbreak")).status();
  EXPECT_THAT(status.message(), Not(HasSubstr("\n")));
  EXPECT_THAT(status.message(), HasSubstr("line?break"));
}

TEST_F(PosixFileSystemTest, TellsTmpfsFromOtherFileSystems) {
  EXPECT_TRUE(*fs_->IsMemoryBacked(root_));
  EXPECT_FALSE(*fs_->IsMemoryBacked("/proc"));
}

TEST_F(PosixFileSystemTest, KeepsALockFromOtherProcessesUntilItEnds) {
  auto lock = fs_->TryLock(root_);
  ASSERT_TRUE(lock.ok());
  const auto try_in_child = [this] {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(static_cast<int>(fs_->TryLock(root_).status().code()));
    int status = 0;
    ::waitpid(child, &status, 0);
    return static_cast<StatusCode>(WEXITSTATUS(status));
  };
  EXPECT_EQ(try_in_child(), StatusCode::kUnavailable);
  lock->reset();
  EXPECT_EQ(try_in_child(), StatusCode::kOk);
}

TEST_F(PosixFileSystemTest, MakesAnUnlinkedFileWritableThatNobodyMayWrite) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::geteuid() == 0) {
      if (::chown(root_.c_str(), 1000, 1000) != 0 || ::setgid(1000) != 0 || ::setuid(1000) != 0) {
        ::_exit(2);
      }
    }
    for (const mode_t mode : {0444U, 0400U, 0040U, 0U}) {
      WriteNew("f", "secret", mode);
      const auto file = fs_->OpenExisting(Path("f"));
      const bool kept = fs_->Stat(Path("f"))->mode == mode;  // nobody notices before the unlink
      if (!kept || !fs_->Unlink(Path("f")).ok() || !(*file)->TryWriteLease().ok() ||
          !(*file)->Overwrite().ok()) {
        ::_exit(3);
      }
    }
    ::_exit(HasFailure() ? 1 : 0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST_F(PosixFileSystemTest, CannotLeaseAFileOfAnotherUser) {
  if (::geteuid() != 0) {
    std::fprintf(stderr, "\n*** NOT ROOT: not tested here: leases on another user's file ***\n\n");
    return;
  }
  WriteNew("f", "secret", 0666);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::chmod(root_.c_str(), 0755) != 0 || ::setgid(1000) != 0 || ::setuid(1000) != 0)
      ::_exit(99);
    const auto file = fs_->OpenExisting(Path("f"));
    ::_exit(file.ok() ? static_cast<int>((*file)->TryWriteLease().code()) : 98);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(static_cast<StatusCode>(WEXITSTATUS(status)), StatusCode::kPermissionDenied);
}

// --- ReplaceFile ---

// One replacement with call n failing. False when it was not reached.
bool ReplaceWithFault(const char* before, int n, int error_number) {
  testing::InMemoryFileSystem memory;
  if (before != nullptr) {
    EXPECT_TRUE(ReplaceFile(memory, "/s", before, 0600).ok());
  }
  testing::FaultInjectingFileSystem faulty(memory);
  faulty.Arm(testing::Fault::kFailOnce, n, error_number);
  const Status status = ReplaceFile(faulty, "/s", "new content", 0640);
  const Result<SecretBytes> found = memory.ReadFile("/s", 100);
  if (status.ok()) {
    EXPECT_EQ(Text(found), "new content");
  } else if (before == nullptr) {
    EXPECT_EQ(found.status().code(), StatusCode::kNotFound);
  } else {
    EXPECT_EQ(Text(found), before);
  }
  EXPECT_THAT(status.message(), Not(HasSubstr("new content")));
  EXPECT_TRUE(ReplaceFile(memory, "/s", "last", 0600).ok());
  EXPECT_EQ(memory.List("/")->size(), 1U);
  return faulty.fired();
}

TEST(ReplaceFileTest, ShowsTheOldOrTheNewContentAtEveryFailure) {
  for (const char* before : {static_cast<const char*>(nullptr), "old"}) {
    for (const int error_number : {EIO, ENOSPC, EACCES}) {
      int n = 1;
      while (n < 30 && ReplaceWithFault(before, n, error_number)) ++n;
      EXPECT_GT(n, 5);
      EXPECT_LT(n, 30);
    }
  }
}

TEST(ReplaceFileTest, LeavesTheOldFileWhenTheProcessDies) {
  for (int n = 1; n < 6; ++n) {
    testing::InMemoryFileSystem memory;
    ASSERT_TRUE(ReplaceFile(memory, "/s", "old", 0600).ok());
    testing::FaultInjectingFileSystem dying(memory);
    dying.Arm(testing::Fault::kDead, n);
    EXPECT_FALSE(ReplaceFile(dying, "/s", "new", 0600).ok());
    EXPECT_EQ(Text(memory.ReadFile("/s", 100)), "old");
    ASSERT_TRUE(ReplaceFile(memory, "/s", "newer", 0600).ok());
    EXPECT_EQ(memory.List("/")->size(), 1U);
  }
}

TEST(ReplaceFileTest, NeverExposesTheContentUnderAWiderMode) {
  testing::InMemoryFileSystem memory;
  testing::FaultInjectingFileSystem traced(memory);
  traced.Arm(testing::Fault::kNone, 0);
  ASSERT_TRUE(ReplaceFile(traced, "/state", "x", 0644).ok());
  EXPECT_THAT(traced.trace(),
              ::testing::ElementsAre("unlink .state.keyturn-tmp", "create .state.keyturn-tmp",
                                     "write .state.keyturn-tmp", "fchmod .state.keyturn-tmp",
                                     "rename state"));
}

}  // namespace
}  // namespace keyturn::fs
