// SPDX-License-Identifier: Apache-2.0
#include "lib/delivery/fetch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fakes/fake_client_pool.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_logger.h"

namespace keyturn::delivery {
namespace {

using testing::FakeClientPool;
using testing::FakeClock;
using testing::FakeLogger;
using testing::FakeSecretsManager;
using testing::FakeSsm;

constexpr char kRegion[] = "eu-central-1";

FetchKey Secret(const std::string& id, const std::string& stage = "AWSCURRENT") {
  return {"default", kRegion, SourceKind::kSecret, id, stage, ""};
}

FetchKey Pinned(const std::string& id, const std::string& version) {
  return {"default", kRegion, SourceKind::kSecret, id, "", version};
}

FetchKey Parameter(const std::string& id) {
  return {"default", kRegion, SourceKind::kParameter, id, "", ""};
}

std::string TextOf(const FetchResults& results, const FetchKey& key) {
  const auto& result = results.at(key);
  if (!result.ok()) return result.status().ToString();
  return std::string((*result)->value.Reveal(InsecureSecretAccess::Get()));
}

class FetcherTest : public ::testing::Test {
 protected:
  FetchResults Fetch(const std::set<FetchKey>& keys, const CallContext& context = {}) {
    return fetcher_.Fetch(keys, context);
  }

  // Secrets s000, s001, … that exist.
  std::set<FetchKey> Many(size_t count) {
    std::set<FetchKey> keys;
    for (size_t i = 0; i < count; ++i) {
      const std::string number = std::to_string(i);
      const std::string name = "s" + std::string(3 - number.size(), '0') + number;
      if (!made_.contains(name)) secrets_.Put(name, "value of " + name);
      made_.insert(name);
      keys.insert(Secret(name));
    }
    return keys;
  }

  static size_t Failures(const FetchResults& results) {
    size_t count = 0;
    for (const auto& [key, result] : results) count += result.ok() ? 0U : 1U;
    return count;
  }

  FakeClock clock_;
  FakeLogger logger_;
  metrics::Registry metrics_;
  FakeClientPool pool_;
  FakeSecretsManager& secrets_ = pool_.Secrets();
  FakeSsm& parameters_ = pool_.Parameters();
  std::set<std::string> made_;
  Fetcher fetcher_{pool_, clock_, logger_, metrics_};
};

TEST_F(FetcherTest, CallsDependOnTheNumberOfSecrets) {
  struct Case {
    size_t secrets;
    size_t single;
    size_t batch;
  };

  const Case cases[] = {{0, 0, 0},  {1, 1, 0},  {3, 3, 0}, {4, 0, 1},
                        {20, 0, 1}, {21, 0, 2}, {45, 0, 3}};
  for (const Case& c : cases) {
    SCOPED_TRACE(c.secrets);
    const auto keys = Many(c.secrets);
    secrets_.ForgetCalls();
    const auto results = Fetch(keys);
    EXPECT_EQ(results.size(), c.secrets);
    EXPECT_EQ(Failures(results), 0U);
    EXPECT_EQ(secrets_.CountOf("GetSecretValue"), c.single);
    EXPECT_EQ(secrets_.CountOf("BatchGetSecretValue"), c.batch);
    EXPECT_EQ(secrets_.CountOf("DescribeSecret"), 0U);
    for (const auto& call : secrets_.calls()) EXPECT_LE(call.ids.size(), kMaxBatchSecrets);
  }
}

TEST_F(FetcherTest, SingleCallsCarryTheStage) {
  Fetch(Many(2));
  for (const auto& call : secrets_.calls()) {
    EXPECT_EQ(call.stage, "AWSCURRENT");
    EXPECT_EQ(call.version_id, "");
  }
}

TEST_F(FetcherTest, PinnedVersionsAndStagesAreNeverBatched) {
  auto keys = Many(4);
  const std::string version = secrets_.Put("pinned", "old");
  secrets_.Put("pinned", "new");
  secrets_.Put("staged", "old");
  secrets_.Put("staged", "new");
  keys.insert(Pinned("pinned", version));
  keys.insert(Secret("staged", "AWSPREVIOUS"));
  const auto results = Fetch(keys);
  EXPECT_EQ(TextOf(results, Pinned("pinned", version)), "old");
  EXPECT_EQ(TextOf(results, Secret("staged", "AWSPREVIOUS")), "old");
  EXPECT_EQ(secrets_.CountOf("BatchGetSecretValue"), 1U);
  ASSERT_EQ(secrets_.CountOf("GetSecretValue"), 2U);
  for (const auto& call : secrets_.calls()) {
    if (call.operation == "BatchGetSecretValue") {
      EXPECT_EQ(call.ids.size(), 4U);
    } else if (call.ids[0] == "pinned") {
      // A stage beside a version must agree with it, so none is sent.
      EXPECT_EQ(call.version_id, version);
      EXPECT_EQ(call.stage, "");
    } else {
      EXPECT_EQ(call.stage, "AWSPREVIOUS");
    }
  }
}

TEST_F(FetcherTest, AnswersWhatTheServiceKnowsOfTheVersion) {
  secrets_.Put("a", std::string(65'536, 'x'));
  const auto results = Fetch({Secret("a")});
  const auto& value = results.at(Secret("a"));
  ASSERT_TRUE(value.ok());
  EXPECT_EQ((*value)->arn, FakeSecretsManager::ArnOf("a"));
  EXPECT_EQ((*value)->name, "a");
  EXPECT_EQ((*value)->version_id, "v1");
  EXPECT_THAT((*value)->stages, ::testing::ElementsAre("AWSCURRENT"));
  EXPECT_EQ((*value)->value.size(), 65'536U);
}

TEST_F(FetcherTest, ErrorsInsideABatchStayWithTheirSecret) {
  auto keys = Many(6);
  keys.insert(Secret("missing"));
  secrets_.SetFailure("s001", FailedPreconditionError("marked for deletion"));
  secrets_.SetFailure("s002", PermissionDeniedError("AccessDeniedException"));
  const auto results = Fetch(keys);
  EXPECT_EQ(Failures(results), 3U);
  EXPECT_EQ(results.at(Secret("s001")).status().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(results.at(Secret("s002")).status().code(), StatusCode::kPermissionDenied);
  EXPECT_EQ(results.at(Secret("missing")).status().code(), StatusCode::kNotFound);
  // What a batch may have got wrong is asked again; what is final is not.
  EXPECT_EQ(secrets_.CountOf("GetSecretValue"), 2U);
  EXPECT_EQ(secrets_.CountOf("BatchGetSecretValue"), 1U);
}

TEST_F(FetcherTest, AnIdThatABatchLeavesOutIsAskedAlone) {
  const auto keys = Many(5);
  secrets_.OmitInBatches("s003");
  EXPECT_EQ(Failures(Fetch(keys)), 0U);
  EXPECT_EQ(secrets_.CountOf("GetSecretValue"), 1U);
}

TEST_F(FetcherTest, ADeniedBatchFallsBackAndIsRememberedForTenMinutes) {
  const auto keys = Many(25);
  secrets_.SetOperationFailure("BatchGetSecretValue", PermissionDeniedError("AccessDenied"));
  EXPECT_EQ(Failures(Fetch(keys)), 0U);
  EXPECT_EQ(secrets_.CountOf("BatchGetSecretValue"), 1U) << "the second chunk is not tried";
  EXPECT_EQ(secrets_.CountOf("GetSecretValue"), 25U);
  clock_.Advance(std::chrono::minutes(9));
  Fetch(keys);
  EXPECT_EQ(secrets_.CountOf("BatchGetSecretValue"), 1U);
  clock_.Advance(std::chrono::minutes(2));
  Fetch(keys);
  EXPECT_EQ(secrets_.CountOf("BatchGetSecretValue"), 2U);
}

TEST_F(FetcherTest, ADenialIsRememberedForItsEndpointOnly) {
  secrets_.SetOperationFailure("BatchGetSecretValue", PermissionDeniedError("AccessDenied"));
  FakeSecretsManager& other = pool_.Secrets("audit", "us-east-1");
  auto keys = Many(4);
  for (const char* name : {"a", "b", "c", "d"}) {
    other.Put(name, "x");
    keys.insert({"audit", "us-east-1", SourceKind::kSecret, name, "AWSCURRENT", ""});
  }
  Fetch(keys);
  EXPECT_EQ(Failures(Fetch(keys)), 0U);
  EXPECT_EQ(secrets_.CountOf("BatchGetSecretValue"), 1U);
  EXPECT_EQ(other.CountOf("BatchGetSecretValue"), 2U);
  EXPECT_EQ(other.CountOf("GetSecretValue"), 0U);
}

TEST_F(FetcherTest, AThrottledBatchFallsBackForThisPassOnly) {
  const auto keys = Many(4);
  secrets_.FailNext("BatchGetSecretValue", ResourceExhaustedError("ThrottlingException"));
  EXPECT_EQ(Failures(Fetch(keys)), 0U);
  EXPECT_EQ(secrets_.CountOf("GetSecretValue"), 4U);
  EXPECT_EQ(Failures(Fetch(keys)), 0U);
  EXPECT_EQ(secrets_.CountOf("BatchGetSecretValue"), 2U);
  EXPECT_EQ(secrets_.CountOf("GetSecretValue"), 4U);
}

TEST_F(FetcherTest, ADenialInsideABatchThatASingleCallContradictsCountsAsARefusal) {
  const auto keys = Many(4);
  for (const FetchKey& key : keys) secrets_.DenyInBatches(key.id);
  EXPECT_EQ(Failures(Fetch(keys)), 0U);
  EXPECT_EQ(Failures(Fetch(keys)), 0U);
  EXPECT_EQ(secrets_.CountOf("BatchGetSecretValue"), 1U);
  EXPECT_EQ(secrets_.CountOf("GetSecretValue"), 8U);
}

TEST_F(FetcherTest, AServiceThatFailsAtBatchesOnlyIsReadOneByOne) {
  const auto keys = Many(30);
  secrets_.SetOperationFailure("BatchGetSecretValue", UnavailableError("HTTP 501"));
  EXPECT_EQ(Failures(Fetch(keys)), 0U);
  EXPECT_EQ(Failures(Fetch(keys)), 0U);
  EXPECT_EQ(secrets_.CountOf("BatchGetSecretValue"), 1U);
}

TEST_F(FetcherTest, AFailureOfTheEndpointDoesNotMultiplyCalls) {
  struct Case {
    Status status;
    size_t batch_calls;  // of any kind, for secrets that can be batched
    size_t single_calls;
  };

  const Case cases[] = {{UnavailableError("connect"), 2, 3},
                        {DeadlineExceededError("late"), 1, 3},
                        {UnauthenticatedError("expired"), 1, 1}};
  for (const Case& c : cases) {
    SCOPED_TRACE(c.status.ToString());
    const auto keys = Many(30);
    secrets_.SetOperationFailure("BatchGetSecretValue", c.status);
    secrets_.SetOperationFailure("GetSecretValue", c.status);
    secrets_.ForgetCalls();
    EXPECT_EQ(Failures(Fetch(keys)), 30U);
    EXPECT_EQ(secrets_.calls().size(), c.batch_calls);
    // The same for secrets that are read one by one.
    std::set<FetchKey> staged;
    for (FetchKey key : keys) {
      key.stage = "AWSPENDING";
      staged.insert(key);
    }
    secrets_.ForgetCalls();
    EXPECT_EQ(Failures(Fetch(staged)), 30U);
    EXPECT_EQ(secrets_.calls().size(), c.single_calls);
  }
}

TEST_F(FetcherTest, OneFailingSecretDoesNotEndThePass) {
  const auto keys = Many(3);
  secrets_.SetFailure("s000", UnavailableError("InternalServiceError"));
  const auto results = Fetch(keys);
  EXPECT_EQ(Failures(results), 1U);
  EXPECT_FALSE(results.at(Secret("s000")).ok());
}

TEST_F(FetcherTest, AStopRequestEndsThePass) {
  std::stop_source stop;
  stop.request_stop();
  const auto results = Fetch(Many(3), {MonoTime::max(), stop.get_token()});
  EXPECT_EQ(Failures(results), 3U);
  EXPECT_EQ(secrets_.calls().size(), 1U);
  EXPECT_EQ(results.begin()->second.status().code(), StatusCode::kCancelled);
}

TEST_F(FetcherTest, AnUnusableIdentityFailsItsKeysOnly) {
  auto keys = Many(1);
  keys.insert({"nobody", kRegion, SourceKind::kSecret, "x", "AWSCURRENT", ""});
  keys.insert({"nobody", kRegion, SourceKind::kParameter, "/x", "", ""});
  pool_.RefuseIdentity("nobody");
  const auto results = Fetch(keys);
  EXPECT_EQ(Failures(results), 2U);
  EXPECT_TRUE(results.at(Secret("s000")).ok());
}

TEST_F(FetcherTest, TimeIsSharedBetweenEndpoints) {
  // The first endpoint eats its whole share; the second still has time.
  pool_.Secrets("a", kRegion).Put("x", "1");
  pool_.Secrets("b", kRegion).Put("x", "1");
  const MonoTime begin = clock_.MonoNow();
  pool_.Secrets("a", kRegion).SetHook([&](const FakeSecretsManager::Call& call) {
    EXPECT_EQ(call.deadline, begin + std::chrono::seconds(15));
    clock_.Advance(std::chrono::seconds(15));
  });
  pool_.Secrets("b", kRegion).SetHook([&](const FakeSecretsManager::Call& call) {
    EXPECT_EQ(call.deadline, begin + std::chrono::seconds(30));
  });
  const auto results = Fetch({{"a", kRegion, SourceKind::kSecret, "x", "AWSCURRENT", ""},
                              {"b", kRegion, SourceKind::kSecret, "x", "AWSCURRENT", ""}},
                             {begin + std::chrono::seconds(30), {}});
  EXPECT_EQ(Failures(results), 0U);
}

class StageSetTest : public FetcherTest {
 protected:
  StageSetTest() {
    secrets_.Put("db", "one");
    secrets_.Put("db", "two");
  }

  const FetchKey current_ = Secret("db");
  const FetchKey previous_ = Secret("db", "AWSPREVIOUS");
  const std::set<FetchKey> set_{current_, previous_};
};

TEST_F(StageSetTest, IsReadTwiceAtFirstAndOnceWhileNothingChanges) {
  EXPECT_EQ(Failures(Fetch(set_)), 0U);
  EXPECT_EQ(secrets_.CountOf("GetSecretValue"), 4U);
  secrets_.ForgetCalls();
  EXPECT_EQ(Failures(Fetch(set_)), 0U);
  EXPECT_EQ(secrets_.CountOf("GetSecretValue"), 2U);
}

TEST_F(StageSetTest, ARotationBetweenTheReadsIsNotPublishedHalf) {
  int calls = 0;
  secrets_.SetHook([&](const FakeSecretsManager::Call&) {
    // After AWSCURRENT was read as "two", and before AWSPREVIOUS.
    if (++calls == 2) secrets_.Put("db", "three");
  });
  const auto results = Fetch(set_);
  EXPECT_EQ(TextOf(results, current_), "three");
  EXPECT_EQ(TextOf(results, previous_), "two");
  EXPECT_EQ(calls, 6) << "three reads: mixed, new, confirmed";
}

TEST_F(StageSetTest, ARotationAfterStableReadsIsConfirmedToo) {
  Fetch(set_);
  secrets_.Put("db", "three");
  const auto results = Fetch(set_);
  EXPECT_EQ(TextOf(results, current_), "three");
  EXPECT_EQ(TextOf(results, previous_), "two");
  EXPECT_EQ(secrets_.CountOf("GetSecretValue"), 8U);
}

TEST_F(StageSetTest, ASecretThatChangesDuringEveryReadIsUnavailable) {
  int calls = 0;
  secrets_.SetHook([&](const FakeSecretsManager::Call&) {
    if (++calls % 2 == 0) secrets_.Put("db", "again");
  });
  secrets_.Put("other", "fine");
  auto keys = set_;
  keys.insert(Secret("other"));
  const auto results = Fetch(keys);
  EXPECT_EQ(results.at(current_).status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(results.at(previous_).status().code(), StatusCode::kUnavailable);
  EXPECT_TRUE(results.at(Secret("other")).ok());
  secrets_.SetHook(nullptr);
  EXPECT_EQ(Failures(Fetch(keys)), 0U);
}

TEST_F(StageSetTest, ANameAndAnArnOfOneSecretAreOneSet) {
  const FetchKey by_arn = Secret(FakeSecretsManager::ArnOf("db"));
  int calls = 0;
  secrets_.SetHook([&](const FakeSecretsManager::Call&) {
    if (++calls == 2) secrets_.Put("db", "three");
  });
  const auto results = Fetch({current_, by_arn});
  EXPECT_EQ(TextOf(results, current_), "three");
  EXPECT_EQ(TextOf(results, by_arn), "three");
}

TEST_F(StageSetTest, AMissingPreviousVersionIsAStableState) {
  secrets_.Put("young", "one");
  const std::set<FetchKey> young{Secret("young"), Secret("young", "AWSPREVIOUS")};
  const auto results = Fetch(young);
  EXPECT_EQ(TextOf(results, Secret("young")), "one");
  EXPECT_EQ(results.at(Secret("young", "AWSPREVIOUS")).status().code(), StatusCode::kNotFound);
}

TEST_F(StageSetTest, AFailedConfirmationIsNotTakenForStable) {
  int calls = 0;
  secrets_.SetHook([&](const FakeSecretsManager::Call&) {
    if (++calls == 3) secrets_.SetFailure("db", UnavailableError("down"));
  });
  auto results = Fetch(set_);
  EXPECT_EQ(Failures(results), 2U);
  secrets_.SetHook(nullptr);
  secrets_.SetFailure("db", std::nullopt);
  secrets_.ForgetCalls();
  EXPECT_EQ(Failures(Fetch(set_)), 0U);
  EXPECT_EQ(secrets_.CountOf("GetSecretValue"), 4U);
}

TEST_F(FetcherTest, ParametersAreReadInChunksOfTen) {
  struct Case {
    int parameters;
    size_t calls;
  };

  for (const Case& c : {Case{1, 1}, Case{10, 1}, Case{11, 2}, Case{35, 4}}) {
    SCOPED_TRACE(c.parameters);
    std::set<FetchKey> keys;
    for (int i = 0; i < c.parameters; ++i) {
      const std::string name = "/p/" + std::to_string(i);
      parameters_.Put(name, name);
      keys.insert(Parameter(name));
    }
    const size_t before = parameters_.calls().size();
    EXPECT_EQ(Failures(Fetch(keys)), 0U);
    EXPECT_EQ(parameters_.calls().size() - before, c.calls);
  }
}

TEST_F(FetcherTest, AParametersVersionIsItsNumber) {
  parameters_.Put("/p", "one");
  parameters_.Put("/p", "two");
  const auto results = Fetch({Parameter("/p"), Parameter("/missing")});
  ASSERT_TRUE(results.at(Parameter("/p")).ok());
  EXPECT_EQ((*results.at(Parameter("/p")))->version_id, "2");
  EXPECT_EQ(TextOf(results, Parameter("/p")), "two");
  EXPECT_EQ(results.at(Parameter("/missing")).status().code(), StatusCode::kNotFound);
}

TEST_F(FetcherTest, ADeniedParameterDoesNotTakeItsNeighboursAlong) {
  for (const char* name : {"/a", "/b", "/c"}) parameters_.Put(name, name);
  parameters_.Deny("/b");
  const auto results = Fetch({Parameter("/a"), Parameter("/b"), Parameter("/c")});
  EXPECT_EQ(TextOf(results, Parameter("/a")), "/a");
  EXPECT_EQ(results.at(Parameter("/b")).status().code(), StatusCode::kPermissionDenied);
  EXPECT_EQ(TextOf(results, Parameter("/c")), "/c");
}

TEST_F(FetcherTest, AnUnreachableParameterStoreIsAskedOnce) {
  std::set<FetchKey> keys;
  for (int i = 0; i < 25; ++i) keys.insert(Parameter("/p/" + std::to_string(i)));
  parameters_.SetFailure(UnavailableError("connect"));
  EXPECT_EQ(Failures(Fetch(keys)), 25U);
  EXPECT_EQ(parameters_.calls().size(), 1U);
}

TEST_F(FetcherTest, FailuresAreCountedByCode) {
  Fetch({Secret("missing"), Secret("gone")});
  EXPECT_EQ(metrics_.GetCounter("keyturn_fetch_errors_total", "", {{"code", "NOT_FOUND"}}).value(),
            2);
}

TEST(IsGoneTest, TellsDeletionFromOtherRefusals) {
  EXPECT_TRUE(IsGone(NotFoundError("x")));
  EXPECT_TRUE(IsGone(FailedPreconditionError(
      "InvalidRequestException: You can't perform this operation on the secret because it was "
      "marked for deletion.")));
  EXPECT_TRUE(IsGone(FailedPreconditionError(
      "You can't perform this operation on the secret because it was deleted.")));
  EXPECT_FALSE(IsGone(FailedPreconditionError("DecryptionFailure: the key is disabled")));
  EXPECT_FALSE(IsGone(PermissionDeniedError("marked for deletion")));
  EXPECT_FALSE(IsGone(OkStatus()));
}

TEST(KeyOfTest, TakesTheRegionFromTheSourceThenTheArnThenThePlan) {
  plan::Plan plan;
  plan.aws.region = "eu-west-1";
  plan::Source source;
  source.secret = "name";
  EXPECT_EQ(KeyOf(source, plan).region, "eu-west-1");
  source.secret = "arn:aws:secretsmanager:us-east-2:123456789012:secret:name-AbCdEf";
  EXPECT_EQ(KeyOf(source, plan).region, "us-east-2");
  source.region = "ap-south-1";
  EXPECT_EQ(KeyOf(source, plan).region, "ap-south-1");
}

TEST(KeyOfTest, AStageIsAlwaysSetUnlessAVersionIs) {
  const plan::Plan plan;
  plan::Source source;
  source.secret = "name";
  EXPECT_EQ(KeyOf(source, plan).stage, "AWSCURRENT");
  source.version_id = "v1";
  EXPECT_EQ(KeyOf(source, plan).stage, "");
  source.stage = "AWSPREVIOUS";
  EXPECT_EQ(KeyOf(source, plan).stage, "AWSPREVIOUS");
}

TEST(KeysOfTest, FilesThatShareASecretShareTheKey) {
  plan::Plan plan;
  plan::Source secret;
  secret.secret = "db";
  plan::Source parameter;
  parameter.parameter = "/p";
  plan::File user;
  user.from = secret;
  user.from->key = "/user";
  plan::File password;
  password.from = secret;
  plan::File both;
  both.with = {{"a", secret}, {"b", parameter}};
  plan.targets = {{"/t", false, {user, password}}, {"/u", false, {both}}};
  EXPECT_EQ(KeysOf(plan).size(), 2U);
}

}  // namespace
}  // namespace keyturn::delivery
