// One suite over every FileSystem: the real one on tmpfs and the fake.
// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <ostream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/base/strings.h"
#include "lib/fs/file_system.h"
#include "tests/fakes/in_memory_file_system.h"

namespace keyturn::fs {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

struct Environment {
  std::unique_ptr<FileSystem> fs;
  std::string root;  // an empty directory
  std::function<void()> clean_up = [] {};
};

Environment MakePosix() {
  std::string path = "/dev/shm/keyturn-fs-XXXXXX";
  EXPECT_NE(::mkdtemp(path.data()), nullptr);
  return {CreatePosixFileSystem(), path, [path] { std::filesystem::remove_all(path); }};
}

Environment MakeInMemory() {
  auto fs = std::make_unique<keyturn::testing::InMemoryFileSystem>();
  EXPECT_TRUE(fs->MakeDirectory("/root", 0700).ok());
  return {std::move(fs), "/root"};
}

struct Implementation {
  const char* name;
  Environment (*make)();
};

// For the names of the tests; the default would print addresses.
void PrintTo(const Implementation& implementation, std::ostream* out) {
  *out << implementation.name;
}

class FileSystemConformanceTest : public ::testing::TestWithParam<Implementation> {
 protected:
  FileSystemConformanceTest() : environment_(GetParam().make()), fs_(*environment_.fs) {
    (void)::signal(SIGIO, SIG_IGN);
    ::umask(022);
  }

  ~FileSystemConformanceTest() override { environment_.clean_up(); }

  std::string Path(const std::string& name) const { return environment_.root + "/" + name; }

  Status WriteNew(const std::string& name, std::string_view bytes, mode_t mode = 0644) {
    KEYTURN_ASSIGN_OR_RETURN(const std::unique_ptr<File> file, fs_.CreateFile(Path(name), mode));
    return file->Write(bytes);
  }

  std::string Read(const std::string& name) {
    const Result<SecretBytes> bytes = fs_.ReadFile(Path(name), 1 << 20);
    if (!bytes.ok()) return bytes.status().ToString();
    return std::string(bytes->Reveal(InsecureSecretAccess::Get()));
  }

  StatusCode StatCode(const std::string& name) { return fs_.Stat(Path(name)).status().code(); }

  Environment environment_;
  FileSystem& fs_;
};

INSTANTIATE_TEST_SUITE_P(All, FileSystemConformanceTest,
                         ::testing::Values(Implementation{"Posix", MakePosix},
                                           Implementation{"InMemory", MakeInMemory}),
                         [](const auto& test) { return std::string(test.param.name); });

TEST_P(FileSystemConformanceTest, ReadsBackWhatWasWritten) {
  for (const std::string& bytes :
       {std::string(), std::string("x"), std::string("a\0b", 3), std::string(70'000, 'z')}) {
    ASSERT_TRUE(WriteNew("f", bytes).ok());
    EXPECT_EQ(Read("f"), bytes);
    EXPECT_EQ(fs_.Stat(Path("f"))->size, bytes.size());
    ASSERT_TRUE(fs_.Unlink(Path("f")).ok());
  }
}

TEST_P(FileSystemConformanceTest, AppendsConsecutiveWrites) {
  const auto file = fs_.CreateFile(Path("f"), 0644);
  ASSERT_TRUE((*file)->Write("ab").ok());
  ASSERT_TRUE((*file)->Write("").ok());
  ASSERT_TRUE((*file)->Write("c").ok());
  EXPECT_EQ(Read("f"), "abc");
}

TEST_P(FileSystemConformanceTest, RefusesToReadMoreThanAllowed) {
  ASSERT_TRUE(WriteNew("f", "12345").ok());
  EXPECT_TRUE(fs_.ReadFile(Path("f"), 5).ok());
  EXPECT_EQ(fs_.ReadFile(Path("f"), 4).status().code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(fs_.ReadFile(Path("f"), 0).status().code(), StatusCode::kResourceExhausted);
  EXPECT_TRUE(fs_.ReadFile(Path("f"), SIZE_MAX).ok());
}

TEST_P(FileSystemConformanceTest, ReadsOnlyRegularFiles) {
  ASSERT_TRUE(fs_.MakeDirectory(Path("d"), 0755).ok());
  EXPECT_EQ(fs_.ReadFile(Path("d"), 10).status().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(fs_.ReadFile(Path("missing"), 10).status().code(), StatusCode::kNotFound);
}

TEST_P(FileSystemConformanceTest, NamesTheCallAndThePathInErrors) {
  const Status status = fs_.ReadFile(Path("missing"), 10).status();
  EXPECT_THAT(status.message(), HasSubstr("missing"));
}

TEST_P(FileSystemConformanceTest, NeverShowsContentInErrors) {
  ASSERT_TRUE(WriteNew("f", "canary-value").ok());
  EXPECT_THAT(fs_.ReadFile(Path("f"), 3).status().message(), Not(HasSubstr("canary")));
}

TEST_P(FileSystemConformanceTest, CreatesOnlyWhatDoesNotExist) {
  ASSERT_TRUE(WriteNew("f", "1").ok());
  ASSERT_TRUE(fs_.Symlink("nowhere", Path("l")).ok());
  ASSERT_TRUE(fs_.MakeDirectory(Path("d"), 0755).ok());
  for (const char* name : {"f", "l", "d"}) {
    EXPECT_EQ(fs_.CreateFile(Path(name), 0644).status().code(), StatusCode::kAlreadyExists);
    EXPECT_EQ(fs_.MakeDirectory(Path(name), 0755).code(), StatusCode::kAlreadyExists);
    EXPECT_EQ(fs_.Symlink("x", Path(name)).code(), StatusCode::kAlreadyExists);
  }
  EXPECT_EQ(StatCode("nowhere"), StatusCode::kNotFound);
  EXPECT_EQ(Read("f"), "1");
}

TEST_P(FileSystemConformanceTest, NeedsTheParentDirectory) {
  EXPECT_EQ(fs_.CreateFile(Path("no/f"), 0644).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(fs_.MakeDirectory(Path("no/d"), 0755).code(), StatusCode::kNotFound);
  ASSERT_TRUE(WriteNew("f", "").ok());
  EXPECT_EQ(fs_.MakeDirectory(Path("f/d"), 0755).code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(StatCode("f/x"), StatusCode::kFailedPrecondition);
}

TEST_P(FileSystemConformanceTest, RefusesLongNames) {
  EXPECT_TRUE(WriteNew(std::string(255, 'n'), "").ok());
  EXPECT_EQ(WriteNew(std::string(256, 'n'), "").code(), StatusCode::kInvalidArgument);
  std::string deep;
  while (deep.size() < 4096) deep += "d/";
  EXPECT_EQ(WriteNew(deep + "f", "").code(), StatusCode::kInvalidArgument);
}

TEST_P(FileSystemConformanceTest, TellsTypesApart) {
  ASSERT_TRUE(WriteNew("f", "abc").ok());
  ASSERT_TRUE(fs_.MakeDirectory(Path("d"), 0750).ok());
  ASSERT_TRUE(fs_.Symlink("f", Path("l")).ok());
  EXPECT_EQ(fs_.Stat(Path("f"))->type, FileType::kRegular);
  EXPECT_EQ(fs_.Stat(Path("d"))->type, FileType::kDirectory);
  EXPECT_EQ(fs_.Stat(Path("l"))->type, FileType::kSymlink);
  EXPECT_EQ(fs_.StatFollow(Path("l"))->type, FileType::kRegular);
  EXPECT_EQ(fs_.StatFollow(Path("l"))->inode, fs_.Stat(Path("f"))->inode);
}

TEST_P(FileSystemConformanceTest, AppliesTheUmaskOnlyOnCreation) {
  ASSERT_TRUE(WriteNew("f", "", 0666).ok());
  ASSERT_TRUE(fs_.MakeDirectory(Path("d"), 0777).ok());
  EXPECT_EQ(fs_.Stat(Path("f"))->mode, 0644U);
  EXPECT_EQ(fs_.Stat(Path("d"))->mode, 0755U);
  ASSERT_TRUE(fs_.Chmod(Path("f"), 0666).ok());
  ASSERT_TRUE(fs_.Chmod(Path("d"), 0777).ok());
  EXPECT_EQ(fs_.Stat(Path("f"))->mode, 0666U);
  EXPECT_EQ(fs_.Stat(Path("d"))->mode, 0777U);
}

TEST_P(FileSystemConformanceTest, ChangesModesOfOpenFiles) {
  const auto file = fs_.CreateFile(Path("f"), 0600);
  ASSERT_TRUE((*file)->Chmod(0440).ok());
  EXPECT_EQ(fs_.Stat(Path("f"))->mode, 0440U);
  EXPECT_TRUE((*file)->Write("still writable").ok());
}

TEST_P(FileSystemConformanceTest, GivesNewFilesTheOwnerOfTheProcess) {
  ASSERT_TRUE(WriteNew("f", "").ok());
  EXPECT_EQ(fs_.Stat(Path("f"))->uid, ::geteuid());
  EXPECT_EQ(fs_.Stat(Path("f"))->gid, ::getegid());
}

TEST_P(FileSystemConformanceTest, AcceptsAChownToTheSameOwnerAndMinusOne) {
  const auto file = fs_.CreateFile(Path("f"), 0600);
  EXPECT_TRUE((*file)->Chown(static_cast<uid_t>(-1), static_cast<gid_t>(-1)).ok());
  EXPECT_TRUE((*file)->Chown(::geteuid(), ::getegid()).ok());
  EXPECT_TRUE(fs_.Chown(Path("f"), ::geteuid(), static_cast<gid_t>(-1)).ok());
  EXPECT_EQ(fs_.Stat(Path("f"))->uid, ::geteuid());
}

TEST_P(FileSystemConformanceTest, LetsSetgidDirectoriesPassOnTheirGroup) {
  ASSERT_TRUE(fs_.MakeDirectory(Path("d"), 0755).ok());
  ASSERT_TRUE(fs_.Chmod(Path("d"), 02755).ok());
  ASSERT_TRUE(fs_.MakeDirectory(Path("d/sub"), 0700).ok());
  EXPECT_EQ(fs_.Stat(Path("d/sub"))->mode, 02700U);
  EXPECT_EQ(fs_.Stat(Path("d/sub"))->gid, fs_.Stat(Path("d"))->gid);
  ASSERT_TRUE(fs_.Chmod(Path("d/sub"), 0755).ok());
  EXPECT_EQ(fs_.Stat(Path("d/sub"))->mode, 0755U);
}

TEST_P(FileSystemConformanceTest, ListsNamesWithoutDots) {
  EXPECT_TRUE(fs_.List(environment_.root)->empty());
  ASSERT_TRUE(WriteNew("..data_tmp", "").ok());
  ASSERT_TRUE(fs_.MakeDirectory(Path("d"), 0755).ok());
  ASSERT_TRUE(WriteNew("d/inner", "").ok());
  EXPECT_THAT(*fs_.List(environment_.root), UnorderedElementsAre("..data_tmp", "d"));
}

TEST_P(FileSystemConformanceTest, ListsOnlyRealDirectories) {
  ASSERT_TRUE(WriteNew("f", "").ok());
  ASSERT_TRUE(fs_.MakeDirectory(Path("d"), 0755).ok());
  ASSERT_TRUE(fs_.Symlink("d", Path("l")).ok());
  EXPECT_EQ(fs_.List(Path("f")).status().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(fs_.List(Path("l")).status().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(fs_.List(Path("missing")).status().code(), StatusCode::kNotFound);
}

TEST_P(FileSystemConformanceTest, FollowsRelativeAndAbsoluteLinks) {
  ASSERT_TRUE(fs_.MakeDirectory(Path("..gen"), 0755).ok());
  ASSERT_TRUE(WriteNew("..gen/f", "content").ok());
  ASSERT_TRUE(fs_.Symlink("..gen", Path("..data")).ok());
  ASSERT_TRUE(fs_.Symlink("..data/f", Path("f")).ok());
  ASSERT_TRUE(fs_.Symlink(Path("f"), Path("absolute")).ok());
  ASSERT_TRUE(fs_.Symlink("../f", Path("..gen/up")).ok());
  for (const char* name : {"f", "absolute", "..data/f", "..data/up", "./..data/../f"}) {
    EXPECT_EQ(Read(name), "content") << name;
  }
  EXPECT_EQ(*fs_.ReadLink(Path("f")), "..data/f");
  EXPECT_EQ(fs_.ReadLink(Path("..gen")).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(fs_.ReadLink(Path("missing")).status().code(), StatusCode::kNotFound);
}

TEST_P(FileSystemConformanceTest, StopsInLinkLoops) {
  ASSERT_TRUE(fs_.Symlink("b", Path("a")).ok());
  ASSERT_TRUE(fs_.Symlink("a", Path("b")).ok());
  EXPECT_EQ(fs_.StatFollow(Path("a")).status().code(), StatusCode::kFailedPrecondition);
  EXPECT_TRUE(fs_.Stat(Path("a")).ok());
}

TEST_P(FileSystemConformanceTest, RenamesOverFilesAndLinks) {
  ASSERT_TRUE(fs_.Symlink("old", Path("l")).ok());
  ASSERT_TRUE(fs_.Symlink("new", Path("t")).ok());
  ASSERT_TRUE(fs_.Rename(Path("t"), Path("l")).ok());
  EXPECT_EQ(*fs_.ReadLink(Path("l")), "new");
  EXPECT_EQ(StatCode("t"), StatusCode::kNotFound);
  ASSERT_TRUE(WriteNew("f", "1").ok());
  ASSERT_TRUE(WriteNew("g", "2").ok());
  ASSERT_TRUE(fs_.Rename(Path("g"), Path("f")).ok());
  EXPECT_EQ(Read("f"), "2");
}

TEST_P(FileSystemConformanceTest, RefusesToRenameOverADirectory) {
  ASSERT_TRUE(fs_.MakeDirectory(Path("d"), 0755).ok());
  ASSERT_TRUE(fs_.Symlink("x", Path("l")).ok());
  EXPECT_EQ(fs_.Rename(Path("l"), Path("d")).code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(fs_.Rename(Path("missing"), Path("l")).code(), StatusCode::kNotFound);
}

TEST_P(FileSystemConformanceTest, RemovesLinksNotTheirTargets) {
  ASSERT_TRUE(WriteNew("f", "1").ok());
  ASSERT_TRUE(fs_.Symlink("f", Path("l")).ok());
  ASSERT_TRUE(fs_.Unlink(Path("l")).ok());
  EXPECT_EQ(Read("f"), "1");
  EXPECT_EQ(fs_.Unlink(Path("l")).code(), StatusCode::kNotFound);
}

TEST_P(FileSystemConformanceTest, RemovesDirectoriesOnlyWhenEmpty) {
  ASSERT_TRUE(fs_.MakeDirectory(Path("d"), 0755).ok());
  ASSERT_TRUE(WriteNew("d/f", "").ok());
  EXPECT_EQ(fs_.Unlink(Path("d")).code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(fs_.RemoveDirectory(Path("d")).code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(fs_.RemoveDirectory(Path("d/f")).code(), StatusCode::kFailedPrecondition);
  ASSERT_TRUE(fs_.Unlink(Path("d/f")).ok());
  ASSERT_TRUE(fs_.RemoveDirectory(Path("d")).ok());
  EXPECT_EQ(fs_.RemoveDirectory(Path("d")).code(), StatusCode::kNotFound);
}

TEST_P(FileSystemConformanceTest, ChangesTheChangeTimeWithEveryChange) {
  ASSERT_TRUE(fs_.MakeDirectory(Path("d"), 0755).ok());
  const FileInfo before = *fs_.Stat(Path("d"));
  EXPECT_EQ(*fs_.Stat(Path("d")), before);
  // Kernels before 6.13 count in timer ticks: wait for the next one by trying.
  for (int i = 0; i < 100'000 && *fs_.Stat(Path("d")) == before; ++i) {
    ASSERT_TRUE(WriteNew("d/f", "").ok());
    ASSERT_TRUE(fs_.Unlink(Path("d/f")).ok());
  }
  EXPECT_NE(*fs_.Stat(Path("d")), before);
}

TEST_P(FileSystemConformanceTest, SeesMemoryBackedFileSystems) {
  EXPECT_TRUE(*fs_.IsMemoryBacked(environment_.root));
  EXPECT_EQ(fs_.IsMemoryBacked(Path("missing")).status().code(), StatusCode::kNotFound);
}

TEST_P(FileSystemConformanceTest, LocksADirectoryOnceAndCreatesNothing) {
  Result<std::unique_ptr<FileLock>> first = fs_.TryLock(environment_.root);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(fs_.TryLock(environment_.root).status().code(), StatusCode::kUnavailable);
  EXPECT_TRUE(fs_.List(environment_.root)->empty());
  first->reset();
  EXPECT_TRUE(fs_.TryLock(environment_.root).ok());
  EXPECT_EQ(fs_.TryLock(Path("missing")).status().code(), StatusCode::kNotFound);
}

TEST_P(FileSystemConformanceTest, LeasesAndOverwritesAnUnlinkedFile) {
  ASSERT_TRUE(WriteNew("f", "secret").ok());
  const auto file = fs_.OpenExisting(Path("f"));
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE(fs_.Unlink(Path("f")).ok());
  EXPECT_TRUE((*file)->TryWriteLease().ok());
  EXPECT_TRUE((*file)->Overwrite().ok());
}

TEST_P(FileSystemConformanceTest, RefusesALeaseWhileAnotherHasTheFileOpen) {
  ASSERT_TRUE(WriteNew("f", "secret").ok());
  auto other = fs_.OpenExisting(Path("f"));
  const auto file = fs_.OpenExisting(Path("f"));
  ASSERT_TRUE(fs_.Unlink(Path("f")).ok());
  EXPECT_EQ((*file)->TryWriteLease().code(), StatusCode::kUnavailable);
  other->reset();
  EXPECT_TRUE((*file)->TryWriteLease().ok());
}

TEST_P(FileSystemConformanceTest, OverwritesInPlace) {
  ASSERT_TRUE(WriteNew("f", std::string(100'000, 's')).ok());
  auto file = fs_.OpenExisting(Path("f"));
  const uint64_t inode = fs_.Stat(Path("f"))->inode;
  ASSERT_TRUE((*file)->TryWriteLease().ok());
  ASSERT_TRUE((*file)->Overwrite().ok());
  file->reset();  // the lease would make our own open wait
  EXPECT_EQ(Read("f"), std::string(100'000, '\0'));
  EXPECT_EQ(fs_.Stat(Path("f"))->inode, inode);
}

TEST_P(FileSystemConformanceTest, OpensOnlyRegularFilesForWiping) {
  ASSERT_TRUE(fs_.MakeDirectory(Path("d"), 0755).ok());
  ASSERT_TRUE(fs_.Symlink("d", Path("l")).ok());
  EXPECT_EQ(fs_.OpenExisting(Path("d")).status().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(fs_.OpenExisting(Path("l")).status().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(fs_.OpenExisting(Path("missing")).status().code(), StatusCode::kNotFound);
}

TEST_P(FileSystemConformanceTest, ReplacesAFileAndItsMode) {
  ASSERT_TRUE(WriteNew("state", "old", 0644).ok());
  ASSERT_TRUE(WriteNew(".state.keyturn-tmp", "left by a crash").ok());
  ASSERT_TRUE(ReplaceFile(fs_, Path("state"), "new", 0600).ok());
  EXPECT_EQ(Read("state"), "new");
  EXPECT_EQ(fs_.Stat(Path("state"))->mode, 0600U);
  EXPECT_THAT(*fs_.List(environment_.root), UnorderedElementsAre("state"));
}

}  // namespace
}  // namespace keyturn::fs
