// The contract of AtomicWriter on a real tmpfs: upstream's cases, the gaps it leaves, and ours.
// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/base/strings.h"
#include "tests/fakes/fault_injecting_file_system.h"
#include "tests/fakes/in_memory_file_system.h"
#include "tests/unit/delivery_publish/support.h"

namespace keyturn::delivery {
namespace {

namespace stdfs = std::filesystem;
using testing::DiffVolume;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::LinkTextOf;
using ::testing::MatchesRegex;
using ::testing::Not;
using testing::Payload;
using testing::Render;

// Publishes and tells which call `call` was; the same payload over the same volume repeats it.
int CallNumber(testing::FaultInjectingFileSystem& traced, AtomicWriter& writer,
               const Payload& payload, const std::string& call) {
  traced.Arm(testing::Fault::kNone, 0);
  EXPECT_TRUE(writer.Publish(Render(payload)).ok());
  const auto found = std::find(traced.trace().begin(), traced.trace().end(), call);
  EXPECT_NE(found, traced.trace().end()) << call;
  return static_cast<int>(found - traced.trace().begin()) + 1;
}

class AtomicWriterTest : public ::testing::Test {
 protected:
  AtomicWriterTest() : fs_(fs::CreatePosixFileSystem()), publisher_(*fs_) { ::umask(022); }

  const std::string& target() const { return directory_.path(); }

  std::string Path(const std::string& name) const { return target() + "/" + name; }

  AtomicWriter& writer() {
    if (writer_ == nullptr) {
      Result<std::unique_ptr<AtomicWriter>> created = publisher_.Create(target());
      EXPECT_TRUE(created.ok()) << created.status().ToString();
      writer_ = std::move(created).value();
    }
    return *writer_;
  }

  // A new process, as far as the writer can tell.
  void Restart() { writer_.reset(); }

  PublishResult Publish(const Payload& payload) {
    const Result<PublishResult> result = writer().Publish(Render(payload));
    EXPECT_TRUE(result.ok()) << result.status().ToString();
    return result.ok() ? *result : PublishResult{};
  }

  Status TryPublish(const Payload& payload) { return writer().Publish(Render(payload)).status(); }

  std::string Generation() const { return LinkTextOf(Path("..data")); }

  testing::TmpfsDirectory directory_;
  std::unique_ptr<fs::FileSystem> fs_;
  testing::Publisher publisher_;
  std::unique_ptr<AtomicWriter> writer_;
};

// --- upstream: TestNewAtomicWriter, TestWriteOnce, TestCreateUserVisibleFiles ---

TEST_F(AtomicWriterTest, NeedsAnExistingTarget) {
  EXPECT_EQ(publisher_.Create(Path("missing")).status().code(), StatusCode::kNotFound);
}

TEST_F(AtomicWriterTest, WritesOnce) {
  const std::string binary("\x00\x01\xff\x00", 4);
  const std::vector<Payload> cases = {
      {{"foo", "foo"}, {"bar", "bar"}},
      {{".foo", "foo"}, {".bar", "bar", 0400}},
      {{"foo", "foo", 0600}, {"bar", "bar", 0777}},
      {{"foo/bar.txt", "foo/bar"}, {"bar/zab.txt", "bar/zab.txt", 0640}},
      {{"foo//bar.txt", "unclean"}},
      {{"foo/bar/baz", "x"}, {"foo/zip/zap", "y"}, {"qux", "z"}},
      {{"foo", "1"},
       {".bar", "2"},
       {"a/b/c/d/e/f", "3", 0444},
       {"a/b2", "4"},
       {"-rf", "5"},
       {"with space", "6"},
       {"new\nline", "7"},
       {"a/..x", "8"}},
      {{"empty", ""}, {"binary", binary}, {"big", std::string(65'536, 'x')}},
      {},
  };
  for (const Payload& payload : cases) {
    const testing::TmpfsDirectory fresh;
    const Result<PublishResult> result = testing::PublishOnce(fresh.path(), payload);
    ASSERT_TRUE(result.ok()) << result.status().ToString();
    EXPECT_TRUE(result->changed);
    Payload cleaned = payload;
    for (testing::FileSpec& file : cleaned) file.path = stdfs::path(file.path).lexically_normal();
    EXPECT_EQ(DiffVolume(fresh.path(), cleaned), "");
  }
}

TEST_F(AtomicWriterTest, WritesAThousandFiles) {
  Payload payload;
  for (int i = 0; i < 1000; ++i) payload.push_back({StrCat("d", i % 10, "/f", i), StrCat(i)});
  EXPECT_TRUE(Publish(payload).changed);
  EXPECT_EQ(DiffVolume(target(), payload), "");
  EXPECT_FALSE(Publish(payload).changed);
}

TEST_F(AtomicWriterTest, TouchesNothingForAnInvalidPayload) {
  for (const char* path : {"..data", "/abs", "a/../b", "", "./..data"}) {
    EXPECT_EQ(TryPublish({{"fine", "x"}, {path, "y"}}).code(), StatusCode::kInvalidArgument);
    EXPECT_TRUE(testing::Names(target()).empty());
  }
}

TEST_F(AtomicWriterTest, TouchesNothingForAPathThatIsTooLongBelowTheTarget) {
  std::string path;
  while (path.size() < 4060) path += "dddddddddd/";
  EXPECT_EQ(TryPublish({{path + "f", "x"}}).code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(testing::Names(target()).empty());
  // The longest that fits: 4095 bytes with the target and the generation's name.
  const size_t room = 4095 - target().size() - 1 - 30 - 1;
  path.resize(room - 1);
  if (path.back() == '/') path.back() = 'd';
  path += 'f';
  EXPECT_TRUE(Publish({{path, "x"}}).changed);
  EXPECT_EQ(testing::Slurp(Path("..data/") + path), "x");
}

TEST_F(AtomicWriterTest, NamesGenerationsAfterTheTime) {
  EXPECT_THAT(Publish({{"a", "1"}}).generation,
              MatchesRegex("\\.\\.2026_11_23_10_00_00\\.[0-9a-f]{8}"));
}

// --- upstream: TestUpdate, TestMultipleUpdates, TestPathsToRemove ---

struct Update {
  const char* name;
  Payload first;
  Payload second;
  bool changed;
};

TEST_F(AtomicWriterTest, Updates) {
  const std::vector<Update> cases = {
      {"update", {{"foo", "foo"}, {"bar", "bar"}}, {{"foo", "foo2"}, {"bar", "bar2"}}, true},
      {"no update", {{"foo", "foo"}, {"bar", "bar"}}, {{"foo", "foo"}, {"bar", "bar"}}, false},
      {"no update 2", {{"foo/a", "1"}, {"b", "2"}}, {{"b", "2"}, {"foo/a", "1"}}, false},
      {"add 1", {{"foo", "1"}}, {{"foo", "1"}, {"blu", "2"}}, true},
      {"add 2", {{"foo", "1"}}, {{"foo", "1"}, {"blu/zip/zap", "2"}}, true},
      {"add 3", {{"a/b", "1"}}, {{"a/b", "1"}, {"a/c/d", "2"}}, true},
      {"delete 1", {{"foo", "1"}, {"bar", "2"}}, {{"foo", "1"}}, true},
      {"delete 2", {{"foo", "1"}, {"bar/baz", "2"}}, {{"foo", "1"}}, true},
      {"delete 3", {{"a/b", "1"}, {"a/c", "2"}}, {{"a/b", "1"}}, true},
      {"delete 4", {{"a/b/c", "1"}, {"a/d", "2"}}, {{"a/d", "2"}}, true},
      {"delete all", {{"foo", "1"}, {"a/b", "2"}}, {}, true},
      {"add and delete", {{"foo", "1"}}, {{"bar", "1"}}, true},
      {"mode only", {{"foo", "1", 0444}}, {{"foo", "1", 0400}}, true},
      {"same size", {{"foo", "1"}}, {{"foo", "2"}}, true},
      {"shorter", {{"foo", "123"}}, {{"foo", "12"}}, true},
      {"emptied", {{"foo", "123"}}, {{"foo", ""}}, true},
      {"empty stays", {}, {}, false},
      {"file to directory", {{"a", "1"}}, {{"a/b", "1"}}, true},
      {"directory to file", {{"a/b", "1"}}, {{"a", "1"}}, true},
      {"nested file to directory", {{"x/a", "1"}, {"y", "2"}}, {{"x/a/b", "1"}, {"y", "2"}}, true},
      {"nested directory to file", {{"x/a/b", "1"}, {"y", "2"}}, {{"x/a", "1"}, {"y", "2"}}, true},
  };
  for (const bool restart : {false, true}) {
    for (const Update& test : cases) {
      const Result<PublishResult> first = writer().Publish(Render(test.first));
      ASSERT_TRUE(first.ok()) << test.name;
      if (restart) Restart();
      const PublishResult second = Publish(test.second);
      EXPECT_EQ(second.changed, test.changed) << test.name;
      EXPECT_EQ(second.generation == first->generation, !test.changed) << test.name;
      EXPECT_EQ(DiffVolume(target(), test.second), "") << test.name;
      Publish({{"between", "cases"}});
    }
  }
}

TEST_F(AtomicWriterTest, FollowsManyUpdates) {
  const std::vector<Payload> steps = {
      {{"foo", "1"}, {"bar", "1"}},
      {{"foo", "2"}, {"bar", "1"}},
      {{"foo", "2"}},
      {{"foo", "2"}, {"d/e", "3"}, {"d/f", "4"}},
      {{"d/e", "3"}},
      {{"d", "now a file"}},
      {},
      {{"foo", "back"}},
  };
  for (int round = 0; round < 3; ++round) {
    for (const Payload& step : steps) {
      publisher_.clock().Advance(std::chrono::seconds(1));
      Publish(step);
      EXPECT_EQ(DiffVolume(target(), step), "");
    }
  }
}

// --- upstream: TestSetPerms. Ours: everything is complete before the flip ---

TEST_F(AtomicWriterTest, CompletesModesAndOwnersBeforeTheFlip) {
  testing::InMemoryFileSystem memory;
  testing::FaultInjectingFileSystem traced(memory);
  ASSERT_TRUE(memory.MakeDirectory("/t", 0755).ok());
  testing::Publisher publisher(traced);
  const auto traced_writer = publisher.Create("/t");
  ASSERT_TRUE((*traced_writer)->Publish(Render({{"old", "1", 0444, 7}})).ok());
  traced.Arm(testing::Fault::kNone, 0);
  const auto result = (*traced_writer)->Publish(Render({{"d/new", "2", 0440, 1000, 2000}}));
  ASSERT_TRUE(result.ok());
  std::vector<std::string> changes;  // the calls that change anything
  for (const std::string& call : traced.trace()) {
    const std::string verb = call.substr(0, call.find(' '));
    if (verb != "stat" && verb != "list" && verb != "readlink" && verb != "read") {
      changes.push_back(call);
    }
  }
  const std::string& generation = result->generation;
  EXPECT_THAT(changes,
              ElementsAre("mkdir " + generation, "mkdir d", "create new", "write new", "fchmod new",
                          "fchown new", "chmod d", "chmod " + generation, "symlink ..data_tmp",
                          "rename ..data", "symlink d", "unlink old", "open old", "unlink old",
                          "lease old", "overwrite old", ::testing::StartsWith("rmdir ..2026")));
}

TEST_F(AtomicWriterTest, PublishesNothingWhenChownFails) {
  testing::FaultInjectingFileSystem faulty(*fs_);
  testing::Publisher publisher(faulty);
  const auto other = publisher.Create(target());
  const Payload before = {{"a", "1"}};
  const Payload after = {{"a", "2", 0444, ::geteuid(), ::getegid()}};
  ASSERT_TRUE((*other)->Publish(Render(before)).ok());
  const int chown_at = CallNumber(faulty, **other, after, "fchown a");
  ASSERT_TRUE((*other)->Publish(Render(before)).ok());
  const std::string generation = Generation();
  faulty.Arm(testing::Fault::kFailOnce, chown_at, EPERM);
  const Status status = (*other)->Publish(Render(after)).status();
  EXPECT_EQ(status.code(), StatusCode::kPermissionDenied);
  EXPECT_THAT(status.message(), HasSubstr("fchown"));
  EXPECT_EQ(Generation(), generation);
  EXPECT_EQ(DiffVolume(target(), before), "");
}

// --- upstream: TestWriteAgainAfterUnexpectedExit; k8s #121472, #122807 ---

TEST_F(AtomicWriterTest, RepairsMissingLinksWithoutPublishing) {
  const Payload payload = {{"a", "1"}, {"d/b", "2"}};
  const std::string generation = Publish(payload).generation;
  for (const bool restart : {false, true}) {
    ASSERT_EQ(::unlink(Path("a").c_str()), 0);
    ASSERT_EQ(::unlink(Path("d").c_str()), 0);
    if (restart) Restart();
    const PublishResult again = Publish(payload);
    EXPECT_TRUE(again.changed);  // names appeared: the application has to hear of it
    EXPECT_EQ(again.generation, generation);
    EXPECT_EQ(DiffVolume(target(), payload), "");
    EXPECT_FALSE(Publish(payload).changed);
  }
}

TEST_F(AtomicWriterTest, RepairsLinksAtTheStartAlready) {
  Publish({{"a", "1"}, {"d/b", "2"}});
  ASSERT_EQ(::unlink(Path("d").c_str()), 0);
  ASSERT_EQ(::symlink("..data/gone", Path("gone").c_str()), 0);
  EXPECT_FALSE(writer().HasCompleteGeneration());
  Restart();
  EXPECT_TRUE(writer().HasCompleteGeneration());
  EXPECT_EQ(DiffVolume(target(), {{"a", "1"}, {"d/b", "2"}}), "");
}

// --- gaps G1–G11 and leftovers ---

TEST_F(AtomicWriterTest, PublishesAnOwnerOnlyChange) {
  if (::geteuid() != 0) {
    fprintf(stderr, "NOT ROOT: owner changes are tested with the in-memory file system only\n");
  }
  testing::InMemoryFileSystem memory;
  ASSERT_TRUE(memory.MakeDirectory("/dev", 0755).ok() &&
              memory.MakeDirectory("/dev/shm", 0755).ok());
  ASSERT_TRUE(memory.MakeDirectory(target(), 0755).ok());
  std::vector<fs::FileSystem*> file_systems = {&memory};
  if (::geteuid() == 0) file_systems.push_back(fs_.get());
  const std::vector<Payload> steps = {
      {{"a", "1", 0440}},
      {{"a", "1", 0440, 1000}},
      {{"a", "1", 0440, 1000, 2000}},
      {{"a", "1", 0440, 1001, 2000}},
      {{"a", "1", 0440, 1001, 2001}},
      {{"a", "1", 0440, std::nullopt, 2001}},
      {{"a", "1", 0440}},
  };
  for (fs::FileSystem* fs : file_systems) {
    for (const bool restart : {false, true}) {
      testing::Publisher publisher(*fs);
      auto created = publisher.Create(target());
      for (const Payload& step : steps) {
        if (restart) created->reset();
        if (restart) created = publisher.Create(target());
        EXPECT_TRUE((*created)->Publish(Render(step))->changed);
        EXPECT_FALSE((*created)->Publish(Render(step))->changed);
        if (fs != fs_.get()) continue;
        EXPECT_EQ(DiffVolume(target(), step), "");
      }
      ASSERT_TRUE((*created)->Publish(Render({})).ok());
    }
  }
}

TEST_F(AtomicWriterTest, RemovesALeftoverTemporaryLinkOfAnyType) {
  Publish({{"a", "1"}});
  const std::vector<void (*)(const std::string&)> leftovers = {
      [](const std::string& path) { ASSERT_EQ(::symlink("..nowhere", path.c_str()), 0); },
      [](const std::string& path) { testing::Spill(path, "x"); },
      [](const std::string& path) { stdfs::create_directories(path + "/sub"); },
      [](const std::string& path) { ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0); },
  };
  int version = 1;
  for (const auto& leave : leftovers) {
    for (const bool restart : {false, true}) {
      leave(Path("..data_tmp"));
      if (restart) Restart();
      const std::string content = StrCat(++version);
      Publish({{"a", content}});
      EXPECT_EQ(DiffVolume(target(), {{"a", content}}), "");
    }
  }
}

TEST_F(AtomicWriterTest, CollectsLeakedGenerations) {
  Publish({{"a", "1"}});
  for (const char* name : {"..2020_01_01_00_00_00.1", "..2020_01_01_00_00_00.abc"}) {
    stdfs::create_directories(Path(name) + "/d/e");
    testing::Spill(Path(name) + "/d/e/secret", "leaked");
    ASSERT_EQ(::symlink("/etc/passwd", (Path(name) + "/link").c_str()), 0);
  }
  Restart();
  writer();
  EXPECT_EQ(DiffVolume(target(), {{"a", "1"}}), "");
  EXPECT_EQ(publisher_.wiped("wiped"), 2);
  EXPECT_TRUE(stdfs::exists("/etc/passwd"));
}

TEST_F(AtomicWriterTest, LeavesOtherReservedNamesAlone) {
  for (const char* name :
       {"..other", "..2020", "..2020_01_01_00_00_00", "..2020_01_01_00_00_00."}) {
    stdfs::create_directory(Path(name));
  }
  testing::Spill(Path("..2020_01_01_00_00_00.file"), "a file with a generation's name");
  Publish({{"a", "1"}});
  EXPECT_EQ(DiffVolume(target(), {{"a", "1"}},
                       {"..other", "..2020", "..2020_01_01_00_00_00", "..2020_01_01_00_00_00.",
                        "..2020_01_01_00_00_00.file"}),
            "");
}

TEST_F(AtomicWriterTest, TakesOverWhatKubeletPublished) {
  stdfs::create_directory(Path("..2026_11_22_10_00_00.1234567"));
  testing::Spill(Path("..2026_11_22_10_00_00.1234567/a"), "1");
  ASSERT_EQ(::symlink("..2026_11_22_10_00_00.1234567", Path("..data").c_str()), 0);
  ASSERT_EQ(::symlink("..data/a", Path("a").c_str()), 0);
  EXPECT_FALSE(Publish({{"a", "1", 0644}}).changed);
  EXPECT_TRUE(Publish({{"a", "2"}}).changed);
  EXPECT_EQ(DiffVolume(target(), {{"a", "2"}}), "");
}

TEST_F(AtomicWriterTest, TreatsADanglingOrForeignDataLinkAsUnpublished) {
  testing::TmpfsDirectory elsewhere;
  testing::Spill(elsewhere.path() + "/keep", "x");
  for (const std::string& text :
       {std::string("..2020_01_01_00_00_00.gone"), elsewhere.path(), std::string("d"),
        std::string("../other"), std::string("..2020_01_01_00_00_00.x/sub")}) {
    ASSERT_EQ(::symlink(text.c_str(), Path("..data").c_str()), 0);
    EXPECT_FALSE(writer().HasCompleteGeneration());
    Publish({{"a", "1"}});
    EXPECT_EQ(DiffVolume(target(), {{"a", "1"}}), "");
    EXPECT_EQ(testing::Slurp(elsewhere.path() + "/keep"), "x");
    Restart();
    stdfs::remove(Path("..data"));
    stdfs::remove(Path("a"));
  }
}

TEST_F(AtomicWriterTest, RemovesStaleLinksThatAnEarlierCrashLeft) {
  Publish({{"a", "1"}});
  ASSERT_EQ(::symlink("..data/stale", Path("stale").c_str()), 0);
  ASSERT_EQ(::symlink("..data/a", Path("alias").c_str()), 0);
  Publish({{"a", "2"}});
  EXPECT_EQ(DiffVolume(target(), {{"a", "2"}}), "");
}

TEST_F(AtomicWriterTest, CollectsTheOldGenerationEvenIfAStaleLinkIsGoneAlready) {
  Publish({{"a", "1"}, {"b", "2"}});
  ASSERT_EQ(::unlink(Path("b").c_str()), 0);
  Publish({{"a", "1"}});
  EXPECT_EQ(DiffVolume(target(), {{"a", "1"}}), "");
}

TEST_F(AtomicWriterTest, RepairsALinkOfOursWithTheWrongText) {
  Publish({{"a", "1"}, {"b", "2"}});
  ASSERT_EQ(::unlink(Path("a").c_str()), 0);
  ASSERT_EQ(::symlink("..data/b", Path("a").c_str()), 0);
  EXPECT_TRUE(Publish({{"a", "1"}, {"b", "2"}}).changed);
  EXPECT_EQ(DiffVolume(target(), {{"a", "1"}, {"b", "2"}}), "");
}

TEST_F(AtomicWriterTest, RefusesToOverwriteWhatIsNotOurs) {
  Publish({{"a", "1"}});
  testing::Spill(Path("file"), "mine");
  stdfs::create_directory(Path("directory"));
  ASSERT_EQ(::symlink("/etc/passwd", Path("link").c_str()), 0);
  ASSERT_EQ(::symlink("..data", Path("whole").c_str()), 0);
  for (const char* name : {"file", "directory", "link", "whole", "directory/x"}) {
    const Status status = TryPublish({{"a", "2"}, {name, "canary"}});
    EXPECT_EQ(status.code(), StatusCode::kAlreadyExists) << name;
    EXPECT_THAT(status.message(), HasSubstr("was not published by keyturn"));
    EXPECT_THAT(status.message(), Not(HasSubstr("canary")));
    EXPECT_EQ(DiffVolume(target(), {{"a", "1"}}, {"file", "directory", "link", "whole"}), "");
  }
  EXPECT_EQ(testing::Slurp(Path("file")), "mine");
  EXPECT_TRUE(Publish({{"a", "2"}}).changed);
  EXPECT_EQ(DiffVolume(target(), {{"a", "2"}}, {"file", "directory", "link", "whole"}), "");
}

TEST_F(AtomicWriterTest, RefusesADataLinkThatIsADirectoryOrAFile) {
  stdfs::create_directory(Path("..data"));
  EXPECT_EQ(TryPublish({{"a", "1"}}).code(), StatusCode::kAlreadyExists);
  stdfs::remove(Path("..data"));
  testing::Spill(Path("..data"), "x");
  EXPECT_EQ(TryPublish({{"a", "1"}}).code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(testing::Names(target()), std::set<std::string>{"..data"});
}

TEST_F(AtomicWriterTest, SetsModesWhateverTheUmask) {
  for (const mode_t mask : {0077U, 0000U, 0777U}) {
    // The target itself and the check are not under test.
    const testing::TmpfsDirectory fresh;
    const Payload payload = {{"a", "1", 0444}, {"d/e/f", "2", 0666}, {"g", "3", 0640}};
    ::umask(mask);
    const auto result = testing::PublishOnce(fresh.path(), payload);
    ::umask(022);
    ASSERT_TRUE(result.ok()) << result.status().ToString();
    EXPECT_EQ(DiffVolume(fresh.path(), payload), "");
  }
}

TEST_F(AtomicWriterTest, RepublishesWhenSomebodyChangedThePublishedFiles) {
  const Payload payload = {{"a", "12"}, {"d/b", "2"}};
  const std::vector<void (*)(const std::string&)> changes = {
      [](const std::string& data) { ::chmod((data + "/a").c_str(), 0600); },
      [](const std::string& data) { ::chmod((data + "/d").c_str(), 0700); },
      [](const std::string& data) { ::chmod(stdfs::canonical(data).c_str(), 0700); },
      [](const std::string& data) { ::unlink((data + "/a").c_str()); },
      [](const std::string& data) { testing::Spill(data + "/extra", "x"); },
      [](const std::string& data) { stdfs::create_directory(data + "/d/empty"); },
      [](const std::string& data) { stdfs::remove_all(data + "/d"); },
      [](const std::string& data) {
        stdfs::remove(data + "/a");
        stdfs::create_directory(data + "/a");
      },
      [](const std::string& data) {
        stdfs::remove(data + "/a");
        testing::Spill(data + "/a", "99");
        ::chmod((data + "/a").c_str(), 0444);
      },
  };
  for (const auto& change : changes) {
    Publish(payload);
    change(Path("..data"));
    EXPECT_TRUE(Publish(payload).changed);
    EXPECT_EQ(DiffVolume(target(), payload), "");
  }
}

// --- changes are reported once and never lost ---

TEST_F(AtomicWriterTest, ReportsAChangeWhoseLinksFailedWithTheNextSuccess) {
  testing::FaultInjectingFileSystem faulty(*fs_);
  testing::Publisher publisher(faulty);
  const auto other = publisher.Create(target());
  const Payload payload = {{"a", "1"}, {"b", "2"}};
  ASSERT_TRUE((*other)->Publish(Render({{"a", "1"}})).ok());
  const int link_at = CallNumber(faulty, **other, payload, "symlink b");
  ASSERT_TRUE((*other)->Publish(Render({{"a", "1"}})).ok());
  faulty.Arm(testing::Fault::kFailOnce, link_at, ENOSPC);
  EXPECT_EQ((*other)->Publish(Render(payload)).status().code(), StatusCode::kResourceExhausted);
  EXPECT_FALSE((*other)->HasCompleteGeneration());
  EXPECT_TRUE((*other)->Publish(Render(payload))->changed);
  EXPECT_FALSE((*other)->Publish(Render(payload))->changed);
  EXPECT_EQ(DiffVolume(target(), payload), "");
}

// --- resume ---

TEST_F(AtomicWriterTest, KeepsAnIntactVolumeOverARestart) {
  const Payload payload = {{"a", "1", 0440}, {"d/b", "2"}};
  const std::string generation = Publish(payload).generation;
  Restart();
  EXPECT_TRUE(writer().HasCompleteGeneration());
  const PublishResult again = Publish(payload);
  EXPECT_FALSE(again.changed);
  EXPECT_EQ(again.generation, generation);
}

TEST_F(AtomicWriterTest, RemovesAHalfWrittenGenerationBeforeItIsReady) {
  stdfs::create_directories(Path("..2026_11_23_09_00_00.deadbeef"));
  testing::Spill(Path("..2026_11_23_09_00_00.deadbeef/a"), "half");
  ASSERT_EQ(::symlink("..2026_11_23_09_00_00.deadbeef", Path("..data_tmp").c_str()), 0);
  EXPECT_FALSE(writer().HasCompleteGeneration());
  EXPECT_TRUE(testing::Names(target()).empty());
}

TEST_F(AtomicWriterTest, IsCompleteOnlyWithDataAndEveryLink) {
  EXPECT_FALSE(writer().HasCompleteGeneration());
  Publish({});
  EXPECT_TRUE(writer().HasCompleteGeneration());
  Publish({{"a", "1"}, {"d/b", "2"}});
  EXPECT_TRUE(writer().HasCompleteGeneration());
  ASSERT_EQ(::unlink(Path("a").c_str()), 0);
  EXPECT_FALSE(writer().HasCompleteGeneration());
  ASSERT_EQ(::symlink("..data/a", Path("a").c_str()), 0);
  EXPECT_TRUE(writer().HasCompleteGeneration());
  ASSERT_EQ(::symlink("..data/dangling", Path("z").c_str()), 0);
  EXPECT_FALSE(writer().HasCompleteGeneration());
}

// --- environment ---

TEST_F(AtomicWriterTest, RefusesUnusableTargets) {
  testing::Spill(Path("file"), "x");
  ASSERT_EQ(::symlink(target().c_str(), Path("link").c_str()), 0);
  stdfs::create_directory(Path("sticky"));
  ASSERT_EQ(::chmod(Path("sticky").c_str(), 01777), 0);
  stdfs::create_directory(Path("sticky-private"));
  ASSERT_EQ(::chmod(Path("sticky-private").c_str(), 01755), 0);
  EXPECT_EQ(publisher_.Create(Path("file")).status().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(publisher_.Create(Path("link")).status().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(publisher_.Create(Path("link/")).status().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(publisher_.Create("relative").status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(publisher_.Create("").status().code(), StatusCode::kInvalidArgument);
  const Status sticky = publisher_.Create(Path("sticky")).status();
  EXPECT_EQ(sticky.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(sticky.message(), HasSubstr("protected_symlinks"));
  EXPECT_TRUE(publisher_.Create(Path("sticky-private")).ok());
}

TEST_F(AtomicWriterTest, RefusesADiskUnlessAllowed) {
  testing::InMemoryFileSystem disk;
  disk.set_memory_backed(false);
  ASSERT_TRUE(disk.MakeDirectory("/t", 0755).ok());
  testing::Publisher publisher(disk);
  const Status status = publisher.Create("/t").status();
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("tmpfs"));
  const auto allowed = publisher.Create("/t", true);
  ASSERT_TRUE(allowed.ok());
  EXPECT_TRUE((*allowed)->Publish(Render({{"a", "1"}})).ok());
}

TEST_F(AtomicWriterTest, AllowsOneWriterPerTarget) {
  writer();
  testing::Publisher second(*fs_, 2);
  const Status status = second.Create(target()).status();
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("another process"));
  EXPECT_TRUE(testing::Names(target()).empty());
  Restart();
  EXPECT_TRUE(second.Create(target()).ok());
}

TEST_F(AtomicWriterTest, ReportsATargetThatWasRemoved) {
  Publish({{"a", "1"}});
  stdfs::remove_all(target());
  EXPECT_FALSE(writer().HasCompleteGeneration());
  for (const char* content : {"1", "2"}) {
    const Status status = TryPublish({{"a", content}});
    EXPECT_EQ(status.code(), StatusCode::kNotFound);
    EXPECT_THAT(status.message(), HasSubstr(target()));
  }
  EXPECT_FALSE(stdfs::exists(target()));
}

TEST_F(AtomicWriterTest, ReportsATargetThatWasReplaced) {
  Publish({{"a", "1"}});
  stdfs::rename(target(), target() + ".old");
  stdfs::create_directory(target());
  const Status status = TryPublish({{"a", "1"}});
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), HasSubstr("replaced"));
  EXPECT_TRUE(testing::Names(target()).empty());
  stdfs::remove_all(target() + ".old");
}

TEST_F(AtomicWriterTest, SurvivesAClockThatJumpsBackOntoAUsedName) {
  // The same seed and time give the name that is already published.
  for (int run = 0; run < 3; ++run) {
    const Payload payload = {{"a", StrCat(run)}};
    const Result<PublishResult> result = testing::PublishOnce(target(), payload, 1);
    ASSERT_TRUE(result.ok()) << result.status().ToString();
    EXPECT_EQ(DiffVolume(target(), payload), "");
  }
  publisher_.clock().JumpWall(std::chrono::hours(-24 * 365));
  EXPECT_TRUE(Publish({{"a", "past"}}).changed);
  EXPECT_THAT(Generation(), HasSubstr("..2025_11_23_"));
  EXPECT_EQ(DiffVolume(target(), {{"a", "past"}}), "");
}

TEST_F(AtomicWriterTest, KeepsTheLastGenerationOnAFullFileSystem) {
  testing::InMemoryFileSystem memory;
  ASSERT_TRUE(memory.MakeDirectory("/t", 0755).ok());
  testing::Publisher publisher(memory);
  const auto small = publisher.Create("/t");
  ASSERT_TRUE((*small)->Publish(Render({{"a", "small"}})).ok());
  memory.set_capacity(100);
  const std::string before = *memory.ReadLink("/t/..data");
  for (int i = 0; i < 3; ++i) {
    const auto result = (*small)->Publish(Render({{"a", "12345"}, {"b", std::string(200, 'x')}}));
    EXPECT_EQ(result.status().code(), StatusCode::kResourceExhausted);
    EXPECT_EQ(*memory.ReadLink("/t/..data"), before);
    EXPECT_EQ(memory.List("/t")->size(), 3U);  // ..data, the generation, a
  }
}

TEST_F(AtomicWriterTest, NeverNamesAContentInAnError) {
  testing::FaultInjectingFileSystem faulty(*fs_);
  testing::Publisher publisher(faulty);
  const Payload payload = {{"a", "canary-one"}, {"d/b", "canary-two"}};
  for (int n = 1; n < 200; ++n) {
    faulty.Arm(testing::Fault::kFailOnce, n);
    const auto created = publisher.Create(target());
    if (created.ok()) {
      EXPECT_THAT((*created)->Publish(Render(payload)).status().message(),
                  Not(HasSubstr("canary")));
    }
    if (!faulty.fired()) break;
  }
  EXPECT_FALSE(publisher.logger().Contains("canary"));
}

}  // namespace
}  // namespace keyturn::delivery
