// Environment variables and profiles.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/aws/credentials/profile_ini.h"
#include "tests/unit/aws_credentials/credentials_rig.h"

namespace keyturn::aws {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::Reveal;
using testing::Rig;

constexpr const char* kCredentialsPath = "/home/app/.aws/credentials";
constexpr const char* kConfigPath = "/home/app/.aws/config";

auto FromEnvironment(config::Environment::Variables variables) {
  Rig rig(std::move(variables));
  return CreateEnvironmentProvider(rig.runtime())->GetCredentials({});
}

TEST(EnvironmentProviderTest, AnswersKeysTokenAccountAndExpiration) {
  const auto answer = FromEnvironment({{"AWS_ACCESS_KEY_ID", "AKIA1"},
                                       {"AWS_SECRET_ACCESS_KEY", "s/+="},
                                       {"AWS_SESSION_TOKEN", "t"},
                                       {"AWS_ACCOUNT_ID", "123456789012"},
                                       {"AWS_CREDENTIAL_EXPIRATION", "2026-11-23T11:00:00Z"}});
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ((*answer)->access_key_id, "AKIA1");
  EXPECT_EQ(Reveal((*answer)->secret_access_key), "s/+=");
  EXPECT_EQ(Reveal((*answer)->session_token), "t");
  EXPECT_EQ((*answer)->account_id, "123456789012");
  EXPECT_EQ((*answer)->expiration,
            WallTime(keyturn::testing::FakeClock::kStart + std::chrono::hours(1)));
}

TEST(EnvironmentProviderTest, IsUnconfiguredWithoutBothKeysEvenWithAToken) {
  EXPECT_EQ(
      FromEnvironment({{"AWS_SESSION_TOKEN", "t"}, {"AWS_ACCESS_KEY_ID", ""}}).status().code(),
      StatusCode::kNotFound);
}

TEST(EnvironmentProviderTest, FailsWhenHalfConfiguredOrUnusable) {
  const std::pair<config::Environment::Variables, const char*> cases[] = {
      {{{"AWS_ACCESS_KEY_ID", "AKIA1"}}, "AWS_SECRET_ACCESS_KEY is not set"},
      {{{"AWS_SECRET_ACCESS_KEY", "s"}}, "AWS_ACCESS_KEY_ID is not set"},
      {{{"AWS_ACCESS_KEY_ID", "AKIA1"}, {"AWS_SECRET_ACCESS_KEY", "s\n"}},
       "AWS_SECRET_ACCESS_KEY holds a blank or a control character"},
      {{{"AWS_ACCESS_KEY_ID", " AKIA1"}, {"AWS_SECRET_ACCESS_KEY", "s"}},
       "AWS_ACCESS_KEY_ID holds a blank"},
      {{{"AWS_ACCESS_KEY_ID", "A"},
        {"AWS_SECRET_ACCESS_KEY", "s"},
        {"AWS_SESSION_TOKEN", "a\r\nb"}},
       "AWS_SESSION_TOKEN holds a blank"},
      {{{"AWS_ACCESS_KEY_ID", "A"},
        {"AWS_SECRET_ACCESS_KEY", "s"},
        {"AWS_CREDENTIAL_EXPIRATION", "tomorrow"}},
       "AWS_CREDENTIAL_EXPIRATION is not an RFC 3339 time"},
      {{{"AWS_ACCESS_KEY_ID", "A"},
        {"AWS_SECRET_ACCESS_KEY", "s"},
        {"AWS_CREDENTIAL_EXPIRATION", "2026-11-23T10:00:00Z"}},
       "AWS_CREDENTIAL_EXPIRATION has passed"},
  };
  for (const auto& [variables, message] : cases) {
    const auto answer = FromEnvironment(variables);
    EXPECT_EQ(answer.status().code(), StatusCode::kFailedPrecondition) << message;
    EXPECT_THAT(answer.status().message(), HasSubstr(message));
  }
}

struct ProfileCase {
  std::string credentials;
  std::string config;
  config::Environment::Variables variables;
  std::string profile;
};

auto FromProfile(ProfileCase input) {
  input.variables.emplace("HOME", "/home/app");
  Rig rig(input.variables);
  if (!input.credentials.empty()) rig.files.content[kCredentialsPath] = input.credentials;
  if (!input.config.empty()) rig.files.content[kConfigPath] = input.config;
  return CreateProfileProvider(rig.runtime(), input.profile)->GetCredentials({});
}

std::string Section(const std::string& name, const std::string& id) {
  return "[" + name + "]\naws_access_key_id = " + id + "\naws_secret_access_key = secret-" + id +
         "\n";
}

TEST(ProfileProviderTest, SelectsTheProfile) {
  const std::string both = Section("default", "DEFAULT") + Section("app", "APP");
  const std::pair<ProfileCase, const char*> cases[] = {
      {{both, "", {}, ""}, "DEFAULT"},
      {{both, "", {}, "app"}, "APP"},
      {{both, "", {{"AWS_PROFILE", "app"}}, ""}, "APP"},
      {{both, "", {{"AWS_PROFILE", "app"}}, "default"}, "DEFAULT"},
      {{"", Section("profile app", "CONF"), {}, "app"}, "CONF"},
      {{"", Section("profile  \"app\" ", "CONF"), {}, "app"}, "CONF"},
      {{"", Section("default", "CONF"), {}, ""}, "CONF"},
      {{"", Section("default", "PLAIN") + Section("profile default", "PREFIXED"), {}, ""},
       "PREFIXED"},
      {{both, Section("profile app", "CONF"), {}, "app"}, "APP"},
      {{"[app]\nregion = x\n", Section("profile app", "CONF"), {}, "app"}, "CONF"},
  };
  for (const auto& [input, expected] : cases) {
    const auto answer = FromProfile(input);
    ASSERT_TRUE(answer.ok()) << expected << ": " << answer.status().ToString();
    EXPECT_EQ((*answer)->access_key_id, expected);
    EXPECT_EQ(Reveal((*answer)->secret_access_key), std::string("secret-") + expected);
  }
}

TEST(ProfileProviderTest, ReadsTheFilesThatTheEnvironmentNames) {
  Rig rig(config::Environment::Variables{{"AWS_SHARED_CREDENTIALS_FILE", "/etc/aws/keys"},
                                         {"AWS_CONFIG_FILE", "/etc/aws/conf"}});
  rig.files.content["/etc/aws/keys"] = Section("default", "KEYS") + "aws_session_token = tok\n";
  const auto answer = CreateProfileProvider(rig.runtime(), "")->GetCredentials({});
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ(Reveal((*answer)->session_token), "tok");
  EXPECT_EQ(rig.files.reads, (std::vector<std::string>{"/etc/aws/keys", "/etc/aws/conf"}));
}

TEST(ProfileProviderTest, IsUnconfiguredWithoutADefaultProfileThatHasKeys) {
  for (const ProfileCase& input :
       {ProfileCase{}, ProfileCase{Section("other", "X"), "", {}, ""},
        ProfileCase{"", "[default]\nregion = eu-central-1\n", {}, ""},
        ProfileCase{"", "", {{"HOME", ""}}, ""},
        // In the config file, a bare name other than "default" is no profile.
        ProfileCase{"", Section("app", "X"), {}, ""}}) {
    EXPECT_EQ(FromProfile(input).status().code(), StatusCode::kNotFound);
  }
}

TEST(ProfileProviderTest, FailsWhenAChosenProfileIsMissingOrHasNoKeys) {
  const ProfileCase missing{Section("default", "X"), "", {{"AWS_PROFILE", "ap"}}, ""};
  EXPECT_EQ(FromProfile(missing).status().ToString(),
            "FAILED_PRECONDITION: profile 'ap' is not in /home/app/.aws/credentials or "
            "/home/app/.aws/config");
  const ProfileCase bare{"", "[profile app]\nregion = x\n", {}, "app"};
  EXPECT_EQ(FromProfile(bare).status().ToString(),
            "FAILED_PRECONDITION: profile 'app' has no keys in /home/app/.aws/credentials or "
            "/home/app/.aws/config");
  EXPECT_EQ(FromProfile({"", Section("app", "X"), {}, "app"}).status().code(),
            StatusCode::kFailedPrecondition);
}

TEST(ProfileProviderTest, FailsOnHalfAKeyPair) {
  const auto answer = FromProfile({"[default]\naws_access_key_id = A\n", "", {}, ""});
  EXPECT_EQ(answer.status().code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(answer.status().message(), HasSubstr("has no aws_secret_access_key"));
  EXPECT_EQ(FromProfile({"[default]\naws_secret_access_key = A\n", "", {}, ""}).status().code(),
            StatusCode::kFailedPrecondition);
}

TEST(ProfileProviderTest, RefusesOtherKindsOfProfilesByName) {
  for (const char* setting :
       {"credential_process", "sso_session", "sso_start_url", "source_profile", "credential_source",
        "role_arn", "web_identity_token_file", "login_session"}) {
    const std::string line = std::string(setting) + " = something\n";
    for (const ProfileCase& input :
         {ProfileCase{Section("default", "X") + line, "", {}, ""},
          ProfileCase{Section("default", "X"), "[default]\n" + line, {}, ""}}) {
      const auto answer = FromProfile(input);
      EXPECT_EQ(answer.status().code(), StatusCode::kFailedPrecondition) << setting;
      EXPECT_THAT(answer.status().message(), HasSubstr(setting));
      EXPECT_THAT(answer.status().message(), Not(HasSubstr("something")));
    }
  }
}

TEST(ProfileProviderTest, FailsOnAFileThatCannotBeReadOrParsed) {
  Rig rig(config::Environment::Variables{{"HOME", "/home/app"}});
  rig.files.failures[kCredentialsPath] = PermissionDeniedError("open: permission denied");
  auto answer = CreateProfileProvider(rig.runtime(), "")->GetCredentials({});
  EXPECT_EQ(answer.status().code(), StatusCode::kPermissionDenied);
  EXPECT_THAT(answer.status().message(), HasSubstr(kCredentialsPath));
  EXPECT_EQ(FromProfile({"[default\n", "", {}, ""}).status().ToString(),
            "INVALID_ARGUMENT: profile 'default' in /home/app/.aws/credentials: line 1: a section "
            "without ']'");
}

TEST(ProfileIniTest, AcceptsCommentsBlanksNestedSettingsAndCrLf) {
  const auto ini = ParseProfileIni(
      "\xEF\xBB\xBF# top\r\n\r\n[ profile\t app ] ; why\r\nRegion=eu # here\r\n"
      "aws_secret_access_key = a#b;c=d\r\ns3 =\r\n  max_queue_size = 1\r\n\tanything goes\r\n"
      "empty =\r\n  ; indented comment\r\n[default]");
  ASSERT_TRUE(ini.ok()) << ini.status().ToString();
  EXPECT_EQ(ini->size(), 2U);
  const IniSection& app = ini->at("profile app");
  EXPECT_EQ(app.size(), 4U);
  EXPECT_EQ(Reveal(app.at("region")), "eu");
  EXPECT_EQ(Reveal(app.at("aws_secret_access_key")), "a#b;c=d");
  EXPECT_TRUE(app.at("s3").empty());
  EXPECT_TRUE(app.at("empty").empty());
}

TEST(ProfileIniTest, AcceptsNothingAtAll) {
  EXPECT_TRUE(ParseProfileIni("")->empty());
  EXPECT_TRUE(ParseProfileIni("\n\n# x")->empty());
}

TEST(ProfileIniTest, RefusesMalformedFilesByLineWithoutQuoting) {
  const std::pair<std::string, const char*> cases[] = {
      {"[default", "line 1: a section without ']'"},
      {"[]", "line 1: a section without a name"},
      {"[ \t ]", "line 1: a section without a name"},
      {"['']", "line 1: a section without a name"},
      {"[a] CANARY", "line 1: text after ']'"},
      {"[a]]", "line 1: text after ']'"},
      {"CANARY = 1", "line 1: a setting before the first section"},
      {"[a]\nCANARY", "line 2: neither a section nor name = value"},
      {"[a]\n= CANARY", "line 2: a setting's name must be one word"},
      {"[a]\naws key = CANARY", "line 2: a setting's name must be one word"},
      {"[a]\n  CANARY = 1", "line 2: an indented line without a setting above it"},
      {" [a]", "line 1: an indented line without a setting above it"},
      {"[a]\nx = 1\n[a]", "line 3: a section that occurred before"},
      {"[p  a]\n[p\ta]", "line 2: a section that occurred before"},
      {"[a]\nx = 1\nX = CANARY", "line 3: a setting that occurred before in this section"},
      {std::string("[a]\nx = 1\0CANARY", 16), "line 2: a control character"},
      {"[a]\nx = CANARY\r2", "line 2: a control character"},
      {"[a]\x7F", "line 1: a control character"},
  };
  for (const auto& [text, message] : cases) {
    const auto ini = ParseProfileIni(text);
    ASSERT_FALSE(ini.ok()) << text;
    EXPECT_EQ(ini.status().ToString(), std::string("INVALID_ARGUMENT: ") + message);
  }
}

}  // namespace
}  // namespace keyturn::aws
