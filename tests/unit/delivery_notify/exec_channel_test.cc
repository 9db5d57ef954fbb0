// The exec channel with real programs.
// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/delivery_notify/notify_rig.h"

namespace keyturn::delivery {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::NotifyRig;
using testing::ReadText;
using testing::WriteText;

// A hook that is a shell script; "$1" is the test's directory.
plan::ExecNotify Script(const NotifyRig& rig, const std::string& text) {
  return {{"/bin/sh", "-c", text, "hook", rig.directory.path()}};
}

TEST(ExecChannelTest, PassesArgumentsAsTheyAreWithoutAShell) {
  NotifyRig rig;
  const std::string script = rig.directory / "hook";
  WriteText(script, "#!/bin/sh\nprintf '%s|' \"$@\" > \"${0%/*}/out\"\n");
  ASSERT_EQ(chmod(script.c_str(), 0755), 0);
  const auto channel = rig.Create(plan::ExecNotify{{script, "a b", "$HOME", "*", "; false"}});
  ASSERT_TRUE(channel.ok());
  EXPECT_EQ((*channel)->kind(), "exec");
  const Status status = (*channel)->Deliver("change-1", {});
  EXPECT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(ReadText(rig.directory / "out"), "a b|$HOME|*|; false|");
}

TEST(ExecChannelTest, WithholdsCredentialsAndTellsTheChange) {
  NotifyRig rig;
  const std::vector<const char*> withheld = {"AWS_ACCESS_KEY_ID",
                                             "AWS_SECRET_ACCESS_KEY",
                                             "AWS_SESSION_TOKEN",
                                             "AWS_SECURITY_TOKEN",
                                             "AWS_CONTAINER_AUTHORIZATION_TOKEN",
                                             "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                                             "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                                             "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                                             "AWS_WEB_IDENTITY_TOKEN_FILE",
                                             "AWS_ROLE_ARN",
                                             "AWS_SHARED_CREDENTIALS_FILE",
                                             "AWS_REGION",
                                             "AWS_NOT_INVENTED_YET",
                                             "KEYTURN_PLAN",
                                             "KEYTURN_CHANGE_ID"};
  for (const char* name : withheld) ASSERT_EQ(setenv(name, "CANARY", 1), 0);
  ASSERT_EQ(setenv("MY_AWS_NOTE", "kept", 1), 0);
  ASSERT_TRUE(rig.Deliver(Script(rig, "env > \"$1/env\"")).ok());
  const std::string environment = ReadText(rig.directory / "env");
  EXPECT_THAT(environment, Not(HasSubstr("CANARY")));
  EXPECT_THAT(environment, Not(HasSubstr("\nAWS_")));
  EXPECT_FALSE(environment.starts_with("AWS_"));
  EXPECT_THAT(environment, HasSubstr("MY_AWS_NOTE=kept\n"));
  EXPECT_THAT(environment, HasSubstr("KEYTURN_CHANGE_ID=change-1\n"));
  for (const char* name : withheld) ASSERT_EQ(unsetenv(name), 0);
}

TEST(ExecChannelTest, GivesNullStreamsNoOtherFilesAndItsOwnGroup) {
  NotifyRig rig;
  const int zero = open("/dev/zero", O_RDONLY);
  constexpr int kInherited = 50;                  // a number that the shell does not use for itself
  ASSERT_EQ(dup2(zero, kInherited), kInherited);  // without O_CLOEXEC on purpose
  ASSERT_TRUE(rig.Deliver(Script(rig, R"(
      d=$1; cd /proc/$$/fd; list=$(echo *)
      r0=$(readlink 0); r1=$(readlink /proc/$$/fd/1); r2=$(readlink 2)
      read -r p c s pp group rest < /proc/$$/stat
      { echo "$r0 $r1 $r2"; echo " $list "; [ "$group" = $$ ] && echo own; } > "$d/out")"))
                  .ok());
  close(kInherited);
  close(zero);
  const std::string out = ReadText(rig.directory / "out");
  EXPECT_THAT(out, HasSubstr("/dev/null /dev/null /dev/null\n"));
  EXPECT_THAT(out, HasSubstr(" 0 1 "));
  EXPECT_THAT(out, Not(HasSubstr(" 50 ")));
  EXPECT_THAT(out, HasSubstr("own\n"));
}

TEST(ExecChannelTest, RestoresDefaultSignalHandling) {
  NotifyRig rig;

  struct sigaction ignore {};

  struct sigaction before {};

  ignore.sa_handler = SIG_IGN;
  ASSERT_EQ(sigaction(SIGUSR2, &ignore, &before), 0);
  const Status status = rig.Deliver(Script(rig, "kill -USR2 $$; exit 0"));
  ASSERT_EQ(sigaction(SIGUSR2, &before, nullptr), 0);
  EXPECT_THAT(status.message(), HasSubstr("ended by signal " + std::to_string(SIGUSR2)));
}

TEST(ExecChannelTest, NamesTheProgramAndItsExitCodeOnly) {
  NotifyRig rig;
  EXPECT_EQ(rig.Deliver(plan::ExecNotify{{"/bin/sh", "-c", "exit 7 # CANARY"}}).ToString(),
            "ABORTED: running /bin/sh: it ended with exit code 7");
  EXPECT_EQ(rig.Deliver(plan::ExecNotify{{"/bin/sh", "-c", "kill -KILL $$"}}).ToString(),
            "ABORTED: running /bin/sh: it was ended by signal 9");
}

TEST(ExecChannelTest, FailsWhenTheProgramCannotBeStarted) {
  NotifyRig rig;
  EXPECT_EQ(rig.Deliver(plan::ExecNotify{{rig.directory / "missing", "CANARY"}}).code(),
            StatusCode::kNotFound);
  WriteText(rig.directory / "plain", "text");
  const Status status = rig.Deliver(plan::ExecNotify{{rig.directory / "plain", "CANARY"}});
  EXPECT_EQ(status.code(), StatusCode::kPermissionDenied);
  EXPECT_THAT(status.message(), Not(HasSubstr("CANARY")));
}

TEST(ExecChannelTest, RefusesWhatCanNeverRun) {
  NotifyRig rig;
  for (const std::vector<std::string>& argv : {std::vector<std::string>{},
                                               {""},
                                               {"reload"},
                                               {"./reload"},
                                               {"/bin/x", std::string("a\0b", 3)}}) {
    EXPECT_EQ(rig.Create(plan::ExecNotify{argv}).status().code(), StatusCode::kInvalidArgument);
  }
}

// "Z" for a zombie, empty when the process is gone.
std::string ProcessState(const std::string& pid) {
  const std::string stat = ReadText("/proc/" + pid + "/stat");
  const size_t close = stat.rfind(") ");
  return close == std::string::npos ? "" : stat.substr(close + 2, 1);
}

void ExpectGone(const std::string& pid) {
  ASSERT_FALSE(pid.empty());
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  std::string state = ProcessState(pid);
  while (!state.empty() && state != "Z" && std::chrono::steady_clock::now() < limit) {
    std::this_thread::yield();
    state = ProcessState(pid);
  }
  EXPECT_TRUE(state.empty() || state == "Z") << state;
}

std::string FirstLine(const std::string& path) {
  const std::string text = ReadText(path);
  return text.substr(0, text.find('\n'));
}

// The script's own child must end with it; both pids are written before anything can time out.
constexpr const char* kHangs = R"(sleep 100 & echo $! > "$1/child.tmp"; echo $$ > "$1/hook"
    mv "$1/child.tmp" "$1/child"; wait)";

TEST(ExecChannelTest, KillsTheWholeGroupAtTheDeadline) {
  NotifyRig rig;
  const CallContext context{rig.clock.MonoNow() + milliseconds(300), {}};
  const Status status = rig.Deliver(Script(rig, kHangs), {}, context);
  EXPECT_EQ(status.ToString(),
            "DEADLINE_EXCEEDED: running /bin/sh: killed because it did not end in time");
  ExpectGone(FirstLine(rig.directory / "hook"));
  ExpectGone(FirstLine(rig.directory / "child"));
}

TEST(ExecChannelTest, KillsTheWholeGroupAtAStopRequest) {
  NotifyRig rig;
  std::stop_source stop;
  std::jthread stopper([&] {
    while (!std::filesystem::exists(rig.directory / "child")) std::this_thread::yield();
    stop.request_stop();
  });
  const Status status = rig.Deliver(Script(rig, kHangs), {}, {MonoTime::max(), stop.get_token()});
  EXPECT_EQ(status.code(), StatusCode::kCancelled);
  ExpectGone(FirstLine(rig.directory / "child"));
}

}  // namespace
}  // namespace keyturn::delivery
