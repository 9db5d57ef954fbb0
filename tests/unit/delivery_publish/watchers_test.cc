// What inotify reports, per kind of watch.
// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/base/strings.h"
#include "lib/base/unique_fd.h"
#include "tests/unit/delivery_publish/support.h"

namespace keyturn::delivery {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::Payload;
using testing::Render;

// Reading is no change: these tell a watcher nothing.
constexpr uint32_t kReads = IN_ACCESS | IN_OPEN | IN_CLOSE_NOWRITE;
constexpr uint32_t kChanges = IN_ALL_EVENTS & ~kReads;

std::string NameOf(uint32_t mask) {
  static constexpr std::array<std::pair<uint32_t, const char*>, 14> kNames = {
      {{IN_ACCESS, "ACCESS"},
       {IN_MODIFY, "MODIFY"},
       {IN_ATTRIB, "ATTRIB"},
       {IN_CLOSE_WRITE, "CLOSE_WRITE"},
       {IN_CLOSE_NOWRITE, "CLOSE_NOWRITE"},
       {IN_OPEN, "OPEN"},
       {IN_MOVED_FROM, "MOVED_FROM"},
       {IN_MOVED_TO, "MOVED_TO"},
       {IN_CREATE, "CREATE"},
       {IN_DELETE, "DELETE"},
       {IN_DELETE_SELF, "DELETE_SELF"},
       {IN_MOVE_SELF, "MOVE_SELF"},
       {IN_IGNORED, "IGNORED"},
       {IN_Q_OVERFLOW, "Q_OVERFLOW"}}};
  std::string text;
  for (const auto& [bit, name] : kNames) {
    if ((mask & bit) != 0) text += text.empty() ? name : StrCat("|", name);
  }
  return (mask & IN_ISDIR) != 0 ? text + "|ISDIR" : text;
}

class Watch {
 public:
  Watch(const std::string& path, uint32_t mask) : fd_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
    EXPECT_TRUE(fd_.valid());
    EXPECT_GE(::inotify_add_watch(fd_.get(), path.c_str(), mask), 0) << path;
  }

  // "EVENT name" of everything since the last call.
  std::vector<std::string> Events() {
    std::vector<std::string> events;
    alignas(inotify_event) std::array<char, 65'536> buffer{};
    ssize_t size = 0;
    while ((size = ::read(fd_.get(), buffer.data(), buffer.size())) > 0) {
      for (ssize_t at = 0; at < size;) {
        inotify_event event{};
        std::memcpy(&event, buffer.data() + at, sizeof(event));
        const char* name = buffer.data() + at + sizeof(event);
        events.push_back(event.len > 0 ? StrCat(NameOf(event.mask), " ", name)
                                       : NameOf(event.mask));
        at += static_cast<ssize_t>(sizeof(event) + event.len);
      }
    }
    return events;
  }

 private:
  UniqueFd fd_;
};

class WatchersTest : public ::testing::Test {
 protected:
  WatchersTest() : fs_(fs::CreatePosixFileSystem()), publisher_(*fs_) {
    Restart();
    first_ = Publish({{"a", "1", 0644}, {"oldlink", "x", 0644}}).generation;
  }

  void Restart() {
    writer_.reset();
    auto created = publisher_.Create(directory_.path());
    EXPECT_TRUE(created.ok());
    writer_ = std::move(created).value();
  }

  std::string Path(const std::string& name) const { return directory_.path() + "/" + name; }

  PublishResult Publish(const Payload& payload) { return *writer_->Publish(Render(payload)); }

  // The update of the tables in docs/publishing.md. Another length, so that nothing is read.
  std::string Update() { return Publish({{"a", "22", 0644}, {"newlink", "x", 0644}}).generation; }

  testing::TmpfsDirectory directory_;
  std::unique_ptr<fs::FileSystem> fs_;
  testing::Publisher publisher_;
  std::unique_ptr<AtomicWriter> writer_;
  std::string first_;
};

TEST_F(WatchersTest, TheDirectoryShowsKubeletsSequenceAndNothingOfTheWiping) {
  Watch watch(directory_.path(), kChanges);
  const std::string second = Update();
  EXPECT_THAT(watch.Events(),
              ElementsAre("CREATE|ISDIR " + second, "ATTRIB|ISDIR " + second, "CREATE ..data_tmp",
                          "MOVED_FROM ..data_tmp", "MOVED_TO ..data", "CREATE newlink",
                          "DELETE oldlink", "DELETE|ISDIR " + first_));
  EXPECT_EQ(publisher_.wiped("wiped"), 2);
}

TEST_F(WatchersTest, AContentChangeShowsNoLinkEvents) {
  Watch watch(directory_.path(), kChanges);
  const std::string second = Publish({{"a", "22", 0644}, {"oldlink", "x", 0644}}).generation;
  EXPECT_THAT(watch.Events(),
              ElementsAre("CREATE|ISDIR " + second, "ATTRIB|ISDIR " + second, "CREATE ..data_tmp",
                          "MOVED_FROM ..data_tmp", "MOVED_TO ..data", "DELETE|ISDIR " + first_));
}

TEST_F(WatchersTest, TheVisibleFileDiesOnce) {
  Watch watch(Path("a"), kChanges | IN_OPEN);
  Update();
  EXPECT_THAT(watch.Events(),
              ElementsAre("OPEN", "ATTRIB", "MODIFY", "CLOSE_WRITE", "DELETE_SELF", "IGNORED"));
  Publish({{"a", "333", 0644}});
  EXPECT_THAT(watch.Events(), IsEmpty());
}

TEST_F(WatchersTest, TheVisibleFileResolvesToTheNewGenerationWhenItsWatchFires) {
  // The events are emitted after the flip: whoever reads on the first one gets the new content.
  Watch watch(Path("a"), kChanges | IN_OPEN);
  Update();
  ASSERT_THAT(watch.Events(), Not(IsEmpty()));
  EXPECT_EQ(testing::Slurp(Path("a")), "22");
}

TEST_F(WatchersTest, AnOpenFileOutlivesTheFlip) {
  UniqueFd reader(::open(Path("a").c_str(), O_RDONLY | O_CLOEXEC));
  Watch watch(Path("a"), kChanges);
  Update();
  EXPECT_THAT(watch.Events(), ElementsAre("ATTRIB"));
  reader.Reset();
  EXPECT_EQ(publisher_.wiper().RetryPending(), 0U);
  EXPECT_THAT(watch.Events(), ElementsAre("MODIFY", "CLOSE_WRITE", "DELETE_SELF", "IGNORED"));
}

TEST_F(WatchersTest, TheVisibleLinkItselfShowsNothing) {
  Watch watch(Path("a"), IN_ALL_EVENTS | IN_DONT_FOLLOW);
  Update();
  Publish({{"a", "333", 0644}});
  EXPECT_THAT(watch.Events(), IsEmpty());
}

TEST_F(WatchersTest, TheDataLinkItselfIsReplaced) {
  Watch watch(Path("..data"), IN_ALL_EVENTS | IN_DONT_FOLLOW);
  Update();
  EXPECT_THAT(watch.Events(), ElementsAre("ATTRIB", "DELETE_SELF", "IGNORED"));
}

TEST_F(WatchersTest, AnUnchangedPayloadShowsNoEventOfAnyKindOverManyPolls) {
  const Payload payload = {{"a", "1", 0644}, {"d/b", "22", 0400}};
  Publish(payload);
  std::vector<Watch> watches;
  watches.emplace_back(directory_.path(), IN_ALL_EVENTS);
  for (const char* name : {"..data", "a", "d", "d/b"}) {
    watches.emplace_back(Path(name), IN_ALL_EVENTS);
    watches.emplace_back(Path(name), IN_ALL_EVENTS | IN_DONT_FOLLOW);
  }
  watches.emplace_back(testing::LinkTextOf(Path("..data")).insert(0, directory_.path() + "/"),
                       IN_ALL_EVENTS);
  for (int poll = 0; poll < 200; ++poll) {
    publisher_.clock().Advance(std::chrono::minutes(10));
    EXPECT_FALSE(Publish(payload).changed);
    EXPECT_TRUE(writer_->HasCompleteGeneration());
    EXPECT_EQ(publisher_.wiper().RetryPending(), 0U);
  }
  for (Watch& watch : watches) EXPECT_THAT(watch.Events(), IsEmpty());
}

TEST_F(WatchersTest, ARestartWithAnIntactVolumeOnlyReads) {
  const Payload payload = {{"a", "1", 0644}, {"oldlink", "x", 0644}};
  Watch directory(directory_.path(), kChanges);
  Watch file(Path("a"), kChanges);
  Watch everything(Path("a"), IN_ALL_EVENTS);
  Restart();
  EXPECT_FALSE(Publish(payload).changed);
  EXPECT_THAT(directory.Events(), IsEmpty());
  EXPECT_THAT(file.Events(), IsEmpty());
  EXPECT_THAT(everything.Events(), ElementsAre("OPEN", "ACCESS", "CLOSE_NOWRITE"));
  EXPECT_FALSE(Publish(payload).changed);
  EXPECT_THAT(everything.Events(), IsEmpty());
}

TEST_F(WatchersTest, ARefusedPayloadShowsNoChange) {
  testing::Spill(Path("foreign"), "x");
  Watch watch(directory_.path(), kChanges);
  EXPECT_FALSE(writer_->Publish(Render({{"..x", "1"}})).ok());
  EXPECT_FALSE(writer_->Publish(Render({{"foreign", "1"}})).ok());
  EXPECT_THAT(watch.Events(), IsEmpty());
}

}  // namespace
}  // namespace keyturn::delivery
