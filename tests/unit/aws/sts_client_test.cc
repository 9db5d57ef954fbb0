// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lib/aws/canonical_request.h"
#include "tests/unit/aws/client_fixture.h"

namespace keyturn::aws {
namespace {

constexpr const char* kRole = "arn:aws:iam::123456789012:role/app";
constexpr const char* kJwtCanary =
    "eyJhbGciOiJSUzI1NiJ9.CanaryCanaryCanaryCanary.Canary-signature_Canary";

net::HttpResponse Xml(int status, std::string body) {
  net::HttpResponse response;
  response.status = status;
  response.headers.Add("Content-Type", "text/xml");
  response.body = std::move(body);
  return response;
}

net::HttpResponse XmlError(const std::string& code, const std::string& message, int status = 400) {
  return Xml(status, R"(<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error>)"
                     "<Type>Sender</Type><Code>" +
                         code + "</Code><Message>" + message +
                         "</Message></Error><RequestId>id-7</RequestId></ErrorResponse>");
}

std::string CredentialsXml(const std::string& key, const std::string& secret,
                           const std::string& token, const std::string& expiration) {
  return "<Credentials><AccessKeyId>" + key + "</AccessKeyId><SecretAccessKey>" + secret +
         "</SecretAccessKey><SessionToken>" + token + "</SessionToken><Expiration>" + expiration +
         "</Expiration></Credentials>";
}

std::string Answer(const std::string& operation, const std::string& inner) {
  return "<" + operation + R"(Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">)" +
         "\n <" + operation + "Result>" + inner +
         "<AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/app/s</Arn></"
         "AssumedRoleUser>"
         "<SomethingNew><Deep/></SomethingNew></" +
         operation + "Result>" + "<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></" +
         operation + "Response>";
}

const std::string kGood = CredentialsXml("ASIAX", "s/+&amp;", "token==", "2026-11-23T11:00:00Z");

class StsClientTest : public ClientFixture {
 protected:
  Result<std::shared_ptr<const Credentials>> WebIdentity(
      std::optional<std::chrono::seconds> duration = std::nullopt) {
    AssumeRoleWithWebIdentityRequest request;
    request.role_arn = kRole;
    request.session_name = "keyturn-host";
    request.token = SecretBytes(std::string_view(kJwtCanary));
    request.duration = duration;
    return client_->AssumeRoleWithWebIdentity(request, context());
  }

  Result<std::shared_ptr<const Credentials>> AssumeRole(const AssumeRoleRequest& request) {
    const auto source = credentials_->GetCredentials({});
    return client_->AssumeRole(request, **source, context());
  }

  std::unique_ptr<Sts> client_ = CreateStsClient(runtime(), options());
};

TEST_F(StsClientTest, ExchangesAWebIdentityWithoutSignature) {
  Script({Xml(200, Answer("AssumeRoleWithWebIdentity", kGood))});
  const auto credentials = WebIdentity(std::chrono::seconds(900));
  ASSERT_TRUE(credentials.ok()) << credentials.status().ToString();
  EXPECT_EQ((*credentials)->access_key_id, "ASIAX");
  EXPECT_EQ(Reveal((*credentials)->secret_access_key), "s/+&");
  EXPECT_EQ(Reveal((*credentials)->session_token), "token==");
  EXPECT_EQ(FormatRfc3339((*credentials)->expiration.value()), "2026-11-23T11:00:00.000Z");
  EXPECT_EQ((*credentials)->account_id, "123456789012");
  EXPECT_EQ(transport_.requests().at(0).body,
            "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A"
            "123456789012%3Arole%2Fapp&RoleSessionName=keyturn-host&WebIdentityToken=" +
                std::string(kJwtCanary) + "&DurationSeconds=900");
  EXPECT_EQ(Header(0, "Authorization"), "");
  EXPECT_EQ(Header(0, "X-Amz-Security-Token"), "");
  EXPECT_EQ(Header(0, "Content-Type"), "application/x-www-form-urlencoded; charset=utf-8");
}

TEST_F(StsClientTest, TellsTheExpirationOnOurClock) {
  struct Case {
    std::string date;
    const char* expiration;
  };

  const auto ahead = [&](std::chrono::seconds lead) {
    return FormatHttpDate(clock_.WallNow() + lead);
  };
  const std::vector<Case> cases = {
      {ahead(std::chrono::hours(3)), "2026-11-23T08:00:00.000Z"},
      {ahead(-std::chrono::hours(3)), "2026-11-23T14:00:00.000Z"},
      {ahead(std::chrono::seconds(61)), "2026-11-23T10:58:59.000Z"},
      {ahead(std::chrono::seconds(60)), "2026-11-23T11:00:00.000Z"},
      {ahead(-std::chrono::seconds(60)), "2026-11-23T11:00:00.000Z"},
      {"", "2026-11-23T11:00:00.000Z"},
      {"yesterday", "2026-11-23T11:00:00.000Z"},
      {"Sat, 01 Jan 1678 00:00:00 GMT", "2026-11-23T11:00:00.000Z"},
  };
  for (const Case& c : cases) {
    for (const char* operation : {"AssumeRoleWithWebIdentity", "AssumeRole"}) {
      Script({WithHeader(Xml(200, Answer(operation, kGood)), "Date", c.date)});
      const bool signs = std::string(operation) == "AssumeRole";
      const auto credentials =
          signs ? AssumeRole({kRole, "s", "", std::nullopt}) : WebIdentity(std::nullopt);
      ASSERT_TRUE(credentials.ok()) << credentials.status().ToString();
      EXPECT_EQ(FormatRfc3339((*credentials)->expiration.value()), c.expiration) << c.date;
    }
  }
}

TEST_F(StsClientTest, AnAbsurdDateDoesNotOverflowTheExpiration) {
  const std::string far = CredentialsXml("ASIAX", "s", "t", "2261-01-01T00:00:00Z");
  Script({WithHeader(Xml(200, Answer("AssumeRoleWithWebIdentity", far)), "Date",
                     "Thu, 01 Jan 1970 00:00:00 GMT")});
  const auto credentials = WebIdentity();
  ASSERT_TRUE(credentials.ok()) << credentials.status().ToString();
  EXPECT_EQ((*credentials)->expiration, WallTime::max());
}

TEST_F(StsClientTest, AssumesARoleSignedWithTheSource) {
  Script({Xml(200, Answer("AssumeRole", kGood))});
  const auto credentials = AssumeRole({kRole, "s e&s", "ext=1&x", std::nullopt});
  ASSERT_TRUE(credentials.ok()) << credentials.status().ToString();
  EXPECT_EQ(transport_.requests().at(0).body,
            "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole"
            "%2Fapp&RoleSessionName=s%20e%26s&ExternalId=ext%3D1%26x");
  EXPECT_NE(Header(0, "Authorization").find("/eu-central-1/sts/aws4_request"), std::string::npos);
  EXPECT_EQ(Header(0, "X-Amz-Security-Token"), kTokenCanary);
}

TEST_F(StsClientTest, MapsErrors) {
  struct Case {
    const char* code;
    int status;
    StatusCode expected;
    size_t requests;
  };

  const std::vector<Case> cases = {
      {"AccessDenied", 403, StatusCode::kPermissionDenied, 1},
      {"ExpiredTokenException", 400, StatusCode::kUnauthenticated, 1},
      {"InvalidIdentityToken", 400, StatusCode::kUnauthenticated, 1},
      {"IDPRejectedClaim", 403, StatusCode::kUnauthenticated, 1},
      {"ValidationError", 400, StatusCode::kInvalidArgument, 1},
      {"RegionDisabledException", 403, StatusCode::kFailedPrecondition, 1},
      {"IDPCommunicationError", 400, StatusCode::kUnavailable, 3},
      {"Throttling", 400, StatusCode::kResourceExhausted, 3},
      {"InternalFailure", 500, StatusCode::kUnavailable, 3},
  };
  for (const Case& c : cases) {
    const size_t before = transport_.requests().size();
    Script({XmlError(c.code, "why", c.status)});
    const Status status = WebIdentity().status();
    EXPECT_EQ(status.code(), c.expected) << c.code;
    EXPECT_EQ(transport_.requests().size() - before, c.requests) << c.code;
    EXPECT_NE(status.message().find(std::string("AssumeRoleWithWebIdentity ") + kRole + ": " +
                                    c.code + ": why (request id id-7)"),
              std::string::npos)
        << status.message();
  }
}

TEST_F(StsClientTest, AnswersOfAnotherShapeAreNotTheServices) {
  for (const char* body :
       {"", "<html><body>Forbidden</body></html>", "{\"message\":\"Forbidden\"}",
        "<!DOCTYPE x><ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>",
        "<Other><Error><Code>AccessDenied</Code></Error></Other>"}) {
    Script({Xml(403, body)});
    EXPECT_EQ(WebIdentity().status().code(), StatusCode::kUnavailable) << body;
  }
}

TEST_F(StsClientTest, RefusesMalformedAnswersWithoutQuotingThem) {
  const std::string canary = kSecretKeyCanary;
  const std::string operation = "AssumeRoleWithWebIdentity";
  const std::vector<std::string> bodies = {
      "",
      canary,
      "<a>" + canary + "</b>",
      "{\"SecretAccessKey\":\"" + canary + "\"}",
      Answer(operation, ""),
      Answer("AssumeRole", CredentialsXml("A", canary, "t", "2026-11-23T11:00:00Z")),
      Answer(operation, CredentialsXml("", canary, "t", "2026-11-23T11:00:00Z")),
      Answer(operation, CredentialsXml("A", "", canary, "2026-11-23T11:00:00Z")),
      Answer(operation, CredentialsXml("A", canary, "", "2026-11-23T11:00:00Z")),
      Answer(operation, CredentialsXml("A", canary, "t", "")),
      Answer(operation, CredentialsXml("A", canary, "t", canary)),
      "<!DOCTYPE x [<!ENTITY e \"" + canary + "\">]>" + Answer(operation, kGood),
  };
  for (const std::string& body : bodies) {
    Script({Xml(200, body)});
    const Status status = WebIdentity().status();
    EXPECT_EQ(status.code(), StatusCode::kInternal) << body;
    ExpectNoCanary(status);
  }
}

TEST_F(StsClientTest, AnEchoOfTheTokenIsRedacted) {
  const std::string jwt = kJwtCanary;
  for (const std::string& echo :
       {jwt, "Token " + jwt + " is bad", jwt.substr(10, 20), UriEncode(jwt),
        "WebIdentityToken=" + jwt, std::string(295, 'x') + jwt}) {
    for (const net::HttpResponse& response :
         {XmlError("InvalidIdentityToken", echo), XmlError(echo, "x"), Xml(400, echo),
          WithHeader(XmlError("AccessDenied", "x"), "x-amzn-RequestId", echo)}) {
      Script({response});
      const Status status = WebIdentity().status();
      EXPECT_FALSE(status.ok());
      ExpectNoCanary(status);
    }
  }
  Script({XmlError("InvalidIdentityToken", jwt)});
  EXPECT_NE(WebIdentity().status().message().find("[redacted]"), std::string::npos);
}

TEST_F(StsClientTest, AnEchoOfTheSourceIsRedacted) {
  Script({XmlError("AccessDenied", std::string("key ") + kSecretKeyCanary, 403)});
  ExpectNoCanary(AssumeRole({kRole, "s", "", std::nullopt}).status());
}

TEST_F(StsClientTest, LearnsTheClockOffsetForSignedCalls) {
  Script({WithHeader(XmlError("SignatureDoesNotMatch", "Signature expired: …", 403), "Date",
                     "Mon, 23 Nov 2026 09:00:00 GMT"),
          Xml(200, Answer("AssumeRole", kGood))});
  EXPECT_TRUE(AssumeRole({kRole, "s", "", std::nullopt}).ok());
  EXPECT_EQ(Header(1, "X-Amz-Date"), "20261123T090000Z");
}

}  // namespace
}  // namespace keyturn::aws
