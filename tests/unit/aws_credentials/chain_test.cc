// The order of sources, and what their messages may say.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/aws_credentials/credentials_rig.h"

namespace keyturn::aws {
namespace {

using keyturn::testing::JsonResponse;
using testing::FunctionProvider;
using ::testing::HasSubstr;
using testing::MakeCredentials;
using ::testing::Not;
using testing::Rig;
using testing::SharedCredentials;
using Variables = config::Environment::Variables;

constexpr const char* kTokenFile = "/token";
constexpr const char* kCredentialsPath = "/home/app/.aws/credentials";
constexpr const char* kContainerAnswer = R"({"AccessKeyId":"CONTAINER","SecretAccessKey":"s"})";

// The variables that configure each source of the default chain, in its order.
const Variables kSources[] = {
    {{"AWS_ACCESS_KEY_ID", "ENV"}, {"AWS_SECRET_ACCESS_KEY", "s"}},
    {{"AWS_ROLE_ARN", "arn:role"}, {"AWS_WEB_IDENTITY_TOKEN_FILE", kTokenFile}},
    {{"HOME", "/home/app"}},
    {{"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2"}},
};

Variables Merge(size_t first) {
  Variables merged;
  for (size_t i = first; i < std::size(kSources); ++i) {
    merged.insert(kSources[i].begin(), kSources[i].end());
  }
  return merged;
}

void FillFiles(Rig& rig) {
  rig.files.content[kTokenFile] = "t";
  rig.files.content[kCredentialsPath] =
      "[default]\naws_access_key_id=PROFILE\naws_secret_access_key=s\n";
  rig.sts->outcomes = {MakeCredentials("WEB")};
  rig.handler = [](const net::HttpRequest&) { return JsonResponse(200, kContainerAnswer); };
}

TEST(DefaultChainTest, AsksEnvironmentWebIdentityProfileContainer) {
  const char* expected[] = {"ENV", "WEB", "PROFILE", "CONTAINER"};
  for (size_t first = 0; first < std::size(kSources); ++first) {
    Rig rig(Merge(first));
    FillFiles(rig);
    const auto answer = CreateDefaultChain(rig.runtime(), rig.sts)->GetCredentials({});
    ASSERT_TRUE(answer.ok()) << answer.status().ToString();
    EXPECT_EQ((*answer)->access_key_id, expected[first]);
  }
}

TEST(DefaultChainTest, DoesNotFallThroughAConfiguredSourceThatFails) {
  const std::function<void(Rig&)> breakages[] = {
      [](Rig& rig) {
        rig.environment = config::Environment(Variables{{"AWS_ACCESS_KEY_ID", "half"},
                                                        {"AWS_ROLE_ARN", "arn:role"},
                                                        {"AWS_WEB_IDENTITY_TOKEN_FILE", kTokenFile},
                                                        {"HOME", "/home/app"}});
      },
      [](Rig& rig) { rig.sts->outcomes = {PermissionDeniedError("AccessDenied")}; },
      [](Rig& rig) { rig.files.content.erase(kTokenFile); },
      [](Rig& rig) { rig.sts->outcomes = {NotFoundError("404")}; },
  };
  for (size_t i = 0; i < std::size(breakages); ++i) {
    Rig rig(Merge(i == 0 ? 0 : 1));
    FillFiles(rig);
    breakages[i](rig);
    const auto answer = CreateDefaultChain(rig.runtime(), rig.sts)->GetCredentials({});
    ASSERT_FALSE(answer.ok()) << i;
    EXPECT_NE(answer.status().code(), StatusCode::kNotFound) << i;
    EXPECT_TRUE(rig.transport.requests().empty()) << i;
  }
  Rig rig(Merge(2));
  FillFiles(rig);
  rig.files.content[kCredentialsPath] = "[default]\ncredential_process=x\n";
  EXPECT_EQ(CreateDefaultChain(rig.runtime(), rig.sts)->GetCredentials({}).status().code(),
            StatusCode::kFailedPrecondition);
  EXPECT_TRUE(rig.transport.requests().empty());
}

TEST(DefaultChainTest, NamesEverySourceAndItsVariablesWhenNothingIsConfigured) {
  Rig rig(Variables{{"HOME", "/home/app"}});
  const auto answer = CreateDefaultChain(rig.runtime(), rig.sts)->GetCredentials({});
  EXPECT_EQ(answer.status().code(), StatusCode::kNotFound);
  for (const char* name :
       {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_PROFILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", kCredentialsPath,
        "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"}) {
    EXPECT_THAT(answer.status().message(), HasSubstr(name));
  }
}

TEST(DefaultChainTest, NeverContactsTheInstanceMetadataService) {
  Rig rig;
  ASSERT_FALSE(CreateDefaultChain(rig.runtime(), rig.sts)->GetCredentials({}).ok());
  EXPECT_TRUE(rig.transport.requests().empty());
}

TEST(DefaultChainTest, IgnoresARoleWithoutATokenFileAndUsesTheSessionName) {
  Rig bare(Variables{{"AWS_ROLE_ARN", "arn:role"}});
  EXPECT_EQ(CreateDefaultChain(bare.runtime(), bare.sts)->GetCredentials({}).status().code(),
            StatusCode::kNotFound);
  Variables named = kSources[1];
  named["AWS_ROLE_SESSION_NAME"] = "mine";
  Rig rig(named);
  FillFiles(rig);
  ASSERT_TRUE(CreateDefaultChain(rig.runtime(), rig.sts)->GetCredentials({}).ok());
  EXPECT_EQ(rig.sts->calls.at(0).session_name, "mine");
}

TEST(ChainProviderTest, GoesOnOnlyPastNotFoundAndInvalidatesAll) {
  const auto source = [](Result<SharedCredentials> answer) {
    return std::make_shared<FunctionProvider>([answer](const CallContext&) { return answer; });
  };
  const auto none = source(NotFoundError("none"));
  const auto broken = source(UnavailableError("broken"));
  const auto good = source(MakeCredentials("GOOD"));
  const auto chain = CreateChainProvider({none, broken, good});
  EXPECT_EQ(chain->GetCredentials({}).status().ToString(), "UNAVAILABLE: broken");
  EXPECT_EQ(good->calls, 0);
  chain->Invalidate();
  EXPECT_EQ(none->invalidations + broken->invalidations + good->invalidations, 3);
  EXPECT_EQ(chain->Describe(), "first of fake source, fake source, fake source");
  EXPECT_EQ(CreateChainProvider({})->GetCredentials({}).status().code(), StatusCode::kNotFound);
}

// Every secret that a source handles contains this text; no message or log line may.
constexpr const char* kCanary = "CANARYwJalrXUtnFEMI";

void ExpectNoCanary(Rig& rig, CredentialsProvider& provider, const std::string& path) {
  const auto cached = CreateCachingProvider(
      rig.runtime(), std::shared_ptr<CredentialsProvider>(&provider, [](auto*) {}));
  for (int call = 0; call < 2; ++call) {
    const auto answer = cached->GetCredentials({});
    EXPECT_THAT(answer.status().message(), Not(HasSubstr(kCanary))) << path;
    EXPECT_THAT(provider.Describe(), Not(HasSubstr(kCanary))) << path;
    rig.clock.Advance(std::chrono::minutes(50));
  }
  EXPECT_FALSE(rig.logger.Contains(kCanary)) << path;
}

TEST(CredentialCanaryTest, NoMessageHoldsAKeyOrToken) {
  const std::string canary = kCanary;
  const std::string file_contents[] = {
      canary,
      "[" + canary,
      "[default]\n" + canary,
      "[default]\naws_secret_access_key = " + canary,
      "[default]\naws_access_key_id = x\naws_secret_access_key = a " + canary,
      "[default]\naws secret = " + canary,
      "[default]\nx = " + canary + "\nx = " + canary,
      "[default]\ncredential_process = cat " + canary,
      canary + "\r\nX-Evil: 1",
      canary + " " + canary,
      std::string(30'000, 'x') + canary,
  };
  const std::pair<int, std::string> answers[] = {
      {403, canary},
      {500, "token " + canary + " is bad"},
      {302, canary},
      {200, canary},
      {200, R"({"AccessKeyId":"A","SecretAccessKey":")" + canary + R"(","Token":1})"},
      {200, R"({"AccessKeyId":"A","SecretAccessKey":")" + canary + R"(","Expiration":"x"})"},
      {200, R"({"AccessKeyId":"A","SecretAccessKey":")" + canary + std::string(11'000, 'x')},
      {200, R"({"AccessKeyId":"A","SecretAccessKey":")" + canary +
                R"(","Expiration":"2026-11-23T10:10:00Z"})"},
  };
  for (const std::string& content : file_contents) {
    for (const auto& [status, body] : answers) {
      Rig rig(Variables{{"AWS_SECRET_ACCESS_KEY", canary},
                        {"AWS_CONTAINER_AUTHORIZATION_TOKEN", canary + "\n"},
                        {"HOME", "/home/app"}});
      rig.files.content[kCredentialsPath] = content;
      rig.files.content[kTokenFile] = content;
      rig.handler = [&, status = status, body = body](const net::HttpRequest&) {
        return JsonResponse(status, body);
      };
      rig.sts->outcomes = {UnauthenticatedError("InvalidIdentityToken")};
      const std::string path = content.substr(0, 40) + " / " + body.substr(0, 40);
      ExpectNoCanary(rig, *CreateEnvironmentProvider(rig.runtime()), path);
      ExpectNoCanary(rig, *CreateProfileProvider(rig.runtime(), ""), path);
      ExpectNoCanary(
          rig, *CreateWebIdentityProvider(rig.runtime(), rig.sts, {"arn:r", kTokenFile, "", {}}),
          path);
      ExpectNoCanary(rig,
                     *CreateContainerProvider(rig.runtime(), {"http://localhost/", "", kTokenFile}),
                     path);
      ExpectNoCanary(
          rig, *CreateContainerProvider(rig.runtime(), {"http://localhost/" + canary, "", ""}),
          path);
      rig.files.content[kTokenFile] = "good";
      ExpectNoCanary(rig, *CreateContainerProvider(rig.runtime(), {"", "/" + canary, kTokenFile}),
                     path);
    }
  }
}

}  // namespace
}  // namespace keyturn::aws
