// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>

#include "tests/unit/delivery_pipeline/pipeline_fixture.h"

namespace keyturn::delivery {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

class PipelineTest : public PipelineFixture {
 protected:
  PipelineTest() {
    secrets_.Put("db", R"({"user":"app","password":"one"})");
    secrets_.Put("api", "key-one");
    plan_.targets = {Target(
        "app", {File("db/password", Secret("db", "/password")), File("api", Secret("api"))})};
    plan_.notify = {plan::HttpNotify{"http://127.0.0.1:9000/reload"}};
  }

  void Rotate(const std::string& password) {
    secrets_.Put("db", R"({"user":"app","password":")" + password + "\"}");
  }
};

TEST_F(PipelineTest, PublishesEveryFileAndIsReady) {
  Make();
  EXPECT_FALSE(pipeline_->status()->ready);
  EXPECT_EQ(pipeline_->NextDue(), clock_.MonoNow());
  ASSERT_TRUE(Run(PassReason::kStart).ok());
  EXPECT_EQ(Read("app/db/password"), "one");
  EXPECT_EQ(Read("app/api"), "key-one");
  const auto status = pipeline_->status();
  EXPECT_TRUE(status->ready);
  EXPECT_FALSE(status->stale);
  ASSERT_EQ(status->targets.size(), 1U);
  EXPECT_TRUE(status->targets[0].complete);
  EXPECT_THAT(status->targets[0].generation, HasSubstr(".."));
  const FileStatus& file = StatusOf("db/password");
  EXPECT_EQ(file.secret, testing::FakeSecretsManager::ArnOf("db"));
  EXPECT_EQ(file.version_id, "v1");
  EXPECT_EQ(file.stage, "AWSCURRENT");
  EXPECT_EQ(file.rendered_at, clock_.WallNow());
  EXPECT_EQ(file.last_check, clock_.WallNow());
  EXPECT_EQ(file.error, StatusCode::kOk);
  Elapse(1s);
  EXPECT_GT(pipeline_->NextDue(), clock_.MonoNow() + 8min);
}

TEST_F(PipelineTest, MakesItsDirectoryWhateverTheUmask) {
  const mode_t old = ::umask(077);
  Make();
  ::umask(old);

  struct stat info {};

  ASSERT_EQ(::stat(Path("app").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0755U);
}

TEST_F(PipelineTest, ATargetWithoutParentIsAnErrorThatNamesIt) {
  plan_.targets[0].path = Path("missing/app");
  const auto made = TryMake();
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.status().code(), StatusCode::kNotFound);
  EXPECT_THAT(made.status().message(), HasSubstr("target " + Path("missing/app")));
}

TEST_F(PipelineTest, TwoPipelinesCannotShareATarget) {
  Make();
  const auto second = TryMake();
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), StatusCode::kUnavailable);
}

TEST_F(PipelineTest, CreateMakesNoCall) {
  Make();
  EXPECT_TRUE(secrets_.calls().empty());
}

TEST_F(PipelineTest, ARotationIsPublishedAndNotified) {
  Make();
  ASSERT_TRUE(Run(PassReason::kStart).ok());
  Elapse(1h);
  EXPECT_EQ(Notifications(), 0U) << "a first generation is no change";
  Rotate("two");
  ASSERT_TRUE(Run(PassReason::kHint).ok());
  EXPECT_EQ(Read("app/db/password"), "two");
  EXPECT_EQ(StatusOf("db/password").version_id, "v2");
  EXPECT_EQ(Notifications(), 0U) << "debounced";
  Elapse(10s);
  EXPECT_EQ(Notifications(), 1U);
  Elapse(1h);
  EXPECT_EQ(Notifications(), 1U);
}

TEST_F(PipelineTest, SeveralTargetsOfOnePassAreOneNotification) {
  plan_.targets.push_back(Target(
      "other", {File("user", Secret("db", "/user")), File("password", Secret("db", "/password"))}));
  Make();
  ASSERT_TRUE(Run(PassReason::kStart).ok());
  Rotate("two");
  ASSERT_TRUE(Run().ok());
  Elapse(1min);
  EXPECT_EQ(Read("other/password"), "two");
  EXPECT_EQ(Notifications(), 1U);
}

TEST_F(PipelineTest, ASecretIsFetchedOnceForAllItsFiles) {
  plan_.targets.push_back(Target("other", {File("user", Secret("db", "/user"))}));
  Make();
  ASSERT_TRUE(Run(PassReason::kStart).ok());
  EXPECT_EQ(secrets_.CountOf("GetSecretValue"), 2U);
}

TEST_F(PipelineTest, AnUnchangedPassTouchesNothing) {
  Make();
  ASSERT_TRUE(Run(PassReason::kStart).ok());
  const std::string generation = pipeline_->status()->targets[0].generation;
  const auto rendered = StatusOf("api").rendered_at;
  clock_.Advance(10min);
  ASSERT_TRUE(Run(PassReason::kInterval).ok());
  EXPECT_EQ(pipeline_->status()->targets[0].generation, generation);
  EXPECT_EQ(StatusOf("api").rendered_at, rendered);
  EXPECT_EQ(StatusOf("api").last_check, clock_.WallNow());
  EXPECT_EQ(CountLines("published"), 1U);
}

TEST_F(PipelineTest, NothingHappensBeforeItIsDue) {
  Make();
  ASSERT_TRUE(Run(PassReason::kStart).ok());
  Elapse(1s);
  secrets_.ForgetCalls();
  clock_.Advance(8min);
  EXPECT_TRUE(Run(PassReason::kInterval).ok());
  EXPECT_TRUE(secrets_.calls().empty());
  EXPECT_TRUE(Run(PassReason::kForced).ok());
  EXPECT_FALSE(secrets_.calls().empty());
}

TEST_F(PipelineTest, AfterARestartItIsReadyBeforeTheFirstFetch) {
  Make();
  ASSERT_TRUE(Run(PassReason::kStart).ok());
  secrets_.SetOperationFailure("GetSecretValue", UnavailableError("connect"));
  Make();
  EXPECT_TRUE(pipeline_->status()->ready);
  EXPECT_FALSE(Run(PassReason::kStart).ok());
  EXPECT_TRUE(pipeline_->status()->ready);
  EXPECT_EQ(Read("app/api"), "key-one");
}

TEST_F(PipelineTest, AChangeDuringARestartIsNotifiedAndNoChangeIsNot) {
  Make();
  ASSERT_TRUE(Run(PassReason::kStart).ok());
  Make();
  ASSERT_TRUE(Run(PassReason::kStart).ok());
  Elapse(1min);
  EXPECT_EQ(Notifications(), 0U);
  EXPECT_EQ(StatusOf("api").version_id, "v1");
  pipeline_.reset();
  Rotate("two");
  Make();
  ASSERT_TRUE(Run(PassReason::kStart).ok());
  Elapse(1min);
  EXPECT_EQ(Notifications(), 1U);
}

TEST_F(PipelineTest, AFailingFileKeepsItsTargetAndLeavesOthersAlone) {
  plan_.targets.push_back(Target("other", {File("key", Secret("api"))}));
  Make();
  ASSERT_TRUE(Run(PassReason::kStart).ok());
  Rotate("two");
  secrets_.Put("api", "key-two");
  secrets_.SetFailure("db", PermissionDeniedError("GetSecretValue db: AccessDeniedException: no"));
  const Status status = Run();
  EXPECT_EQ(status.code(), StatusCode::kPermissionDenied);
  EXPECT_EQ(status.message(),
            "secret db: PERMISSION_DENIED: GetSecretValue db: AccessDeniedException: no");
  EXPECT_EQ(Read("app/db/password"), "one");
  EXPECT_EQ(Read("app/api"), "key-one") << "never a mixed set";
  EXPECT_EQ(Read("other/key"), "key-two");
  EXPECT_TRUE(pipeline_->status()->ready);
  EXPECT_EQ(pipeline_->status()->targets[0].last_error, status);
  EXPECT_EQ(StatusOf("db/password").error, StatusCode::kPermissionDenied);
  EXPECT_EQ(StatusOf("db/password").version_id, "v1");
  EXPECT_EQ(StatusOf("api").error, StatusCode::kOk);
  EXPECT_EQ(StatusOf("api").version_id, "v1") << "what is published, not what was read";
}

TEST_F(PipelineTest, AFirstPassThatFailsIsNotReady) {
  secrets_.Remove("api");
  Make();
  const Status status = Run(PassReason::kStart);
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_THAT(status.message(), HasSubstr("secret api: NOT_FOUND"));
  EXPECT_FALSE(pipeline_->status()->ready);
  EXPECT_EQ(Read("app/db/password"), std::nullopt);
  secrets_.Put("api", "now");
  EXPECT_TRUE(RunFor(2min).ok());
  EXPECT_TRUE(pipeline_->status()->ready);
  EXPECT_EQ(Notifications(), 0U);
}

TEST_F(PipelineTest, TheMessageCountsFurtherFailures) {
  secrets_.Remove("api");
  secrets_.Remove("db");
  Make();
  EXPECT_THAT(Run(PassReason::kStart).message(), HasSubstr("(and 1 more)"));
}

TEST_F(PipelineTest, RetriesAskForTheFailingTargetsOnly) {
  plan_.targets.push_back(Target("other", {File("x", Secret("x"))}));
  Make();
  EXPECT_FALSE(Run(PassReason::kStart).ok());
  EXPECT_LE(pipeline_->NextDue(), clock_.MonoNow() + 1s);
  secrets_.ForgetCalls();
  Elapse(5min);
  ASSERT_FALSE(secrets_.calls().empty());
  for (const auto& call : secrets_.calls()) {
    if (call.operation != "GetSecretValue") continue;
    EXPECT_EQ(call.ids[0], "x");
  }
  EXPECT_LT(secrets_.calls().size(), 30U) << "backs off";
  Elapse(6min);
  EXPECT_EQ(StatusOf("api").last_check > clock_.WallNow() - 6min, true) << "the interval holds";
  secrets_.Put("x", "here");
  EXPECT_TRUE(RunFor(2min).ok());
  EXPECT_EQ(Read("other/x"), "here");
}

TEST_F(PipelineTest, AMissingKeyFailsTheTargetAndNamesFileSecretAndKey) {
  Make();
  ASSERT_TRUE(Run(PassReason::kStart).ok());
  secrets_.Put("db", R"({"user":"app"})");
  const Status status = Run();
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  for (const char* part : {"db/password", "secret db", "/password"}) {
    EXPECT_THAT(status.message(), HasSubstr(part));
  }
  EXPECT_EQ(Read("app/db/password"), "one");
}

TEST_F(PipelineTest, OptionalFilesAreLeftOutWhileSecretVersionOrKeyIsMissing) {
  plan_.targets[0].files.push_back(Optional(File("previous", Secret("api", "", "AWSPREVIOUS"))));
  plan_.targets[0].files.push_back(Optional(File("feature", Secret("feature"))));
  plan_.targets[0].files.push_back(Optional(File("port", Secret("db", "/port"))));
  Make();
  ASSERT_TRUE(Run(PassReason::kStart).ok());
  EXPECT_EQ(Read("app/api"), "key-one");
  for (const char* path : {"previous", "feature", "port"}) {
    EXPECT_EQ(Read("app/" + std::string(path)), std::nullopt);
    EXPECT_EQ(StatusOf(path).error, StatusCode::kNotFound);
    EXPECT_EQ(StatusOf(path).version_id, "");
    EXPECT_EQ(StatusOf(path).last_check, clock_.WallNow());
  }
  EXPECT_TRUE(pipeline_->status()->ready);
  secrets_.Put("api", "key-two");
  secrets_.Put("feature", "on");
  secrets_.Put("db", R"({"password":"one","port":5432})");
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(Read("app/previous"), "key-one");
  EXPECT_EQ(Read("app/feature"), "on");
  EXPECT_EQ(Read("app/port"), "5432");
  secrets_.Remove("feature");
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(Read("app/feature"), std::nullopt);
}

TEST_F(PipelineTest, AnOptionalFileThatIsDeniedFailsItsTarget) {
  plan_.targets[0].files.push_back(Optional(File("feature", Secret("feature"))));
  secrets_.SetFailure("feature", PermissionDeniedError("AccessDeniedException"));
  Make();
  EXPECT_EQ(Run(PassReason::kStart).code(), StatusCode::kPermissionDenied);
}

TEST_F(PipelineTest, ATemplateTakesSeveralSecrets) {
  plan::File file;
  file.path = "conf";
  file.with = {{"db", Secret("db")}, {"api", Secret("api")}};
  file.mustache = "user={{db.user}}";
  plan_.targets[0].files = {file};
  Make();
  ASSERT_TRUE(Run(PassReason::kStart).ok());
  EXPECT_EQ(Read("app/conf"), "user=app");
  const FileStatus& status = StatusOf("conf");
  EXPECT_EQ(status.secret, testing::FakeSecretsManager::ArnOf("api") + ", " +
                               testing::FakeSecretsManager::ArnOf("db"));
}

TEST_F(PipelineTest, CurrentAndPreviousNeverStraddleARotation) {
  secrets_.Put("api", "key-two");
  plan_.targets[0].files = {File("current", Secret("api")),
                            File("previous", Secret("api", "", "AWSPREVIOUS"))};
  int calls = 0;
  secrets_.SetHook([&](const testing::FakeSecretsManager::Call&) {
    if (++calls == 2) secrets_.Put("api", "key-three");
  });
  Make();
  ASSERT_TRUE(Run(PassReason::kStart).ok());
  EXPECT_EQ(Read("app/current"), "key-three");
  EXPECT_EQ(Read("app/previous"), "key-two");
}

TEST_F(PipelineTest, StalenessIsAMetricAndOneLine) {
  plan_.refresh.max_staleness = 1h;
  Make();
  ASSERT_TRUE(Run(PassReason::kStart).ok());
  secrets_.SetOperationFailure("GetSecretValue", UnavailableError("connect"));
  Elapse(50min);
  EXPECT_FALSE(pipeline_->status()->stale);
  Elapse(3h);
  EXPECT_TRUE(pipeline_->status()->stale);
  EXPECT_EQ(CountLines("secrets are stale"), 1U);
  EXPECT_GT(metrics_.GetGauge("keyturn_staleness_seconds", "").value(), 3 * 3600.0);
  EXPECT_TRUE(pipeline_->status()->ready) << "stale content still serves";
  secrets_.SetOperationFailure("GetSecretValue", std::nullopt);
  EXPECT_TRUE(RunFor(2min).ok());
  EXPECT_FALSE(pipeline_->status()->stale);
  EXPECT_EQ(CountLines("fresh again"), 1U);
}

TEST_F(PipelineTest, ALastingFailureDoesNotFloodTheLog) {
  Make();
  ASSERT_TRUE(Run(PassReason::kStart).ok());
  secrets_.SetFailure("db", UnavailableError("InternalServiceError (request id 1)"));
  Elapse(1h);
  const size_t lines = CountLines("InternalServiceError");
  EXPECT_GE(lines, 6U) << "a reminder every 10 minutes";
  EXPECT_LE(lines, 16U) << "for the secret and for the target";
  secrets_.SetFailure("db", std::nullopt);
  Elapse(2min);
  EXPECT_EQ(CountLines("works again subject=secret db"), 1U);
}

TEST_F(PipelineTest, APublicationIsOneLineWithItsVersions) {
  Make();
  ASSERT_TRUE(Run(PassReason::kStart).ok());
  Rotate("two");
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(CountLines("published"), 2U);
  EXPECT_TRUE(logger_.Contains("published target=" + Path("app")));
  EXPECT_TRUE(logger_.Contains("files=db/password=v2, api=v1"));
}

TEST_F(PipelineTest, AStopRequestPublishesNothingAndBlamesNobody) {
  Make();
  std::stop_source stop;
  secrets_.SetHook([&](const testing::FakeSecretsManager::Call&) { stop.request_stop(); });
  const Status status = pipeline_->Run(PassReason::kStart, {MonoTime::max(), stop.get_token()});
  EXPECT_EQ(status.code(), StatusCode::kCancelled);
  EXPECT_EQ(Read("app/api"), std::nullopt);
  EXPECT_TRUE(logger_.lines().empty());
  secrets_.SetHook(nullptr);
  EXPECT_TRUE(Run(PassReason::kInterval).ok()) << "still due";
  EXPECT_EQ(Read("app/api"), "key-one");
}

TEST_F(PipelineTest, APassHasADeadline) {
  Make();
  secrets_.SetHook([&](const testing::FakeSecretsManager::Call& call) {
    if (call.operation != "GetSecretValue") return;
    EXPECT_LE(call.deadline, clock_.MonoNow() + 30s);
  });
  ASSERT_TRUE(Run(PassReason::kStart).ok());
}

TEST_F(PipelineTest, APublishingErrorNamesTheTarget) {
  Make();
  std::ofstream(Path("app/api")) << "somebody else's";
  const Status status = Run(PassReason::kStart);
  EXPECT_EQ(status.code(), StatusCode::kAlreadyExists);
  EXPECT_THAT(status.message(), HasSubstr("target " + Path("app")));
  EXPECT_FALSE(pipeline_->status()->ready);
}

TEST_F(PipelineTest, KnownVersionsAreWhatIsPublished) {
  plan::Source pinned = Secret("db");
  pinned.version_id = "v1";
  plan::Source parameter;
  parameter.parameter = "/p";
  pool_->Parameters().Put("/p", "x");
  plan_.targets[0].files = {File("db", Secret("db", "/password")), File("api", Secret("api")),
                            File("pinned", pinned), File("p", parameter)};
  Make();
  EXPECT_EQ(pipeline_->KnownVersions(),
            (std::map<FetchKey, std::string>{{Key("db"), ""}, {Key("api"), ""}}));
  ASSERT_TRUE(Run(PassReason::kStart).ok());
  EXPECT_EQ(pipeline_->KnownVersions().at(Key("db")), "v1");
  Rotate("two");
  secrets_.SetFailure("api", UnavailableError("down"));
  EXPECT_FALSE(Run().ok());
  EXPECT_EQ(pipeline_->KnownVersions().at(Key("db")), "v1") << "read, but not published";
}

TEST_F(PipelineTest, WhenTargetsDisagreeTheOutdatedVersionIsKnown) {
  secrets_.Put("x", "1");
  plan_.targets.push_back(Target("other", {File("api", Secret("api")), File("x", Secret("x"))}));
  Make();
  ASSERT_TRUE(Run(PassReason::kStart).ok());
  secrets_.Put("api", "key-two");
  secrets_.SetFailure("x", UnavailableError("down"));
  EXPECT_FALSE(Run().ok());
  EXPECT_EQ(Read("app/api"), "key-two");
  EXPECT_EQ(Read("other/api"), "key-one");
  EXPECT_EQ(pipeline_->KnownVersions().at(Key("api")), "v1");
}

TEST_F(PipelineTest, AnAnnouncedRotationIsSeenWithinMinutes) {
  plan_.refresh.interval = 1h;
  secrets_.SetRotation("db", clock_.WallNow() + 3h, std::chrono::hours(1));
  Make();
  ASSERT_TRUE(Run(PassReason::kStart).ok());
  EXPECT_EQ(secrets_.CountOf("DescribeSecret"), 0U) << "the pass does not wait for it";
  Elapse(1s);
  EXPECT_EQ(secrets_.CountOf("DescribeSecret"), 2U) << "once per secret";
  Elapse(2h + 20min);
  Rotate("two");
  secrets_.ForgetCalls();
  Elapse(7min);
  EXPECT_EQ(Read("app/db/password"), "two");
  EXPECT_LE(secrets_.CountOf("GetSecretValue"), 8U);
}

TEST_F(PipelineTest, ProbesOfAnUnchangedSecretReadOnlyThatSecret) {
  plan_.refresh.interval = 24h;
  secrets_.SetRotation("db", clock_.WallNow() + 1h, std::chrono::hours(1));
  Make();
  ASSERT_TRUE(Run(PassReason::kStart).ok());
  Elapse(1s);
  secrets_.ForgetCalls();
  Elapse(3h);
  for (const auto& call : secrets_.calls()) EXPECT_EQ(call.ids[0], "db");
  EXPECT_LE(secrets_.CountOf("GetSecretValue"), 20U);
}

TEST_F(PipelineTest, AFailingDescribeNeverFailsThePass) {
  for (const Status& failure : {PermissionDeniedError("AccessDenied"), UnavailableError("down")}) {
    secrets_.SetOperationFailure("DescribeSecret", failure);
    Make();
    EXPECT_TRUE(Run(PassReason::kStart).ok());
    EXPECT_TRUE(RunFor(30min).ok());
  }
}

TEST_F(PipelineTest, ADeniedDescribeCostsOneCallPerHour) {
  plan_.targets[0].files = {File("api", Secret("api"))};
  secrets_.SetOperationFailure("DescribeSecret", PermissionDeniedError("AccessDenied"));
  Make();
  ASSERT_TRUE(Run(PassReason::kStart).ok());
  Elapse(5h);
  EXPECT_LE(secrets_.CountOf("DescribeSecret"), 6U);
}

TEST_F(PipelineTest, SchedulesAreNotAskedWhereChangesArePushedOrNobodyWaits) {
  secrets_.OfferAwait(true);
  Make();
  ASSERT_TRUE(Run(PassReason::kStart).ok());
  Elapse(1s);
  EXPECT_EQ(secrets_.CountOf("DescribeSecret"), 0U);
  secrets_.OfferAwait(false);
  options_.watch_rotations = false;
  Make();
  ASSERT_TRUE(Run(PassReason::kStart).ok());
  Elapse(1s);
  EXPECT_EQ(secrets_.CountOf("DescribeSecret"), 0U);
}

TEST_F(PipelineTest, SchedulesAreAskedForWhatIsNotReallyAwaited) {
  // 101 secrets at the first endpoint: one more than an await takes.
  plan_.targets[0].files.clear();
  secrets_.OfferAwait(true);
  for (int i = 0; i < 101; ++i) {
    const std::string id = "s" + std::to_string(1000 + i);
    secrets_.Put(id, "x");
    plan_.targets[0].files.push_back(File(id, Secret(id)));
  }
  // With that, five endpoints that offer: one more than a watcher has threads.
  const std::vector<std::string> regions = {"eu-west-1", "eu-west-2", "eu-west-3", "us-east-1"};
  for (const std::string& region : regions) {
    auto& service = pool_->Secrets("default", region);
    service.OfferAwait(true);
    service.Put("db", "x");
    plan::Source source = Secret("db");
    source.region = region;
    plan_.targets[0].files.push_back(File(region, source));
  }
  Make();
  ASSERT_TRUE(Run(PassReason::kStart).ok());
  Elapse(1s);
  std::vector<std::string> asked;
  for (const auto& call : secrets_.calls()) {
    if (call.operation == "DescribeSecret") asked.push_back(call.ids[0]);
  }
  EXPECT_EQ(asked, std::vector<std::string>{"s1100"});
  for (const std::string& region : regions) {
    EXPECT_EQ(pool_->Secrets("default", region).CountOf("DescribeSecret"),
              region == "us-east-1" ? 1U : 0U)
        << region;
  }
}

TEST_F(PipelineTest, AHintServiceDoesNotReplaceSchedules) {
  plan_.refresh.hint_url = "https://hint.example";
  (void)pool_->HintService();
  Make();
  ASSERT_TRUE(Run(PassReason::kStart).ok());
  Elapse(1s);
  EXPECT_EQ(secrets_.CountOf("DescribeSecret"), 2U);
}

TEST_F(PipelineTest, StatusMayBeReadFromAnyThread) {
  Make();
  std::atomic<bool> done = false;
  std::jthread reader([&] {
    while (!done) {
      const auto status = pipeline_->status();
      ASSERT_EQ(status->files.size(), 2U);
    }
  });
  for (int i = 0; i < 20; ++i) {
    Rotate(std::to_string(i));
    EXPECT_TRUE(Run().ok());
  }
  done = true;
}

TEST_F(PipelineTest, MetricsTellWhatHappened) {
  Make();
  ASSERT_TRUE(Run(PassReason::kStart).ok());
  Rotate("two");
  ASSERT_TRUE(Run().ok());
  secrets_.SetFailure("api", PermissionDeniedError("no"));
  EXPECT_FALSE(Run().ok());
  const std::string text = metrics_.Expose();
  for (const std::string& line :
       {"keyturn_target_generation_changes_total{target=\"" + Path("app") + "\"} 2",
        std::string("keyturn_fetch_errors_total{code=\"PERMISSION_DENIED\"} 1"),
        std::string("keyturn_ready 1"), std::string("keyturn_staleness_seconds 0"),
        std::string("keyturn_pass_duration_seconds_count 3"),
        std::string("keyturn_secret_last_check_timestamp_seconds{")}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

}  // namespace
}  // namespace keyturn::delivery
