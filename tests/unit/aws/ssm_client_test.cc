// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/aws/client_fixture.h"

namespace keyturn::aws {
namespace {

std::string Parameter(const std::string& name, const std::string& more) {
  return R"({"ARN":"arn:aws:ssm:eu-central-1:123456789012:parameter)" + name + R"(","Name":")" +
         name + R"(","Type":"SecureString","DataType":"text",)" + more + "}";
}

class SsmClientTest : public ClientFixture {
 protected:
  auto Get(const std::vector<std::string>& names) {
    return client_->GetParameters(names, context());
  }

  std::unique_ptr<Ssm> client_ = CreateSsmClient(runtime(), options(), credentials_);
};

TEST_F(SsmClientTest, AnswersEveryNameAsTheCallerWroteIt) {
  const std::string arn = "arn:aws:ssm:eu-central-1:123456789012:parameter/c";
  Script(200, R"({"Parameters":[)" + Parameter("/a", R"("Value":"one","Version":7)") + "," +
                  Parameter("/b", R"("Value":"two","Version":3,"Selector":":3")") + "," +
                  Parameter("/b", R"("Value":"three","Version":4,"Selector":":live")") + "," +
                  Parameter("/c", R"("Value":"","Version":1)") +
                  R"(],"InvalidParameters":["/d:9"]})");
  const auto answer = Get({"/a", "/b:3", "/b:live", arn, "/d:9", "/e", "/a"});
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ(answer->size(), 6U);
  EXPECT_EQ(Reveal(answer->at("/a")->value), "one");
  EXPECT_EQ(answer->at("/a")->version, 7);
  EXPECT_EQ(answer->at("/a")->type, "SecureString");
  EXPECT_EQ(Reveal(answer->at("/b:3")->value), "two");
  EXPECT_EQ(Reveal(answer->at("/b:live")->value), "three");
  EXPECT_TRUE(answer->at(arn)->value.empty());
  EXPECT_EQ(answer->at("/d:9").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(answer->at("/e").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(transport_.requests().at(0).body, R"({"Names":["/a","/b:3","/b:live","/d:9","/e",")" +
                                                  arn + R"("],"WithDecryption":true})");
  EXPECT_EQ(Header(0, "X-Amz-Target"), "AmazonSSM.GetParameters");
  EXPECT_NE(Header(0, "Authorization").find("/eu-central-1/ssm/aws4_request"), std::string::npos);
}

TEST_F(SsmClientTest, FindsSelectedVersionsWithoutSelectorInTheAnswer) {
  Script(200, R"({"Parameters":[)" + Parameter("/a", R"("Value":"old","Version":2)") + "," +
                  Parameter("/a", R"("Value":"new","Version":3)") + "," +
                  Parameter("/b", R"("Value":"b","Version":5)") + "]}");
  const auto answer = Get({"/a:2", "/a:3", "/a:4", "/b:live", "/a:live"});
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(Reveal(answer->at("/a:2")->value), "old");
  EXPECT_EQ(Reveal(answer->at("/a:3")->value), "new");
  EXPECT_FALSE(answer->at("/a:4").ok());
  EXPECT_EQ(Reveal(answer->at("/b:live")->value), "b") << "the only candidate";
  EXPECT_FALSE(answer->at("/a:live").ok()) << "two candidates: no guess";
}

TEST_F(SsmClientTest, FindsASelectorBehindAnArn) {
  const std::string arn = "arn:aws:ssm:eu-central-1:123456789012:parameter/a";
  Script(200, R"({"Parameters":[)" + Parameter("/a", R"("Value":"x","Version":2)") + "]}");
  const auto answer = Get({arn + ":2", arn + ":3"});
  ASSERT_TRUE(answer.ok());
  EXPECT_TRUE(answer->at(arn + ":2").ok());
  EXPECT_FALSE(answer->at(arn + ":3").ok());
}

TEST_F(SsmClientTest, RefusesMalformedAnswersWithoutQuotingThem) {
  const std::string canary = std::string("\"Value\":\"") + kValueCanary + "\"";
  for (const std::string& body : std::vector<std::string>{
           "", "[]", R"({"Parameters":{}})", R"({"Parameters":[7]})",
           "{\"Parameters\":[{" + canary + "}]}", R"({"Parameters":[{"Name":"/a"}]})",
           R"({"Parameters":[{"Name":"/a","Value":["CanarySecretValue"]}]})",
           R"({"Parameters":[)" + Parameter("/a", canary + R"(,"Version":"CanarySecretValue")") +
               "]}",
           R"({"Parameters":[)" + Parameter("/a", canary + R"(,"Version":1.5)") + "]}",
           R"({"Parameters":[)" + Parameter("/a", canary + R"(,"Version":18446744073709551615)") +
               "]}",
           R"({"InvalidParameters":[7]})", "{\"Parameters\":[{" + canary}) {
    Script(200, body);
    const Status status = Get({"/a"}).status();
    EXPECT_EQ(status.code(), StatusCode::kInternal) << body;
    ExpectNoCanary(status);
  }
}

TEST_F(SsmClientTest, TakesAtMostTenAndAsksNothingForNone) {
  std::vector<std::string> names;
  EXPECT_TRUE(Get(names).ok());
  for (int i = 0; i < 11; ++i) names.push_back("/p" + std::to_string(i));
  EXPECT_EQ(Get(names).status().code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(transport_.requests().empty());
}

TEST_F(SsmClientTest, ARefusalIsTheWholeAnswer) {
  Script({ErrorResponse("AccessDeniedException", "no")});
  EXPECT_EQ(Get({"/a", "/b"}).status(),
            PermissionDeniedError("GetParameters 2 parameters: AccessDeniedException: no"));
}

}  // namespace
}  // namespace keyturn::aws
