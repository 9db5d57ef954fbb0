// HTTP, sentinel and signal.
// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/fault_injecting_file_system.h"
#include "tests/unit/delivery_notify/notify_rig.h"

namespace keyturn::delivery {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::NotifyRig;
using testing::ReadText;
using ::testing::UnorderedElementsAre;
using testing::WriteText;

TEST(HttpChannelTest, PostsTheChangeIdAsJson) {
  NotifyRig rig;
  const auto channel = rig.Create(plan::HttpNotify{"http://127.0.0.1:9000/reload?x=1"});
  ASSERT_TRUE(channel.ok()) << channel.status().ToString();
  EXPECT_EQ((*channel)->kind(), "http");
  EXPECT_TRUE((*channel)->Deliver("a\"b", {}).ok());
  const auto requests = rig.transport.requests();
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(requests[0].method, "POST");
  EXPECT_EQ(requests[0].url.ToString(), "http://127.0.0.1:9000/reload?x=1");
  EXPECT_EQ(requests[0].headers.Get("Content-Type"), "application/json");
  EXPECT_EQ(requests[0].body, R"({"changeId":"a\"b"})");
}

TEST(HttpChannelTest, TakesOnly2xxForSuccessAndFollowsNoRedirect) {
  for (const int status : {200, 201, 204, 299}) {
    NotifyRig rig;
    rig.http_status = status;
    EXPECT_TRUE(rig.Deliver(plan::HttpNotify{"http://localhost/"}).ok()) << status;
  }
  for (const int status : {300, 301, 302, 307, 400, 404, 500, 503}) {
    NotifyRig rig;
    rig.http_status = status;
    const Status outcome = rig.Deliver(plan::HttpNotify{"http://localhost/CANARY?CANARY"});
    EXPECT_EQ(outcome.message(),
              "posting to http://localhost: the answer is HTTP status " + std::to_string(status));
    EXPECT_EQ(rig.transport.requests().size(), 1U);
  }
}

TEST(HttpChannelTest, RefusesAMalformedUrlAtOnce) {
  NotifyRig rig;
  for (const char* url : {"", "localhost", "ftp://localhost/", "http://u:CANARY@localhost/"}) {
    const auto channel = rig.Create(plan::HttpNotify{url});
    EXPECT_EQ(channel.status().code(), StatusCode::kInvalidArgument) << url;
    EXPECT_THAT(channel.status().message(), Not(HasSubstr("CANARY")));
  }
}

TEST(SentinelChannelTest, ReplacesTheFileInEveryTarget) {
  NotifyRig rig;
  const std::vector<std::string> targets = {rig.directory / "one", rig.directory / "two"};
  for (const std::string& target : targets) std::filesystem::create_directory(target);
  const auto channel = rig.Create(plan::SentinelNotify{".changed"}, targets);
  ASSERT_TRUE(channel.ok());
  EXPECT_EQ((*channel)->kind(), "sentinel");
  std::map<std::string, ino_t> inodes;
  for (const char* change : {"change-1", "change-2"}) {
    ASSERT_TRUE((*channel)->Deliver(change, {}).ok());
    for (const std::string& target : targets) {
      const std::string path = target + "/.changed";
      EXPECT_EQ(ReadText(path), std::string(change) + "\n");

      struct stat info {};

      ASSERT_EQ(stat(path.c_str(), &info), 0);
      EXPECT_EQ(info.st_mode & 07777U, 0444U);
      EXPECT_NE(inodes[target], info.st_ino);
      inodes[target] = info.st_ino;
    }
  }
}

TEST(SentinelChannelTest, MakesMissingDirectories) {
  NotifyRig rig;
  ASSERT_TRUE(rig.Deliver(plan::SentinelNotify{"a/b/changed"}, {rig.directory.path()}).ok());
  EXPECT_EQ(ReadText(rig.directory / "a/b/changed"), "change-1\n");
}

TEST(SentinelChannelTest, LeavesPublishedFilesAlone) {
  NotifyRig rig;
  WriteText(rig.directory / "..data/password", "secret");
  std::filesystem::create_symlink("..data/password", rig.directory / "password");
  std::filesystem::create_symlink("..data", rig.directory / "db");
  std::filesystem::create_directory(rig.directory / "folder");
  for (const char* path : {"password", "db", "db/changed", "password/changed", "folder"}) {
    const Status status = rig.Deliver(plan::SentinelNotify{path}, {rig.directory.path()});
    EXPECT_EQ(status.code(), StatusCode::kAlreadyExists) << path;
  }
  EXPECT_TRUE(std::filesystem::is_symlink(rig.directory / "password"));
  EXPECT_EQ(ReadText(rig.directory / "..data/password"), "secret");
  EXPECT_FALSE(std::filesystem::exists(rig.directory / "..data/changed"));
}

TEST(SentinelChannelTest, RefusesPathsThatLeaveTheTargetOrBelongToThePublisher) {
  NotifyRig rig;
  for (const std::string& path :
       {std::string(), std::string("/etc/x"), std::string(".."), std::string("../x"),
        std::string("a/../x"), std::string("a/.."), std::string("."), std::string("./x"),
        std::string("a//b"), std::string("a/"), std::string("..data"), std::string("..data/x"),
        std::string("..x"), std::string("a/..b"), std::string("a\0b", 3), std::string(201, 'a'),
        std::string(600, 'a') + "/" + std::string(600, 'b')}) {
    EXPECT_EQ(rig.Create(plan::SentinelNotify{path}).status().code(), StatusCode::kInvalidArgument)
        << path;
  }
}

TEST(SentinelChannelTest, OneFailingTargetDoesNotSilenceTheOthers) {
  NotifyRig rig;
  const Status status = rig.Deliver(plan::SentinelNotify{"changed"},
                                    {rig.directory / "missing", rig.directory.path()});
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_EQ(ReadText(rig.directory / "changed"), "change-1\n");
}

TEST(SentinelChannelTest, ShowsTheOldOrTheNewContentWhicheverCallFails) {
  NotifyRig rig;
  const auto posix = std::move(rig.files);
  auto faulty = std::make_unique<keyturn::testing::FaultInjectingFileSystem>(*posix);
  keyturn::testing::FaultInjectingFileSystem& faults = *faulty;
  rig.files = std::move(faulty);
  const auto channel = rig.Create(plan::SentinelNotify{"d/changed"}, {rig.directory.path()});
  ASSERT_TRUE((*channel)->Deliver("old", {}).ok());
  int failures = 0;
  for (const auto fault : {keyturn::testing::Fault::kFailOnce, keyturn::testing::Fault::kDead}) {
    for (int call = 1;; ++call) {
      faults.Arm(fault, call);
      const Status status = (*channel)->Deliver("new", {});
      const bool fired = faults.fired();
      faults.Disarm();
      const std::string content = ReadText(rig.directory / "d/changed");
      EXPECT_TRUE(content == "old\n" || content == "new\n") << call << ": " << content;
      if (status.ok()) {
        EXPECT_EQ(content, "new\n") << call;
      } else {
        ++failures;
      }
      ASSERT_TRUE((*channel)->Deliver("old", {}).ok()) << call;  // nothing stays in the way
      if (!fired) break;
    }
  }
  EXPECT_GE(failures, 10);
}

// A directory that looks like /proc, and what was signalled.
class SignalChannelTest : public ::testing::Test {
 protected:
  SignalChannelTest() {
    rig_.proc_root = rig_.directory / "proc";
    std::filesystem::create_directory(rig_.proc_root);
    rig_.kill = [this](pid_t pid, int signal) {
      EXPECT_EQ(signal, SIGHUP);
      signalled_.push_back(pid);
      return errors_[pid];
    };
  }

  void Add(const std::string& name, const std::string& comm, const std::string& stat = "") {
    WriteText(rig_.proc_root + "/" + name + "/comm", comm + "\n");
    if (!stat.empty()) WriteText(rig_.proc_root + "/" + name + "/stat", stat);
  }

  Status Send(const std::string& process) {
    return rig_.Deliver(plan::SignalNotify{"HUP", process});
  }

  NotifyRig rig_;
  std::map<pid_t, int> errors_;
  std::vector<pid_t> signalled_;
};

TEST_F(SignalChannelTest, SignalsEveryProcessOfTheName) {
  Add("40", "nginx", "40 (nginx) S 1 40");
  Add("41", "nginx");
  Add("42", "nginx2");
  Add("43", "ngin");
  Add("self", "nginx");
  Add("044x", "nginx");
  Add("99999999999", "nginx");
  WriteText(rig_.proc_root + "/50/cmdline", "nginx");  // ended between list and read
  EXPECT_TRUE(Send("nginx").ok());
  EXPECT_THAT(signalled_, UnorderedElementsAre(40, 41));
}

TEST_F(SignalChannelTest, NeverSignalsItselfPidOneOrZombies) {
  Add("1", "app");
  Add(std::to_string(getpid()), "app");
  Add("60", "app", "60 (app) Z 1 60");
  Add("61", "app", "61 (a) Z (app) S 1 61");
  EXPECT_TRUE(Send("app").ok());
  EXPECT_THAT(signalled_, ElementsAre(61));
}

TEST_F(SignalChannelTest, ComparesTheFifteenCharactersThatTheKernelKeeps) {
  Add("40", "a-very-long-nam");
  EXPECT_TRUE(Send("a-very-long-name-of-a-process").ok());
  EXPECT_THAT(signalled_, ElementsAre(40));
  EXPECT_EQ(Send("a-very-long-na").code(), StatusCode::kNotFound);
}

TEST_F(SignalChannelTest, ExplainsThatNobodyIsVisible) {
  const Status status = Send("nginx");
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_THAT(status.message(), HasSubstr("shareProcessNamespace: true"));
  EXPECT_THAT(signalled_, IsEmpty());
}

TEST_F(SignalChannelTest, ExplainsForeignUidsAfterTryingEveryProcess) {
  Add("40", "nginx");
  Add("41", "nginx");
  errors_[40] = errors_[41] = EPERM;
  const Status status = Send("nginx");
  EXPECT_EQ(status.code(), StatusCode::kPermissionDenied);
  EXPECT_THAT(status.message(), HasSubstr("same uid"));
  EXPECT_EQ(signalled_.size(), 2U);
}

TEST_F(SignalChannelTest, ToleratesAProcessThatEnds) {
  Add("40", "nginx");
  Add("41", "nginx");
  errors_[40] = ESRCH;
  EXPECT_TRUE(Send("nginx").ok());
  errors_[41] = ESRCH;
  EXPECT_EQ(Send("nginx").code(), StatusCode::kNotFound);
  errors_[41] = EINVAL;
  EXPECT_EQ(Send("nginx").code(), StatusCode::kInvalidArgument);
}

TEST_F(SignalChannelTest, FailsWhenProcCannotBeRead) {
  rig_.proc_root = rig_.directory / "missing";
  EXPECT_FALSE(Send("nginx").ok());
}

TEST_F(SignalChannelTest, RefusesOtherSignalsAndNames) {
  for (const char* signal : {"", "SIGHUP", "hup", "1", "KILL", "STOP", "SEGV", "HUP "}) {
    EXPECT_EQ(rig_.Create(plan::SignalNotify{signal, "x"}).status().code(),
              StatusCode::kInvalidArgument)
        << signal;
  }
  for (const char* process : {"", "/usr/sbin/nginx", "a/b"}) {
    EXPECT_EQ(rig_.Create(plan::SignalNotify{"HUP", process}).status().code(),
              StatusCode::kInvalidArgument);
  }
}

// Starts a copy of sleep(1) under a name that no other process has.
pid_t StartSleeper(const std::string& program) {
  std::filesystem::copy_file("/bin/sleep", program);
  std::string path = program;
  std::string argument = "100";
  char* argv[] = {path.data(), argument.data(), nullptr};
  pid_t pid = 0;
  EXPECT_EQ(posix_spawn(&pid, path.c_str(), nullptr, nullptr, argv, environ), 0);
  return pid;
}

TEST(SignalChannelRealTest, ReachesARealProcessAndThenNoZombie) {
  NotifyRig rig;
  const std::string name = "kt" + std::to_string(getpid()) + "-a-long-name";
  const pid_t pid = StartSleeper(rig.directory / name);
  EXPECT_TRUE(rig.Deliver(plan::SignalNotify{"USR1", name}).ok());
  siginfo_t info{};
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT), 0);
  EXPECT_EQ(info.si_status, SIGUSR1);
  EXPECT_EQ(rig.Deliver(plan::SignalNotify{"USR1", name}).code(), StatusCode::kNotFound);
  EXPECT_EQ(waitpid(pid, nullptr, 0), pid);
}

}  // namespace
}  // namespace keyturn::delivery
