// ECS and EKS Pod Identity.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/aws/credentials/container_credentials.h"
#include "lib/base/time_format.h"
#include "tests/unit/aws_credentials/credentials_rig.h"

namespace keyturn::aws {
namespace {

using keyturn::testing::JsonResponse;
using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Reveal;
using testing::Rig;
using Variables = config::Environment::Variables;

constexpr const char* kAnswer =
    R"({"AccessKeyId":"ASIA1","SecretAccessKey":"sk","Token":"st","AccountId":"123456789012",)"
    R"("Expiration":"2026-11-23T16:00:00Z","RoleArn":"arn:aws:iam::123456789012:role/x"})";
constexpr const char* kPodIdentityUri = "http://169.254.170.23/v1/credentials";
constexpr const char* kTokenFile = "/var/run/secrets/pods.eks.amazonaws.com/token";

auto Get(Rig& rig, ContainerOptions options = {}) {
  return CreateContainerProvider(rig.runtime(), std::move(options))->GetCredentials({});
}

void Answer(Rig& rig, int status, const std::string& body) {
  rig.handler = [status, body](const net::HttpRequest&) { return JsonResponse(status, body); };
}

TEST(ContainerProviderTest, AsksTheEndpointWithTheTokenOfTheFile) {
  Rig rig(Variables{{"AWS_CONTAINER_CREDENTIALS_FULL_URI", kPodIdentityUri},
                    {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", kTokenFile},
                    {"AWS_CONTAINER_AUTHORIZATION_TOKEN", "not this"}});
  rig.files.content[kTokenFile] = "jwt";
  Answer(rig, 200, kAnswer);
  const auto answer = Get(rig);
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ((*answer)->access_key_id, "ASIA1");
  EXPECT_EQ(Reveal((*answer)->secret_access_key), "sk");
  EXPECT_EQ(Reveal((*answer)->session_token), "st");
  EXPECT_EQ((*answer)->account_id, "123456789012");
  EXPECT_EQ((*answer)->expiration,
            WallTime(keyturn::testing::FakeClock::kStart + std::chrono::hours(6)));
  const auto requests = rig.transport.requests();
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(requests[0].method, "GET");
  EXPECT_EQ(requests[0].url.ToString(), kPodIdentityUri);
  EXPECT_EQ(requests[0].headers.Get("authorization"), "jwt");
  EXPECT_EQ(requests[0].headers.Get("accept"), "application/json");
}

TEST(ContainerProviderTest, ReadsTheTokenFileForEveryCall) {
  Rig rig;
  Answer(rig, 200, kAnswer);
  const auto provider = CreateContainerProvider(rig.runtime(), {kPodIdentityUri, "", kTokenFile});
  for (const char* token : {"first", "second"}) {
    rig.files.content[kTokenFile] = token;
    ASSERT_TRUE(provider->GetCredentials({}).ok());
    EXPECT_EQ(rig.transport.requests().back().headers.Get("Authorization"), token);
  }
}

TEST(ContainerProviderTest, PrefersTheRelativeUriAndThePlan) {
  const Variables both{{"AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://localhost/full"},
                       {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/uuid?x=1"}};
  const std::pair<ContainerOptions, const char*> cases[] = {
      {{}, "http://169.254.170.2/v2/credentials/uuid?x=1"},
      {{kPodIdentityUri, "", ""}, kPodIdentityUri},
      {{kPodIdentityUri, "/r", ""}, "http://169.254.170.2/r"}};
  for (const auto& [options, expected] : cases) {
    Rig rig(both);
    Answer(rig, 200, kAnswer);
    ASSERT_TRUE(Get(rig, options).ok()) << expected;
    EXPECT_EQ(rig.transport.requests()[0].url.ToString(), expected);
    EXPECT_FALSE(rig.transport.requests()[0].headers.Get("Authorization").has_value());
  }
}

TEST(ContainerProviderTest, AllowsOnlyHostsThatMayHaveTheToken) {
  for (const char* uri : {"https://credentials.example.com/x", "https://10.0.0.1:8443/",
                          "http://localhost:8080/x", "http://LOCALHOST/", "http://127.0.0.1/x",
                          "http://127.255.0.9:1/", "http://[::1]:80/", "http://[0:0:0:0:0:0:0:1]/",
                          "http://169.254.170.2/x", "http://169.254.170.23/v1/credentials",
                          "http://[fd00:ec2::23]/v1/credentials", "http://[FD00:0EC2:0::23]/"}) {
    EXPECT_TRUE(FullContainerUrl(uri).ok()) << uri << FullContainerUrl(uri).status().ToString();
  }
}

TEST(ContainerProviderTest, RefusesEveryOtherUriWithoutARequest) {
  for (const std::string uri : {"http://example.com/x",
                                "http://10.0.0.1/",
                                "http://8.8.8.8/",
                                "http://169.254.169.254/",
                                "https://169.254.169.254/latest/meta-data/",
                                "http://[fd00:ec2::254]/",
                                "https://[fd00:ec2::254]/",
                                "http://[::ffff:169.254.169.254]/",
                                "https://[::ffff:a9fe:a9fe]/",
                                "http://169.254.170.3/",
                                "http://169.254.170.24/",
                                "http://[fd00:ec2::24]/",
                                "http://localhost.example.com/",
                                "http://localhost./",
                                "http://a.localhost/",
                                "http://127.0.0.1.example.com/",
                                "http://127.1/",
                                "http://2130706433/",
                                "http://0x7f.0.0.1/",
                                "http://0177.0.0.1/",
                                "http://0.0.0.0/",
                                "http://[::]/",
                                "http://[::ffff:127.0.0.1]/",
                                "http://128.0.0.1/",
                                "http://user@localhost/",
                                "http://127.0.0.1@example.com/",
                                "http://u:CANARY@127.0.0.1/",
                                "https://u:CANARY@example.com/",
                                "ftp://localhost/",
                                "localhost",
                                "/v2/credentials",
                                "http://",
                                "http://localhost/a b",
                                "http://localhost/\r\nX: y",
                                "http://localhost:99999/"}) {
    Rig rig;
    const auto answer = Get(rig, {uri, "", ""});
    EXPECT_FALSE(answer.ok()) << uri;
    EXPECT_NE(answer.status().code(), StatusCode::kNotFound) << uri;
    EXPECT_THAT(answer.status().message(), Not(HasSubstr("CANARY")));
    EXPECT_TRUE(rig.transport.requests().empty()) << uri;
  }
}

TEST(ContainerProviderTest, RefusesRelativeUrisThatAreNoPath) {
  for (const std::string uri : {"@example.com/", "v2/credentials", ".example.com", ":80/", "/a b",
                                "/x\r\nHost: y", "http://localhost/"}) {
    Rig rig;
    EXPECT_FALSE(Get(rig, {"", uri, ""}).ok()) << uri;
    EXPECT_TRUE(rig.transport.requests().empty()) << uri;
  }
  EXPECT_EQ(RelativeContainerUrl("//evil.example.com/x")->host, "169.254.170.2");
  EXPECT_FALSE(RelativeContainerUrl("/" + std::string(3000, 'a')).ok());
}

TEST(ContainerProviderTest, RefusesUnusableTokensWithoutARequest) {
  for (const std::string token : {"", "a\r\nX-Evil: 1", "a\n", "a\rb", "a\x01", "\x7F"}) {
    Rig rig;
    rig.files.content[kTokenFile] = token;
    const auto answer = Get(rig, {kPodIdentityUri, "", kTokenFile});
    EXPECT_EQ(answer.status().code(), StatusCode::kFailedPrecondition);
    EXPECT_THAT(answer.status().message(), HasSubstr(kTokenFile));
    EXPECT_TRUE(rig.transport.requests().empty());
  }
  Rig missing;
  EXPECT_EQ(Get(missing, {kPodIdentityUri, "", kTokenFile}).status().code(),
            StatusCode::kFailedPrecondition);
  Rig large;
  large.files.content[kTokenFile] = std::string(20'001, 'x');
  EXPECT_EQ(Get(large, {kPodIdentityUri, "", kTokenFile}).status().code(),
            StatusCode::kResourceExhausted);
  Rig variable(Variables{{"AWS_CONTAINER_AUTHORIZATION_TOKEN", "a\nb"}});
  EXPECT_EQ(Get(variable, {kPodIdentityUri, "", ""}).status().code(),
            StatusCode::kFailedPrecondition);
}

TEST(ContainerProviderTest, SendsTheTokenOfTheVariable) {
  Rig rig(Variables{{"AWS_CONTAINER_AUTHORIZATION_TOKEN", "Basic abc"},
                    {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/x"}});
  Answer(rig, 200, kAnswer);
  ASSERT_TRUE(Get(rig).ok());
  EXPECT_EQ(rig.transport.requests()[0].headers.Get("Authorization"), "Basic abc");
}

TEST(ContainerProviderTest, TriesThreeTimesASecondApart) {
  for (const auto& outcome : std::vector<Result<net::HttpResponse>>{
           JsonResponse(500, "boom"), JsonResponse(503, ""), JsonResponse(429, ""),
           JsonResponse(200, "not json"), UnavailableError("connection refused"),
           DeadlineExceededError("no answer")}) {
    Rig rig;
    rig.handler = [&outcome](const net::HttpRequest&) { return outcome; };
    EXPECT_FALSE(Get(rig, {kPodIdentityUri, "", ""}).ok());
    EXPECT_EQ(rig.transport.requests().size(), 3U);
    EXPECT_EQ(rig.clock.sleeps(), (std::vector<milliseconds>(2, milliseconds(1000))));
  }
}

TEST(ContainerProviderTest, RecoversOnTheLastAttempt) {
  Rig rig;
  int calls = 0;
  rig.handler = [&calls](const net::HttpRequest&) {
    return ++calls < 3 ? JsonResponse(500, "") : JsonResponse(200, kAnswer);
  };
  EXPECT_TRUE(Get(rig, {kPodIdentityUri, "", ""}).ok());
}

TEST(ContainerProviderTest, DoesNotRepeatWhatWillNotChange) {
  const std::pair<int, StatusCode> cases[] = {{301, StatusCode::kFailedPrecondition},
                                              {400, StatusCode::kInvalidArgument},
                                              {401, StatusCode::kPermissionDenied},
                                              {403, StatusCode::kPermissionDenied},
                                              {404, StatusCode::kFailedPrecondition}};
  for (const auto& [status, code] : cases) {
    Rig rig;
    Answer(rig, status, "");
    EXPECT_EQ(Get(rig, {kPodIdentityUri, "", ""}).status().code(), code) << status;
    EXPECT_EQ(rig.transport.requests().size(), 1U) << status;
  }
}

TEST(ContainerProviderTest, StopsAtTheCallersDeadlineAndStopRequest) {
  Rig rig;
  const auto provider = CreateContainerProvider(rig.runtime(), {kPodIdentityUri, "", ""});
  const CallContext near{rig.clock.MonoNow() + milliseconds(900), {}};
  EXPECT_FALSE(provider->GetCredentials(near).ok());
  EXPECT_EQ(rig.transport.requests().size(), 1U);

  std::stop_source stop;
  rig.handler = [&stop](const net::HttpRequest&) {
    stop.request_stop();
    return JsonResponse(500, "");
  };
  EXPECT_EQ(provider->GetCredentials({MonoTime::max(), stop.get_token()}).status().code(),
            StatusCode::kCancelled);
}

TEST(ContainerProviderTest, QuotesOnlyTheNameOfAPlainTextError) {
  Rig rig;
  Answer(rig, 403, "[req-1]: (AccessDeniedException): token eyJ.CANARY was refused, fault: client");
  EXPECT_EQ(Get(rig, {kPodIdentityUri, "", ""}).status(),
            PermissionDeniedError("container endpoint http://169.254.170.23: the answer is HTTP "
                                  "status 403, AccessDeniedException"));
}

TEST(ContainerProviderTest, HidesThePathOfTheUri) {
  Rig rig;
  Answer(rig, 403, "");
  const auto provider = CreateContainerProvider(rig.runtime(), {"", "/v2/credentials/CANARY", ""});
  EXPECT_EQ(provider->Describe(), "container endpoint http://169.254.170.2");
  EXPECT_THAT(provider->GetCredentials({}).status().message(), Not(HasSubstr("CANARY")));
}

TEST(ContainerProviderTest, RefusesAnswersBeyondTenKilobytes) {
  const std::string padding(10'000 - std::string(kAnswer).size(), ' ');
  Rig rig;
  Answer(rig, 200, kAnswer + padding);
  EXPECT_TRUE(Get(rig, {kPodIdentityUri, "", ""}).ok());
  Answer(rig, 200, kAnswer + padding + " ");
  EXPECT_EQ(Get(rig, {kPodIdentityUri, "", ""}).status().code(), StatusCode::kDataLoss);
}

TEST(ContainerProviderTest, RefusesCredentialsThatHaveExpired) {
  Rig rig;
  Answer(rig, 200,
         R"({"AccessKeyId":"A","SecretAccessKey":"s","Expiration":"2026-11-23T09:59:59Z"})");
  const auto answer = Get(rig, {kPodIdentityUri, "", ""});
  EXPECT_EQ(answer.status().code(), StatusCode::kUnavailable);
  EXPECT_THAT(answer.status().message(), HasSubstr("expired at 2026-11-23T09:59:59.000Z"));
}

// The endpoint's clock is `lead` ahead of ours, whatever its Expiration says.
void AnswerWithLead(Rig& rig, std::chrono::seconds lead) {
  rig.handler = [&rig, lead](const net::HttpRequest&) {
    net::HttpResponse response = JsonResponse(200, kAnswer);
    response.headers.Add("Date", FormatHttpDate(rig.clock.WallNow() + lead));
    return response;
  };
}

TEST(ContainerProviderTest, TellsTheExpirationOnOurClock) {
  Rig rig;
  AnswerWithLead(rig, -std::chrono::hours(9));
  const auto answer = Get(rig, {kPodIdentityUri, "", ""});
  ASSERT_TRUE(answer.ok()) << answer.status().ToString();
  EXPECT_EQ((*answer)->expiration, rig.clock.WallNow() + std::chrono::hours(15));
}

TEST(ContainerProviderTest, RefusesWhatHasExpiredOnTheEndpointsClock) {
  Rig rig;
  AnswerWithLead(rig, std::chrono::hours(9));
  const auto answer = Get(rig, {kPodIdentityUri, "", ""});
  EXPECT_EQ(answer.status().code(), StatusCode::kUnavailable) << "three hours ago";
}

TEST(ContainerCredentialsTest, AcceptsOffsetsFractionsNullsAndMissingOptionals) {
  const auto offset = ParseContainerCredentials(
      R"({"AccessKeyId":"A","SecretAccessKey":"s","Token":null,"Expiration":"2026-11-23T12:00:00.5+02:00"})");
  ASSERT_TRUE(offset.ok()) << offset.status().ToString();
  EXPECT_EQ(offset->expiration, WallTime(keyturn::testing::FakeClock::kStart + milliseconds(500)));
  EXPECT_TRUE(offset->session_token.empty());
  EXPECT_FALSE(
      ParseContainerCredentials(R"({"AccessKeyId":"A","SecretAccessKey":"s"})")->expiration);
}

TEST(ContainerCredentialsTest, RefusesMalformedAnswersWithoutQuotingThem) {
  for (const std::string body :
       {"",
        "CANARY",
        "[]",
        "null",
        "\"CANARY\"",
        "{}",
        R"({"AccessKeyId":"CANARY"})",
        R"({"SecretAccessKey":"CANARY"})",
        R"({"AccessKeyId":"","SecretAccessKey":"CANARY"})",
        R"({"AccessKeyId":1,"SecretAccessKey":"CANARY"})",
        R"({"AccessKeyId":"A","SecretAccessKey":["CANARY"]})",
        R"({"AccessKeyId":"A","SecretAccessKey":"CANARY","Token":5})",
        R"({"AccessKeyId":"A","SecretAccessKey":"CANARY\n"})",
        R"({"AccessKeyId":"A B","SecretAccessKey":"CANARY"})",
        R"({"AccessKeyId":"A","SecretAccessKey":"s","Token":"CANARY\r\nX: y"})",
        R"({"AccessKeyId":"A","SecretAccessKey":"s","Expiration":"CANARY"})",
        R"({"AccessKeyId":"A","SecretAccessKey":"s","Expiration":1795428000})",
        R"({"AccessKeyId":"A","SecretAccessKey":"s","Expiration":"2026-13-45T00:00:00Z"})",
        R"({"AccessKeyId":"A","AccessKeyId":"CANARY","SecretAccessKey":"s"})",
        R"({"AccessKeyId":"A","SecretAccessKey":"CANARY"} x)",
        R"({"Code":"AccessDenied","Message":"CANARY"})"}) {
    const auto credentials = ParseContainerCredentials(body);
    EXPECT_EQ(credentials.status().code(), StatusCode::kDataLoss) << body;
    EXPECT_THAT(credentials.status().message(), Not(HasSubstr("CANARY")));
  }
}

TEST(ContainerCredentialsTest, FindsErrorNamesButNothingElse) {
  const std::pair<const char*, const char*> cases[] = {
      {"", ""},
      {"Exception", ""},
      {"ServiceUnavailableException", "ServiceUnavailableException"},
      {R"({"code":"InternalServerError","message":"x"})", "InternalServerError"},
      {"(AccessDenied)", "AccessDenied"},
      {"eyJhbGciOi.abcException.x", ""},
      {"abc-def_Error", ""},
      {"x123Error", ""},
      {"404 page not found", ""}};
  for (const auto& [body, name] : cases) EXPECT_EQ(FindErrorName(body), name) << body;
  EXPECT_EQ(FindErrorName(std::string(80, 'a') + "Error"), "");
}

}  // namespace
}  // namespace keyturn::aws
