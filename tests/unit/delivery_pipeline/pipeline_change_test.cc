// Revocation, other Plans, and what must not leak.
// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>

#include "lib/delivery/pipeline_failure.h"
#include "tests/unit/delivery_pipeline/pipeline_fixture.h"

namespace keyturn::delivery {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

Status MarkedForDeletion() {
  return FailedPreconditionError(
      "GetSecretValue db: InvalidRequestException: You can't perform this operation on the secret "
      "because it was marked for deletion.");
}

class RevocationTest : public PipelineFixture {
 protected:
  RevocationTest() {
    secrets_.Put("db", "one");
    secrets_.Put("api", "one");
    plan_.targets = {Target("app", {File("db", Secret("db")), File("api", Secret("api"))})};
    plan_.refresh.on_revoked = plan::OnRevoked::kRemove;
    Make();
  }
};

TEST_F(RevocationTest, FilesGoAfterTheGraceAndComeBack) {
  const Status causes[] = {MarkedForDeletion(), PermissionDeniedError("AccessDeniedException"),
                           NotFoundError("ResourceNotFoundException")};
  for (const Status& cause : causes) {
    SCOPED_TRACE(cause.ToString());
    ASSERT_TRUE(Run().ok());
    secrets_.SetFailure("db", cause);
    EXPECT_FALSE(Run().ok());
    EXPECT_FALSE(RunFor(4min).ok());
    EXPECT_EQ(Read("app/db"), "one") << "within the grace";
    EXPECT_TRUE(RunFor(3min).ok()) << "what the Plan wants is done";
    EXPECT_EQ(Read("app/db"), std::nullopt);
    EXPECT_EQ(Read("app/api"), "one");
    EXPECT_EQ(StatusOf("db").error, cause.code());
    EXPECT_EQ(StatusOf("db").version_id, "");
    EXPECT_TRUE(pipeline_->status()->ready);
    secrets_.SetFailure("db", std::nullopt);
    EXPECT_TRUE(RunFor(11min).ok());
    EXPECT_EQ(Read("app/db"), "one");
  }
}

TEST_F(RevocationTest, KeepKeepsForEver) {
  plan_.refresh.on_revoked = plan::OnRevoked::kKeep;
  ASSERT_TRUE(pipeline_->Reconfigure(plan_).ok());
  ASSERT_TRUE(Run().ok());
  secrets_.SetFailure("db", MarkedForDeletion());
  EXPECT_FALSE(RunFor(2h).ok());
  EXPECT_EQ(Read("app/db"), "one");
}

TEST_F(RevocationTest, AnOutageIsNoRevocation) {
  ASSERT_TRUE(Run().ok());
  for (const Status& cause :
       {UnavailableError("down"), UnauthenticatedError("credentials"),
        FailedPreconditionError("DecryptionFailure"), ResourceExhaustedError("Throttling")}) {
    secrets_.SetFailure("db", cause);
    Elapse(30min);
    EXPECT_EQ(Read("app/db"), "one") << cause.ToString();
  }
}

TEST_F(RevocationTest, AnyOtherAnswerStartsTheGraceAnew) {
  ASSERT_TRUE(Run().ok());
  for (int i = 0; i < 5; ++i) {
    secrets_.SetFailure("db", PermissionDeniedError("no"));
    Elapse(4min);
    secrets_.SetFailure("db", UnavailableError("down"));
    Elapse(2min);
  }
  EXPECT_EQ(Read("app/db"), "one");
}

TEST_F(RevocationTest, AFirstGenerationNeverLacksARequiredFile) {
  secrets_.SetFailure("db", PermissionDeniedError("no"));
  EXPECT_FALSE(RunFor(30min).ok());
  EXPECT_FALSE(pipeline_->status()->ready);
  EXPECT_EQ(Read("app/api"), std::nullopt);
}

class ReconfigureTest : public PipelineFixture {
 protected:
  ReconfigureTest() {
    secrets_.Put("db", "one");
    secrets_.Put("api", "one");
    plan_.targets = {Target("app", {File("db", Secret("db"))}),
                     Target("old", {File("api", Secret("api"))})};
    plan_.notify = {plan::HttpNotify{"http://127.0.0.1:9000/reload"}};
    Make();
    EXPECT_TRUE(Run(PassReason::kStart).ok());
  }
};

TEST_F(ReconfigureTest, NewFilesAreAddedToAStandingTarget) {
  plan_.targets[0].files.push_back(File("api", Secret("api")));
  ASSERT_TRUE(pipeline_->Reconfigure(plan_).ok());
  EXPECT_TRUE(pipeline_->status()->ready);
  EXPECT_EQ(Read("app/db"), "one") << "until the next pass";
  EXPECT_EQ(pipeline_->NextDue(), clock_.MonoNow());
  ASSERT_TRUE(Run(PassReason::kPlanChanged).ok());
  EXPECT_EQ(Read("app/api"), "one");
  Elapse(1min);
  EXPECT_EQ(Notifications(), 1U);
}

TEST_F(ReconfigureTest, WhatIsKnownOfUnchangedFilesStays) {
  plan_.targets[0].files.push_back(File("api", Secret("api")));
  const auto checked = StatusOf("db").last_check;
  clock_.Advance(1min);
  ASSERT_TRUE(pipeline_->Reconfigure(plan_).ok());
  EXPECT_EQ(StatusOf("db").version_id, "v1");
  EXPECT_EQ(StatusOf("db").last_check, checked);
  EXPECT_EQ(pipeline_->KnownVersions().at(Key("db")), "v1");
}

TEST_F(ReconfigureTest, ATargetThatLeavesThePlanIsEmptied) {
  ASSERT_EQ(Read("old/api"), "one");
  plan_.targets.pop_back();
  ASSERT_TRUE(pipeline_->Reconfigure(plan_).ok());
  EXPECT_EQ(Read("old/api"), std::nullopt);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(Path("old"))) {
    EXPECT_FALSE(entry.is_regular_file() && !entry.is_symlink()) << entry.path();
  }
  EXPECT_TRUE(std::filesystem::is_directory(Path("old")));
  EXPECT_EQ(pipeline_->status()->targets.size(), 1U);
  EXPECT_THAT(metrics_.Expose(), ::testing::Not(HasSubstr("secret=\"api\"")));
  // And may come back.
  plan_.targets.push_back(Target("old", {File("api", Secret("api"))}));
  ASSERT_TRUE(pipeline_->Reconfigure(plan_).ok());
  ASSERT_TRUE(Run(PassReason::kPlanChanged).ok());
  EXPECT_EQ(Read("old/api"), "one");
}

TEST_F(ReconfigureTest, APlanThatCannotBeExecutedChangesNothing) {
  const plan::Plan good = plan_;
  plan_.targets = {Target("app", {File("other", Secret("api"))}),
                   Target("missing/deep", {File("api", Secret("api"))})};
  EXPECT_EQ(pipeline_->Reconfigure(plan_).code(), StatusCode::kNotFound);
  plan_ = good;
  plan_.targets[0].files.clear();
  plan_.notify = {plan::HttpNotify{"not a url"}};
  EXPECT_EQ(pipeline_->Reconfigure(plan_).code(), StatusCode::kInvalidArgument);
  clients_error_ = InvalidArgumentError("bad CA");
  plan_.notify = good.notify;
  EXPECT_EQ(pipeline_->Reconfigure(plan_), clients_error_);
  EXPECT_EQ(pipeline_->plan().targets.size(), 2U);
  secrets_.Put("db", "two");
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(Read("app/db"), "two");
  EXPECT_EQ(Read("old/api"), "one");
}

TEST_F(ReconfigureTest, ANewTargetsFirstGenerationIsNotNotified) {
  plan_.targets.push_back(Target("new", {File("api", Secret("api"))}));
  ASSERT_TRUE(pipeline_->Reconfigure(plan_).ok());
  ASSERT_TRUE(Run(PassReason::kPlanChanged).ok());
  EXPECT_EQ(Read("new/api"), "one");
  Elapse(1min);
  EXPECT_EQ(Notifications(), 0U);
}

TEST_F(ReconfigureTest, APendingNotificationIsDelivered) {
  secrets_.Put("db", "two");
  ASSERT_TRUE(Run().ok());
  plan_.refresh.interval = 20min;
  ASSERT_TRUE(pipeline_->Reconfigure(plan_).ok());
  Elapse(1min);
  EXPECT_EQ(Notifications(), 1U);
}

TEST_F(ReconfigureTest, TheNewIntervalHolds) {
  plan_.refresh.interval = 30s;
  ASSERT_TRUE(pipeline_->Reconfigure(plan_).ok());
  ASSERT_TRUE(Run(PassReason::kPlanChanged).ok());
  EXPECT_LE(pipeline_->NextDue(), clock_.MonoNow() + 30s);
}

TEST_F(ReconfigureTest, DisallowingDisksIsCheckedForAStandingTarget) {
  char name[] = "/tmp/keyturn-disk-XXXXXX";
  ASSERT_NE(::mkdtemp(name), nullptr);
  const auto on_memory = fs_->IsMemoryBacked(name);
  ASSERT_TRUE(on_memory.ok());
  plan_.targets = {{std::string(name), true, {File("db", Secret("db"))}}};
  ASSERT_TRUE(pipeline_->Reconfigure(plan_).ok());
  plan_.targets[0].allow_disk = false;
  EXPECT_EQ(pipeline_->Reconfigure(plan_).ok(), *on_memory);
  pipeline_.reset();
  std::filesystem::remove_all(name);
}

// Every path that ends in an error, with a canary in every value that is in play.
class CanaryTest : public PipelineFixture {
 protected:
  static constexpr char kCanary[] = "CANARY-7f3a9d";

  void ExpectNoLeak(const Status& status, const std::string& where) {
    std::string seen = status.ToString() + metrics_.Expose();
    for (const std::string& line : logger_.lines()) seen += line + "\n";
    const auto state = pipeline_->status();
    for (const TargetStatus& target : state->targets) seen += target.last_error.ToString();
    for (const FileStatus& file : state->files) {
      seen += file.error_message + file.secret + file.version_id + file.stage;
    }
    EXPECT_EQ(seen.find(kCanary), std::string::npos) << where << ": " << seen;
    EXPECT_EQ(seen.find("7f3a9d"), std::string::npos) << where << ": " << seen;
  }
};

TEST_F(CanaryTest, NoErrorPathTellsAValue) {
  struct Case {
    const char* name;
    std::string value;
    plan::Format format;
    const char* key;
  };

  // In values only: the keys of a document are names that messages may and should tell.
  const std::string canary = kCanary;
  const Case cases[] = {
      {"missing key", R"({"password":")" + canary + "\"}", plan::Format::kRaw, "/missing"},
      {"not JSON", canary, plan::Format::kRaw, "/key"},
      {"broken JSON", R"({"password":")" + canary, plan::Format::kJson, ""},
      {"duplicate keys", R"({"a":")" + canary + R"(","a":1})", plan::Format::kJson, ""},
      {"key into a scalar", R"({"a":")" + canary + "\"}", plan::Format::kRaw, "/a/b"},
      {"NUL in env", R"({"a":")" + canary + R"(\u0000"})", plan::Format::kEnv, ""},
      {"newline in pgpass",
       R"({"host":"h","port":1,"dbname":"d","username":"u","password":")" + canary + "\\n\"}",
       plan::Format::kPgpass, ""},
      {"no PEM", canary, plan::Format::kPem, ""},
      {"files of a scalar", "\"" + canary + "\"", plan::Format::kFiles, ""},
      {"invalid UTF-8", canary + "\xff", plan::Format::kJson, ""},
      {"dsn of nothing", R"({"password":")" + canary + "\"}", plan::Format::kDsn, ""},
      {"mycnf of nothing", canary, plan::Format::kMycnf, ""},
      {"yaml of nothing", canary + ": [", plan::Format::kYaml, ""},
  };
  for (const Case& c : cases) {
    plan::File file = File("x", Secret("s", c.key));
    file.format = c.format;
    plan_.targets = {Target("app", {file})};
    secrets_.Put("s", c.value);
    Make();
    const Status status = Run(PassReason::kStart);
    ExpectNoLeak(status, c.name);
  }
}

TEST_F(CanaryTest, NoFailureOfServiceDiskOrNotificationTellsAValue) {
  secrets_.Put("s", kCanary);
  secrets_.Put("t", kCanary);
  plan_.targets = {Target("app", {File("s", Secret("s")), File("t", Secret("t"))})};
  plan_.notify = {plan::HttpNotify{"http://127.0.0.1:9000/reload"},
                  plan::SentinelNotify{".changed"}};
  Make();
  std::ofstream(Path("app/s")) << "foreign";
  ExpectNoLeak(Run(PassReason::kStart), "foreign file");
  std::filesystem::remove(Path("app/s"));
  ExpectNoLeak(Run(), "publication");
  for (const Status& failure : {UnavailableError("down"), PermissionDeniedError("no"),
                                NotFoundError("gone"), MarkedForDeletion()}) {
    secrets_.SetFailure("t", failure);
    secrets_.Put("s", kCanary);
    ExpectNoLeak(RunFor(20min), failure.ToString());
  }
  secrets_.SetFailure("t", std::nullopt);
  ExpectNoLeak(RunFor(20min), "recovery");
  std::filesystem::remove_all(Path("app"));
  ExpectNoLeak(Run(), "lost target");
}

TEST(FailureLogTest, RequestIdsAreNoChange) {
  testing::FakeClock clock;
  testing::FakeLogger logger;
  FailureLog log(clock, logger);
  const auto report = [&](const std::string& id) {
    log.Report(LogLevel::kWarning, "secret a",
               UnavailableError("InternalServiceError (request id " + id + ")"));
  };
  report("2f0c9f5e-7c1e-4a55-9d0c-000000000001");
  report("2f0c9f5e-7c1e-4a55-9d0c-000000000002");
  EXPECT_EQ(logger.lines().size(), 1U);
  log.Report(LogLevel::kWarning, "secret a", UnavailableError("another cause"));
  EXPECT_EQ(logger.lines().size(), 2U);
  log.Report(LogLevel::kWarning, "secret a", NotFoundError("another cause"));
  EXPECT_EQ(logger.lines().size(), 3U);
  clock.Advance(10min);
  log.Report(LogLevel::kWarning, "secret a", NotFoundError("another cause"));
  EXPECT_EQ(logger.lines().size(), 4U);
  log.Resolved("secret a");
  log.Resolved("secret a");
  EXPECT_EQ(logger.lines().size(), 5U);
}

TEST(FailureLogTest, ForgetsWithoutALine) {
  testing::FakeClock clock;
  testing::FakeLogger logger;
  FailureLog log(clock, logger);
  log.Report(LogLevel::kWarning, "secret a", UnavailableError("x"));
  log.Keep({});
  log.Resolved("secret a");
  EXPECT_EQ(logger.lines().size(), 1U);
}

TEST(RevocationTrackerTest, ASilenceIsNoEvidence) {
  testing::FakeClock clock;
  RevocationTracker tracker(clock, 5min);
  const FetchKey key{"default", "", SourceKind::kSecret, "a", "AWSCURRENT", ""};
  tracker.Observe(key, PermissionDeniedError("no"));
  clock.Advance(24h);
  EXPECT_TRUE(tracker.Revoked().empty()) << "one denial, a day ago";
  tracker.Observe(key, PermissionDeniedError("no"));
  EXPECT_EQ(tracker.Revoked().size(), 1U);
  tracker.Observe(key, OkStatus());
  EXPECT_TRUE(tracker.Revoked().empty());
}

}  // namespace
}  // namespace keyturn::delivery
