// AtomicWriter on a real tmpfs: what upstream leaves open, and the environment.
// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <functional>

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
using ::testing::Not;
using testing::Payload;
using testing::Render;

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
      {{"a", "1", 0440, 3000}},
      {{"a", "1", 0440, 3000, 2000}},
      {{"a", "1", 0440, 3001, 2000}},
      {{"a", "1", 0440, 3001, 2001}},
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
  for (const mode_t mask : {0077U, 0000U, 0027U}) {
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

// --- lingering ---

// Looks at the volume while the writer waits.
class LookingSleeper final : public Sleeper {
 public:
  explicit LookingSleeper(std::function<void()> look) : look_(std::move(look)) {}

  Status SleepUntil(MonoTime, const std::stop_token&) override {
    look_();
    return OkStatus();
  }

 private:
  std::function<void()> look_;
};

TEST_F(AtomicWriterTest, LingersWithBothGenerationsAfterTheLinksAreRight) {
  int looked = 0;
  std::string old;
  LookingSleeper sleeper([&] {
    ++looked;
    EXPECT_EQ(testing::Slurp(Path(old) + "/gone"), "1");
    EXPECT_EQ(DiffVolume(target(), {{"a", "2"}, {"new", "2"}}, {old}), "");
  });
  const auto other = publisher_.Create(target(), false, &sleeper);
  ASSERT_TRUE((*other)->Publish(Render({{"a", "1"}, {"gone", "1"}})).ok());
  EXPECT_EQ(looked, 0);  // nothing to linger for
  old = Generation();
  ASSERT_TRUE((*other)->Publish(Render({{"a", "2"}, {"new", "2"}})).ok());
  ASSERT_TRUE((*other)->Publish(Render({{"a", "2"}, {"new", "2"}})).ok());
  EXPECT_EQ(looked, 1);
  EXPECT_EQ(DiffVolume(target(), {{"a", "2"}, {"new", "2"}}), "");
}

TEST_F(AtomicWriterTest, LingersForTwoHundredMilliseconds) {
  Publish({{"a", "1"}});
  Publish({{"a", "2"}});
  Publish({{"a", "2"}});
  EXPECT_THAT(publisher_.clock().sleeps(), ElementsAre(std::chrono::milliseconds(200)));
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
