// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/aws/client_fixture.h"

namespace keyturn::aws {
namespace {

using testing::JsonResponse;

constexpr const char* kArn =
    "arn:aws:secretsmanager:eu-central-1:123456789012:secret:prod/db-a1B2c3";

// One object of SecretValues, or the whole of GetSecretValue's answer.
std::string ValueJson(const std::string& name, const std::string& value,
                      const std::string& more = "") {
  return R"({"ARN":"arn:aws:secretsmanager:eu-central-1:123456789012:secret:)" + name +
         R"(-a1B2c3","Name":")" + name + R"(","VersionId":"v1","VersionStages":["AWSCURRENT"],)" +
         value + more + "}";
}

class SecretsManagerClientTest : public ClientFixture {
 protected:
  Result<SecretValue> Get(const GetSecretValueRequest& request = {"prod/db", "", "AWSCURRENT"}) {
    return client_->GetSecretValue(request, context());
  }

  Result<BatchAnswer> Batch(const std::vector<std::string>& ids) {
    return client_->BatchGetSecretValue(ids, context());
  }

  std::string Body(size_t request) const { return transport_.requests().at(request).body; }

  std::unique_ptr<SecretsManager> client_ =
      CreateSecretsManagerClient(runtime(), options(), credentials_);
};

TEST_F(SecretsManagerClientTest, ReadsASecretString) {
  Script(200, ValueJson("prod/db", R"("SecretString":"h\u00e9\n","CreatedDate":1.523477145713E9)",
                        R"(,"SomethingNew":{"a":[1]},"SecretBinary":null)"));
  const Result<SecretValue> value = Get();
  ASSERT_TRUE(value.ok()) << value.status().ToString();
  EXPECT_EQ(value->arn, kArn);
  EXPECT_EQ(value->name, "prod/db");
  EXPECT_EQ(value->version_id, "v1");
  EXPECT_EQ(value->stages, std::vector<std::string>{"AWSCURRENT"});
  EXPECT_EQ(Reveal(value->value), "h\xc3\xa9\n");
  EXPECT_FALSE(value->is_binary);
  EXPECT_EQ(FormatRfc3339(value->created.value()), "2018-04-11T20:05:45.713Z");
  EXPECT_EQ(Header(0, "X-Amz-Target"), "secretsmanager.GetSecretValue");
  EXPECT_EQ(Body(0), R"({"SecretId":"prod/db","VersionStage":"AWSCURRENT"})");
}

TEST_F(SecretsManagerClientTest, SendsOnlyTheSelectorsThatAreSet) {
  Script(200, ValueJson("a", R"("SecretString":"x")"));
  EXPECT_TRUE(Get({"a", "v1", ""}).ok());
  EXPECT_TRUE(Get({"quoted \"a\"\n", "", ""}).ok());
  EXPECT_EQ(Body(0), R"({"SecretId":"a","VersionId":"v1"})");
  EXPECT_EQ(Body(1), R"({"SecretId":"quoted \"a\"\n"})");
}

TEST_F(SecretsManagerClientTest, ReadsASecretBinary) {
  Script(200, ValueJson("a", R"("SecretBinary":"AP8K")"));
  const Result<SecretValue> value = Get();
  ASSERT_TRUE(value.ok());
  EXPECT_TRUE(value->is_binary);
  EXPECT_EQ(Reveal(value->value), std::string("\0\xff\n", 3));
}

TEST_F(SecretsManagerClientTest, EmptyStringsAreValues) {
  Script(200, ValueJson("a", R"("SecretString":"")"));
  const Result<SecretValue> value = Get();
  ASSERT_TRUE(value.ok());
  EXPECT_TRUE(value->value.empty());
}

TEST_F(SecretsManagerClientTest, RefusesMalformedAnswersWithoutQuotingThem) {
  const std::string canary = kValueCanary;
  const std::string good = R"("SecretString":")" + canary + "\"";
  const std::vector<std::string> bodies = {
      "",
      canary,
      "null",
      "[]",
      "\"" + canary + "\"",
      "<html>" + canary,
      "{" + good,                                // truncated
      "{" + good + "}",                          // no ARN
      "{" + good + R"(,"ARN":"a","Name":"b"})",  // no VersionId
      "{" + good + R"(,"ARN":7,"Name":"b","VersionId":"c"})",
      "{" + good + R"(,"ARN":"","Name":"b","VersionId":"c"})",
      R"({"ARN":"a","Name":"b","VersionId":"c"})",         // no value
      ValueJson("a", good + R"(,"SecretBinary":"AP8K")"),  // both
      ValueJson("a", good + "," + good),                   // twice
      ValueJson("a", R"("SecretString":{"a":")" + canary + "\"}"),
      ValueJson("a", R"("SecretString":7)"),
      ValueJson("a", R"("SecretBinary":")" + canary + "\""),  // no base64
      ValueJson("a", R"("SecretBinary":"AP8")"),
      ValueJson("a", R"("SecretBinary":"AP9=")"),
      ValueJson("a", R"("SecretBinary":["AP8K"])"),
      ValueJson("a", good) + canary,
      ValueJson("a", "\"SecretString\":\"\xff" + canary + "\""),
      "{" + good + R"(,"ARN":"a","Name":"b","VersionId":"c","VersionStages":"x"})",
      "{" + good + R"(,"ARN":"a","Name":"b","VersionId":"c","VersionStages":[")" + canary +
          "\",7]}",
  };
  for (const std::string& body : bodies) {
    Script(200, body);
    const Result<SecretValue> value = Get();
    ASSERT_FALSE(value.ok()) << body;
    EXPECT_EQ(value.status().code(), StatusCode::kInternal) << body;
    EXPECT_TRUE(value.status().message().starts_with("GetSecretValue prod/db: malformed answer: "))
        << value.status().message();
    ExpectNoCanary(value.status());
  }
}

TEST_F(SecretsManagerClientTest, OddDatesCountAsAbsent) {
  for (const char* date : {"\"yesterday\"", "-1", "1e300", "[]", "true", "null"}) {
    Script(200, ValueJson("a", R"("SecretString":"x","CreatedDate":)" + std::string(date)));
    const Result<SecretValue> value = Get();
    ASSERT_TRUE(value.ok()) << date;
    EXPECT_FALSE(value->created.has_value()) << date;
  }
}

TEST_F(SecretsManagerClientTest, RefusesAnotherVersionThanAskedFor) {
  Script(200, ValueJson("a", R"("SecretString":"x")"));
  EXPECT_EQ(Get({"a", "v2", ""}).status().code(), StatusCode::kInternal);
}

TEST_F(SecretsManagerClientTest, BatchAnswersEveryIdAsTheCallerWroteIt) {
  Script(200,
         R"({"SecretValues":[)" + ValueJson("a", R"("SecretString":"one")") + "," +
             ValueJson("b", R"("SecretBinary":"AP8K")") +
             R"(],"Errors":[{"SecretId":"c","ErrorCode":"AccessDeniedException","Message":"no"},)"
             R"({"SecretId":"arn:aws:secretsmanager:eu-central-1:123456789012:secret:d-a1B2c3",)"
             R"("ErrorCode":"ResourceNotFoundException"}],"New":1})");
  const std::string arn_b = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:b-a1B2c3";
  const std::string partial_a = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:a";
  const Result<BatchAnswer> answer = Batch({"a", partial_a, arn_b, "c", "d", "e", "a"});
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ(answer->by_id.size(), 6U);
  EXPECT_EQ(Reveal(answer->by_id.at("a")->value), "one");
  EXPECT_EQ(Reveal(answer->by_id.at(partial_a)->value), "one");
  EXPECT_EQ(Reveal(answer->by_id.at(arn_b)->value), std::string("\0\xff\n", 3));
  EXPECT_EQ(answer->by_id.at("c").status(),
            PermissionDeniedError("BatchGetSecretValue c: AccessDeniedException: no"));
  EXPECT_EQ(answer->by_id.at("d").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(answer->by_id.at("e").status(),
            NotFoundError("BatchGetSecretValue e: the answer leaves it out"));
  EXPECT_EQ(transport_.requests().size(), 1U);
}

TEST_F(SecretsManagerClientTest, BatchFollowsNextTokenUntilAllAreAnswered) {
  Script({JsonResponse(200, R"({"SecretValues":[)" + ValueJson("a", R"("SecretString":"1")") +
                                R"(],"NextToken":"t1"})"),
          JsonResponse(200, R"({"SecretValues":[],"NextToken":"t2"})"),
          JsonResponse(200, R"({"SecretValues":[)" + ValueJson("b", R"("SecretString":"2")") +
                                R"(],"NextToken":"t3"})")});
  const Result<BatchAnswer> answer = Batch({"b", "a"});
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(Reveal(answer->by_id.at("a")->value), "1");
  EXPECT_EQ(Reveal(answer->by_id.at("b")->value), "2");
  ASSERT_EQ(transport_.requests().size(), 3U) << "t3 is not needed";
  EXPECT_EQ(Body(0), R"({"SecretIdList":["a","b"]})");
  EXPECT_EQ(Body(1), R"({"SecretIdList":["a","b"],"NextToken":"t1"})");
  EXPECT_EQ(Body(2), R"({"SecretIdList":["a","b"],"NextToken":"t2"})");
}

TEST_F(SecretsManagerClientTest, BatchGivesUpOnEndlessPages) {
  Script(200, R"({"SecretValues":[],"NextToken":"again"})");
  const Result<BatchAnswer> answer = Batch({"a"});
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->by_id.at("a").status().code(), StatusCode::kUnavailable);
  EXPECT_LE(transport_.requests().size(), 40U);
}

TEST_F(SecretsManagerClientTest, BatchKeepsEarlierPagesWhenALaterOneFails) {
  Script({JsonResponse(200, R"({"SecretValues":[)" + ValueJson("a", R"("SecretString":"1")") +
                                R"(],"NextToken":"t1"})"),
          ErrorResponse("ThrottlingException", "Rate exceeded")});
  const Result<BatchAnswer> answer = Batch({"a", "b"});
  ASSERT_TRUE(answer.ok());
  EXPECT_TRUE(answer->by_id.at("a").ok());
  EXPECT_EQ(answer->by_id.at("b").status().code(), StatusCode::kResourceExhausted);
}

TEST_F(SecretsManagerClientTest, BatchFailsAsAWholeWhenTheFirstPageFails) {
  Script({ErrorResponse("AccessDeniedException", "no")});
  EXPECT_EQ(Batch({"a"}).status().code(), StatusCode::kPermissionDenied);
}

TEST_F(SecretsManagerClientTest, BatchSpoilsOnlyTheMalformedValue) {
  Script(200, R"({"SecretValues":[)" +
                  ValueJson("a", R"("SecretBinary":")" + std::string(kValueCanary) + "\"") + "," +
                  ValueJson("b", R"("SecretString":"2")") + "]}");
  const Result<BatchAnswer> answer = Batch({"a", "b"});
  ASSERT_TRUE(answer.ok());
  EXPECT_TRUE(answer->by_id.at("b").ok());
  EXPECT_EQ(answer->by_id.at("a").status(),
            InternalError("BatchGetSecretValue a: malformed answer: member 'SecretBinary' is no "
                          "base64"));
}

TEST_F(SecretsManagerClientTest, BatchRefusesMalformedPages) {
  for (const char* body : {"", "[]", R"({"SecretValues":{}})", R"({"SecretValues":[7]})",
                           R"({"SecretValues":[{"SecretString":"CanarySecretValue-hunter2"}]})",
                           R"({"Errors":[{"SecretId":"a"}]})", R"({"Errors":[[]]})",
                           R"({"NextToken":7})", R"({"Errors":"CanarySecretValue"})"}) {
    Script(200, body);
    const Status status = Batch({"a"}).status();
    EXPECT_EQ(status.code(), StatusCode::kInternal) << body;
    ExpectNoCanary(status);
  }
}

TEST_F(SecretsManagerClientTest, BatchRedactsEchoesInItsErrors) {
  Script(200, R"({"Errors":[{"SecretId":"a","ErrorCode":"AccessDeniedException","Message":")" +
                  std::string(kTokenCanary) + "\"}]}");
  const Result<BatchAnswer> answer = Batch({"a"});
  ASSERT_TRUE(answer.ok());
  ExpectNoCanary(answer->by_id.at("a").status());
}

TEST_F(SecretsManagerClientTest, BatchTakesAtMostTwentyAndAsksNothingForNone) {
  std::vector<std::string> ids;
  EXPECT_TRUE(Batch(ids).ok());
  for (int i = 0; i < 21; ++i) ids.push_back("s" + std::to_string(i));
  EXPECT_EQ(Batch(ids).status().code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(transport_.requests().empty());
}

TEST_F(SecretsManagerClientTest, ANameThatLooksLikeASuffixIsNotConfused) {
  // "prod" must not take the value of "prod-a1b2c3", nor the other way round.
  Script(200, R"({"SecretValues":[)" + ValueJson("prod-a1b2c3", R"("SecretString":"long")") + "]}");
  const Result<BatchAnswer> answer = Batch({"prod", "prod-a1b2c3"});
  ASSERT_TRUE(answer.ok());
  EXPECT_FALSE(answer->by_id.at("prod").ok());
  EXPECT_EQ(Reveal(answer->by_id.at("prod-a1b2c3")->value), "long");
}

TEST_F(SecretsManagerClientTest, DescribesASecret) {
  Script(200, R"json({"ARN":"a","Name":"n","RotationEnabled":true,"NextRotationDate":1795514400.5,
      "RotationRules":{"Duration":"3h","ScheduleExpression":"rate(1 day)"},"DeletedDate":0,
      "VersionIdsToStages":{"v1":["AWSPREVIOUS"],"v2":["AWSCURRENT","X"],"v3":[]},"Tags":[]})json");
  const Result<SecretDescription> d = client_->DescribeSecret("n", context());
  ASSERT_TRUE(d.ok()) << d.status().ToString();
  EXPECT_EQ(d->arn, "a");
  EXPECT_TRUE(d->rotation_enabled);
  EXPECT_EQ(d->rotation_window, std::chrono::hours(3));
  EXPECT_EQ(FormatRfc3339(d->next_rotation.value()), "2026-11-24T10:00:00.500Z");
  EXPECT_EQ(d->deleted, WallTime());
  EXPECT_EQ(d->version_stages.at("v2"), (std::vector<std::string>{"AWSCURRENT", "X"}));
  EXPECT_EQ(d->version_stages.size(), 3U);
  EXPECT_EQ(Body(0), R"({"SecretId":"n"})");
}

TEST_F(SecretsManagerClientTest, DescribesASecretWithoutRotation) {
  Script(200, R"({"ARN":"a","Name":"n"})");
  const Result<SecretDescription> d = client_->DescribeSecret("n", context());
  ASSERT_TRUE(d.ok());
  EXPECT_FALSE(d->rotation_enabled || d->next_rotation || d->deleted);
  EXPECT_EQ(d->rotation_window.count(), 0);
}

TEST_F(SecretsManagerClientTest, OddRotationWindowsCountAsAbsent) {
  for (const char* duration :
       {"\"h\"", "\"3\"", "\"-3h\"", "3", "\"3hh\"", "\"99999999h\"", "null"}) {
    Script(200,
           R"({"ARN":"a","Name":"n","RotationRules":{"Duration":)" + std::string(duration) + "}}");
    const Result<SecretDescription> d = client_->DescribeSecret("n", context());
    ASSERT_TRUE(d.ok()) << duration;
    EXPECT_EQ(d->rotation_window.count(), 0) << duration;
  }
}

TEST_F(SecretsManagerClientTest, RefusesMalformedDescriptions) {
  for (const char* body :
       {"", "[]", "{}", R"({"ARN":"a"})", R"({"ARN":"a","Name":"n","RotationEnabled":1})",
        R"({"ARN":"a","Name":"n","VersionIdsToStages":[]})",
        R"({"ARN":"a","Name":"n","VersionIdsToStages":{"v":"x"}})"}) {
    Script(200, body);
    EXPECT_EQ(client_->DescribeSecret("n", context()).status().code(), StatusCode::kInternal)
        << body;
  }
}

const AwaitRequest kAwait{{{"a", "AWSCURRENT", "v1"}}, std::chrono::seconds(20)};

TEST_F(SecretsManagerClientTest, AwaitsAChange) {
  Script({WithHeader(JsonResponse(200, R"({"Entries":[{"SecretId":"a","VersionStage":"AWSCURRENT",)"
                                       R"("VersionId":"v2"}]})"),
                     "x-keyturn-await", "1")});
  const Result<AwaitAnswer> answer = client_->AwaitSecretChange(kAwait, context());
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ(answer->entries.at(0).version_id, "v2");
  EXPECT_EQ(Header(0, "X-Amz-Target"), "keyturn.AwaitSecretChange");
  EXPECT_TRUE(client_->OffersAwait());
}

TEST_F(SecretsManagerClientTest, StopsOfferingAwaitWhenTheServerDoesNotKnowIt) {
  Script({WithHeader(JsonResponse(500, ""), "x-keyturn-await", "1"),
          ErrorResponse("UnknownOperationException", "")});
  EXPECT_EQ(client_->AwaitSecretChange(kAwait, context()).status().code(),
            StatusCode::kUnimplemented);
  EXPECT_FALSE(client_->OffersAwait());
}

TEST_F(SecretsManagerClientTest, RedactsEchoesInAwaitAnswers) {
  Script(200, R"({"Entries":[{"SecretId":"a","VersionStage":"b","Error":{"Code":"X","Message":")" +
                  std::string(kTokenCanary) + "\"}}]}");
  const Result<AwaitAnswer> answer = client_->AwaitSecretChange(kAwait, context());
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->entries.at(0).error_message, "[redacted]");
}

TEST_F(SecretsManagerClientTest, RefusesMalformedAwaitAnswers) {
  Script(200, R"({"Entries":[{"SecretId":"CanarySecretValue"}]})");
  const Status status = client_->AwaitSecretChange(kAwait, context()).status();
  EXPECT_EQ(status.code(), StatusCode::kInternal);
  ExpectNoCanary(status);
}

}  // namespace
}  // namespace keyturn::aws
