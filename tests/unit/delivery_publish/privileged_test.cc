// Other users, mounts and limits. Some cases need root; without it they say so and test what is
// left. SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <functional>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/base/strings.h"
#include "tests/unit/delivery_publish/support.h"

namespace keyturn::delivery {
namespace {

namespace stdfs = std::filesystem;
using testing::DiffVolume;
using ::testing::HasSubstr;
using testing::Payload;
using testing::Render;

constexpr uid_t kAgent = 65532;
constexpr uid_t kReader = 1000;

bool IsRoot() {
  return ::geteuid() == 0;
}

void SayNotRoot(const char* what) {
  std::fprintf(stderr, "\n*** NOT ROOT: not tested here: %s ***\n\n", what);
}

// Runs `body` in a child process, so that uid, mounts and flags end with it.
void InChild(const std::function<void()>& body) {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    body();
    std::fflush(nullptr);
    ::_exit(::testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0) << "failed in the child process";
}

void AsUser(uid_t uid, const std::function<void()>& body) {
  InChild([&] {
    ASSERT_EQ(::setgroups(0, nullptr), 0);
    ASSERT_EQ(::setgid(uid), 0);
    ASSERT_EQ(::setuid(uid), 0);
    // As the programs do; it must not keep the wiper from its own descriptors.
    ASSERT_EQ(::prctl(PR_SET_DUMPABLE, 0), 0);
    body();
  });
}

// Sets fs.protected_symlinks=1 for its life.
class ProtectedSymlinks {
 public:
  ProtectedSymlinks() : before_(testing::Slurp(kPath)) { testing::Spill(kPath, "1"); }

  ~ProtectedSymlinks() { testing::Spill(kPath, before_); }

  ProtectedSymlinks(const ProtectedSymlinks&) = delete;
  ProtectedSymlinks& operator=(const ProtectedSymlinks&) = delete;

 private:
  static constexpr char kPath[] = "/proc/sys/fs/protected_symlinks";
  const std::string before_;
};

// A volume as kubelet makes it: 1777, owned by root; the agent's directory below it.
class PrivilegedTest : public ::testing::Test {
 protected:
  PrivilegedTest() {
    stdfs::create_directory(target());
    EXPECT_EQ(::chmod(volume_.path().c_str(), 01777), 0);
    EXPECT_EQ(::chmod(target().c_str(), 0755), 0);
    if (!IsRoot()) return;
    EXPECT_EQ(::chown(target().c_str(), kAgent, kAgent), 0);
  }

  std::string target() const { return volume_.path() + "/app"; }

  static void MountTmpfs(const std::string& where, const char* options) {
    ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
    ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    ASSERT_EQ(::mount("tmpfs", where.c_str(), "tmpfs", 0, options), 0);
  }

  testing::TmpfsDirectory volume_;
};

TEST_F(PrivilegedTest, EveryUserReadsThroughTheTargetWithProtectedSymlinks) {
  const Payload payload = {{"a", "1"}, {"d/e/b", "2"}, {"c", "3", 0444}};
  if (!IsRoot()) {
    SayNotRoot("reading as another user with fs.protected_symlinks=1");
    ASSERT_TRUE(testing::PublishOnce(target(), payload).ok());
    EXPECT_EQ(testing::DiffVisible(target(), payload), "");
    return;
  }
  const ProtectedSymlinks on;
  AsUser(kAgent, [&] {
    ASSERT_TRUE(testing::PublishOnce(target(), {{"a", "0"}, {"old", "0"}}).ok());
    ASSERT_TRUE(testing::PublishOnce(target(), payload, 2).ok());
    // The trap that this layout avoids: the same links in the volume's root.
    ASSERT_EQ(::symlink("app/a", (volume_.path() + "/trap").c_str()), 0);
  });
  const auto read = [&] {
    EXPECT_EQ(testing::DiffVisible(target(), payload), "");
    EXPECT_EQ(testing::Slurp(volume_.path() + "/trap"), "<errno: Permission denied>");
  };
  AsUser(kReader, read);
  InChild(read);
}

TEST_F(PrivilegedTest, RefusesTheVolumesRootForEveryUser) {
  const auto refuse = [&] {
    const Status status = testing::PublishOnce(volume_.path(), {{"a", "1"}}).status();
    EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
    EXPECT_THAT(status.message(), HasSubstr("protected_symlinks"));
  };
  refuse();
  if (IsRoot()) AsUser(kAgent, refuse);
}

TEST_F(PrivilegedTest, WipesFilesThatNobodyMayWrite) {
  const auto body = [&] {
    const auto fs = fs::CreatePosixFileSystem();
    testing::Publisher publisher(*fs);
    const auto writer = publisher.Create(target());
    ASSERT_TRUE(writer.ok());
    const Payload before = {{"a", "1", 0444}, {"b", "2", 0400}, {"c", "3", 0040}, {"d", "4", 0}};
    ASSERT_TRUE((*writer)->Publish(Render(before)).ok());
    ASSERT_TRUE((*writer)->Publish(Render({{"a", "22"}})).ok());
    EXPECT_EQ(publisher.wiped("wiped"), 4);
    EXPECT_EQ(DiffVolume(target(), {{"a", "22"}}), "");
  };
  if (!IsRoot()) return InChild(body);
  AsUser(kAgent, body);
}

TEST_F(PrivilegedTest, ComparesFilesThatItMayNotRead) {
  const auto body = [&] {
    const auto fs = fs::CreatePosixFileSystem();
    testing::Publisher publisher(*fs);
    const auto writer = publisher.Create(target());
    const Payload payload = {{"a", "1", 0040}};
    EXPECT_TRUE((*writer)->Publish(Render(payload))->changed);
    EXPECT_FALSE((*writer)->Publish(Render(payload))->changed);
    EXPECT_TRUE((*writer)->Publish(Render({{"a", "2", 0040}}))->changed);
  };
  if (!IsRoot()) return InChild(body);
  AsUser(kAgent, body);
}

TEST_F(PrivilegedTest, FailsCleanlyWhenItMayNotGiveFilesAway) {
  const auto body = [&] {
    ASSERT_TRUE(testing::PublishOnce(target(), {{"a", "1"}}).ok());
    for (const auto& [uid, gid] : {std::pair{0U, kAgent}, {kAgent, 0U}}) {
      const Payload payload = {{"a", "2", 0440, uid, gid}};
      EXPECT_EQ(testing::PublishOnce(target(), payload, 2).status().code(),
                StatusCode::kPermissionDenied);
      EXPECT_EQ(DiffVolume(target(), {{"a", "1"}}), "");
    }
  };
  if (!IsRoot()) return InChild(body);
  AsUser(kAgent, body);
}

TEST_F(PrivilegedTest, LetsFilesInheritTheGroupOfASetgidTarget) {
  if (!IsRoot()) return SayNotRoot("a setgid target with a group that is not ours");
  ASSERT_EQ(::chown(target().c_str(), kAgent, 2000), 0);
  ASSERT_EQ(::chmod(target().c_str(), 02755), 0);
  AsUser(kAgent, [&] {
    const Payload payload = {{"a", "1"}, {"d/e/b", "2", 0440}};
    ASSERT_TRUE(testing::PublishOnce(target(), payload).ok());
    EXPECT_FALSE(testing::PublishOnce(target(), payload, 2)->changed);
    const Payload explicit_group = {{"a", "1", 0444, kAgent, 2000}, {"d/e/b", "2", 0440, {}, 2000}};
    EXPECT_EQ(DiffVolume(target(), explicit_group), "");
  });
}

TEST_F(PrivilegedTest, RefusesAFileSystemThatIsNotInMemory) {
  const Status status = testing::PublishOnce("/proc", {{"a", "1"}}).status();
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("tmpfs"));
}

// Leaves exactly `free` pages or inodes, whichever the mount limits.
void FillUp(const std::string& directory, const std::function<bool(const std::string&)>& take) {
  int files = 0;
  while (take(StrCat(directory, "/filler", files))) ++files;
}

bool TakeAPage(const std::string& path) {
  testing::Spill(path, std::string(4096, 'x'));
  std::error_code error;
  const bool written = stdfs::file_size(path, error) == 4096;
  if (!written) stdfs::remove(path);
  return written;
}

bool TakeAnInode(const std::string& path) {
  return ::symlink("x", path.c_str()) == 0;
}

// With room for 0, 1, 2, … pages or inodes the update fails at a later point each time.
void SweepSpace(const std::string& mount, bool (*take)(const std::string&), int most) {
  const std::string target = mount + "/app";
  ASSERT_EQ(::mkdir(target.c_str(), 0755), 0);
  const Payload before = {{"a", std::string(3000, '1')}};
  const Payload after = {
      {"a", std::string(9000, '2')}, {"b", "2"}, {"d/c", std::string(5000, '3')}};
  int failures = 0;
  for (int room = 0; room <= most; ++room) {
    ASSERT_TRUE(testing::PublishOnce(target, before, 1).ok());
    FillUp(mount, take);
    for (int i = 0; i < room; ++i) stdfs::remove(StrCat(mount, "/filler", i));
    const Result<PublishResult> result = testing::PublishOnce(target, after, 2);
    if (!result.ok()) {
      ++failures;
      EXPECT_EQ(result.status().code(), StatusCode::kResourceExhausted);
      // Links are made after the flip: a failure there finds `after` published.
      const bool flipped = testing::DiffGeneration(target, after).empty();
      EXPECT_TRUE(flipped || DiffVolume(target, before).empty()) << room;
    }
    for (const std::string& name : testing::Names(mount)) {
      if (name != "app") stdfs::remove(StrCat(mount, "/", name));
    }
    ASSERT_TRUE(testing::PublishOnce(target, after, 3).ok());
    EXPECT_EQ(DiffVolume(target, after), "") << room;
  }
  EXPECT_GT(failures, 3);
  EXPECT_LT(failures, most) << "the sweep must reach success";
}

TEST_F(PrivilegedTest, KeepsTheLastGenerationWhenPagesRunOut) {
  if (!IsRoot()) return SayNotRoot("ENOSPC on a small tmpfs (injected in crash_sweep_test)");
  InChild([&] {
    MountTmpfs(volume_.path(), "size=128k,mode=0755");
    SweepSpace(volume_.path(), TakeAPage, 10);
  });
}

TEST_F(PrivilegedTest, KeepsTheLastGenerationWhenInodesRunOut) {
  if (!IsRoot()) return SayNotRoot("inode limits of a small tmpfs");
  InChild([&] {
    MountTmpfs(volume_.path(), "nr_inodes=30,mode=0755");
    SweepSpace(volume_.path(), TakeAnInode, 12);
  });
}

TEST_F(PrivilegedTest, KeepsTheLastGenerationOnAReadOnlyRemount) {
  if (!IsRoot()) return SayNotRoot("a read-only remount");
  InChild([&] {
    MountTmpfs(volume_.path(), "mode=0755");
    const auto fs = fs::CreatePosixFileSystem();
    testing::Publisher publisher(*fs);
    const auto writer = publisher.Create(volume_.path());
    const Payload before = {{"a", "1"}, {"b", "2"}};
    ASSERT_TRUE((*writer)->Publish(Render(before)).ok());
    const char* path = volume_.path().c_str();
    ASSERT_EQ(::mount(nullptr, path, nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);
    EXPECT_FALSE((*writer)->Publish(Render(before))->changed);
    const Status status = (*writer)->Publish(Render({{"a", "2"}})).status();
    EXPECT_EQ(status.code(), StatusCode::kPermissionDenied);
    EXPECT_THAT(status.message(), HasSubstr("Read-only file system"));
    EXPECT_EQ(DiffVolume(volume_.path(), before), "");
    EXPECT_TRUE((*writer)->HasCompleteGeneration());
    ASSERT_EQ(::mount(nullptr, path, nullptr, MS_REMOUNT, nullptr), 0);
    EXPECT_TRUE((*writer)->Publish(Render({{"a", "2"}}))->changed);
    EXPECT_EQ(DiffVolume(volume_.path(), {{"a", "2"}}), "");
  });
}

}  // namespace
}  // namespace keyturn::delivery
