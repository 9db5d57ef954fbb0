// AtomicWriter on a real tmpfs: upstream's cases.
// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/base/strings.h"
#include "tests/fakes/in_memory_file_system.h"
#include "tests/unit/delivery_publish/atomic_writer_fixture.h"

namespace keyturn::delivery {
namespace {

namespace stdfs = std::filesystem;
using testing::DiffVolume;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using testing::Payload;
using testing::Render;

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

// --- upstream: TestWriteAgainAfterUnexpectedExit; kubernetes/kubernetes#121472 and #122807 ---

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

}  // namespace
}  // namespace keyturn::delivery
