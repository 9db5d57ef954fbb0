// Web identity and role chaining.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/aws_credentials/credentials_rig.h"

namespace keyturn::aws {
namespace {

using testing::FakeSts;
using testing::FunctionProvider;
using ::testing::HasSubstr;
using testing::MakeCredentials;
using testing::Rig;
using testing::SharedCredentials;

constexpr const char* kRole = "arn:aws:iam::123456789012:role/app";
constexpr const char* kTokenFile = "/var/run/secrets/keyturn.dev/token";

std::unique_ptr<CredentialsProvider> WebIdentity(Rig& rig, WebIdentityOptions options) {
  return CreateWebIdentityProvider(rig.runtime(), rig.sts, std::move(options));
}

TEST(WebIdentityProviderTest, ExchangesTheTokenForTheRole) {
  Rig rig;
  rig.files.content[kTokenFile] = "eyJ.header.sig\n";
  const auto provider = WebIdentity(rig, {kRole, kTokenFile, "session", std::chrono::seconds(900)});
  const auto answer = provider->GetCredentials({});
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ((*answer)->access_key_id, "ASIAFAKE");
  ASSERT_EQ(rig.sts->calls.size(), 1U);
  EXPECT_EQ(rig.sts->calls[0].role_arn, kRole);
  EXPECT_EQ(rig.sts->calls[0].session_name, "session");
  EXPECT_EQ(rig.sts->calls[0].token_or_external_id, "eyJ.header.sig");
  EXPECT_EQ(rig.sts->calls[0].duration, std::chrono::seconds(900));
  EXPECT_EQ(provider->Describe(), "web identity arn:aws:iam::123456789012:role/app");
}

TEST(WebIdentityProviderTest, ReadsTheTokenForEveryExchange) {
  Rig rig;
  const auto provider = WebIdentity(rig, {kRole, kTokenFile, "", std::nullopt});
  for (const char* token : {"first", "second"}) {
    rig.files.content[kTokenFile] = token;
    ASSERT_TRUE(provider->GetCredentials({}).ok());
    EXPECT_EQ(rig.sts->calls.back().token_or_external_id, token);
  }
}

TEST(WebIdentityProviderTest, TriesAgainOnlyWhenARefusedTokenWasReplaced) {
  Rig rig;
  rig.files.content[kTokenFile] = "old";
  rig.sts->outcomes = {UnauthenticatedError("ExpiredTokenException"), MakeCredentials("NEW")};
  rig.sts->before_answer = [&rig] { rig.files.content[kTokenFile] = "new"; };
  const auto provider = WebIdentity(rig, {kRole, kTokenFile, "", std::nullopt});
  ASSERT_TRUE(provider->GetCredentials({}).ok());
  EXPECT_EQ(rig.sts->calls.back().token_or_external_id, "new");

  rig.sts->outcomes = {UnauthenticatedError("ExpiredTokenException")};
  rig.sts->calls.clear();
  EXPECT_EQ(provider->GetCredentials({}).status().code(), StatusCode::kUnauthenticated);
  EXPECT_EQ(rig.sts->calls.size(), 1U);
}

TEST(WebIdentityProviderTest, MakesALegalSessionNameFromTheHostName) {
  const std::pair<std::string, std::string> cases[] = {
      {"web-7d9f", "keyturn-web-7d9f"},
      {"a b/c:\xC3\xA9", "keyturn-a-b-c---"},
      {std::string(100, 'x'), "keyturn-" + std::string(56, 'x')}};
  for (const auto& [host, expected] : cases) {
    Rig rig(config::Environment::Variables{{"HOSTNAME", host}});
    rig.files.content[kTokenFile] = "t";
    ASSERT_TRUE(WebIdentity(rig, {kRole, kTokenFile, "", std::nullopt})->GetCredentials({}).ok());
    EXPECT_EQ(rig.sts->calls[0].session_name, expected);
  }
  Rig rig;  // without the variable: whatever gethostname(2) says
  rig.files.content[kTokenFile] = "t";
  ASSERT_TRUE(WebIdentity(rig, {kRole, kTokenFile, "", std::nullopt})->GetCredentials({}).ok());
  EXPECT_THAT(rig.sts->calls[0].session_name, ::testing::MatchesRegex("keyturn-[A-Za-z0-9._-]+"));
}

TEST(WebIdentityProviderTest, FailsOnAnUnusableTokenFileWithoutCallingSts) {
  const std::tuple<std::optional<std::string>, StatusCode, const char*> cases[] = {
      {std::nullopt, StatusCode::kFailedPrecondition, "no such file"},
      {"", StatusCode::kFailedPrecondition, "is empty"},
      {"\n \n", StatusCode::kFailedPrecondition, "is blank"},
      {"a b", StatusCode::kFailedPrecondition, "holds more than one word"},
      {"a\nb", StatusCode::kFailedPrecondition, "holds more than one word"},
      {std::string(20'001, 'x'), StatusCode::kResourceExhausted, "too large"},
  };
  for (const auto& [content, code, message] : cases) {
    Rig rig;
    if (content) rig.files.content[kTokenFile] = *content;
    const auto answer = WebIdentity(rig, {kRole, kTokenFile, "", std::nullopt})->GetCredentials({});
    EXPECT_EQ(answer.status().code(), code) << message;
    EXPECT_THAT(answer.status().message(), HasSubstr(message));
    EXPECT_THAT(answer.status().message(), HasSubstr(kTokenFile));
    EXPECT_THAT(answer.status().message(), HasSubstr(kRole));
    EXPECT_TRUE(rig.sts->calls.empty());
  }
}

TEST(WebIdentityProviderTest, AcceptsTheLongestToken) {
  Rig rig;
  rig.files.content[kTokenFile] = std::string(20'000, 'x');
  EXPECT_TRUE(WebIdentity(rig, {kRole, kTokenFile, "", std::nullopt})->GetCredentials({}).ok());
}

TEST(WebIdentityProviderTest, TellsUnconfiguredFromHalfConfigured) {
  Rig rig;
  rig.files.content[kTokenFile] = "t";
  EXPECT_EQ(WebIdentity(rig, {})->GetCredentials({}).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(WebIdentity(rig, {kRole, "", "", std::nullopt})->GetCredentials({}).status().code(),
            StatusCode::kFailedPrecondition);
  EXPECT_EQ(
      WebIdentity(rig, {"", kTokenFile, "", std::nullopt})->GetCredentials({}).status().code(),
      StatusCode::kFailedPrecondition);
}

TEST(WebIdentityProviderTest, NeverAnswersNotFoundOnceConfigured) {
  Rig rig;
  rig.files.content[kTokenFile] = "t";
  rig.sts->outcomes = {NotFoundError("no such page")};
  EXPECT_EQ(WebIdentity(rig, {kRole, kTokenFile, "", std::nullopt})->GetCredentials({}).status(),
            FailedPreconditionError(std::string("web identity ") + kRole + ": no such page"));
}

std::shared_ptr<FunctionProvider> Source(Result<SharedCredentials> answer) {
  return std::make_shared<FunctionProvider>([answer](const CallContext&) { return answer; });
}

TEST(AssumeRoleProviderTest, SignsWithTheSourceAndSendsTheExternalId) {
  Rig rig;
  const auto provider =
      CreateAssumeRoleProvider(rig.runtime(), rig.sts, Source(MakeCredentials("SOURCE")),
                               {kRole, "ext-1", "auditor", std::chrono::seconds(7200)});
  ASSERT_TRUE(provider->GetCredentials({}).ok());
  ASSERT_EQ(rig.sts->calls.size(), 1U);
  EXPECT_EQ(rig.sts->calls[0].source_key_id, "SOURCE");
  EXPECT_EQ(rig.sts->calls[0].token_or_external_id, "ext-1");
  EXPECT_EQ(rig.sts->calls[0].session_name, "auditor");
  EXPECT_EQ(rig.sts->calls[0].duration, std::chrono::seconds(7200));
  EXPECT_EQ(provider->Describe(), std::string("role ") + kRole + " through fake source");
}

TEST(AssumeRoleProviderTest, CutsTheDurationOnlyWhenRolesAreChained) {
  Rig rig;
  const auto session = MakeCredentials("ASIA", std::nullopt, "session token");
  ASSERT_TRUE(CreateAssumeRoleProvider(rig.runtime(), rig.sts, Source(session),
                                       {kRole, "", "", std::chrono::seconds(7200)})
                  ->GetCredentials({})
                  .ok());
  EXPECT_EQ(rig.sts->calls[0].duration, std::chrono::seconds(3600));
}

TEST(AssumeRoleProviderTest, ChainsThreeRoles) {
  Rig rig;
  rig.files.content[kTokenFile] = "t";
  rig.sts->outcomes = {MakeCredentials("ONE"), MakeCredentials("TWO"), MakeCredentials("THREE")};
  std::shared_ptr<CredentialsProvider> provider =
      WebIdentity(rig, {kRole, kTokenFile, "", std::nullopt});
  for (const char* role : {"arn:two", "arn:three"}) {
    provider = CreateAssumeRoleProvider(rig.runtime(), rig.sts, provider, {role, "x", "", {}});
  }
  const auto answer = provider->GetCredentials({});
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ((*answer)->access_key_id, "THREE");
  EXPECT_EQ(rig.sts->calls[2].source_key_id, "TWO");
}

TEST(AssumeRoleProviderTest, FailsWithItsSourceAndNeverFallsThrough) {
  Rig rig;
  const auto provider = CreateAssumeRoleProvider(
      rig.runtime(), rig.sts, Source(NotFoundError("nothing is set")), {kRole, "", "", {}});
  EXPECT_EQ(provider->GetCredentials({}).status(),
            FailedPreconditionError(std::string("role ") + kRole +
                                    " through fake source: nothing is set"));
  EXPECT_TRUE(rig.sts->calls.empty());
  EXPECT_EQ(CreateAssumeRoleProvider(rig.runtime(), rig.sts, Source(MakeCredentials("A")), {})
                ->GetCredentials({})
                .status()
                .code(),
            StatusCode::kFailedPrecondition);
}

TEST(AssumeRoleProviderTest, RenewsTheSourceOnceWhenItsCredentialsAreRefused) {
  Rig rig;
  const auto source = Source(MakeCredentials("SOURCE"));
  const auto provider =
      CreateAssumeRoleProvider(rig.runtime(), rig.sts, source, {kRole, "", "", {}});
  rig.sts->outcomes = {UnauthenticatedError("ExpiredToken"), MakeCredentials("B")};
  ASSERT_TRUE(provider->GetCredentials({}).ok());
  EXPECT_EQ(source->invalidations, 1);

  rig.sts->outcomes = {UnauthenticatedError("ExpiredToken")};
  rig.sts->calls.clear();
  EXPECT_EQ(provider->GetCredentials({}).status().code(), StatusCode::kUnauthenticated);
  EXPECT_EQ(rig.sts->calls.size(), 2U);

  rig.sts->outcomes = {PermissionDeniedError("AccessDenied")};
  rig.sts->calls.clear();
  EXPECT_EQ(provider->GetCredentials({}).status().code(), StatusCode::kPermissionDenied);
  EXPECT_EQ(rig.sts->calls.size(), 1U);
}

}  // namespace
}  // namespace keyturn::aws
