// SPDX-License-Identifier: Apache-2.0
#include "lib/aws/sigv4_verifier.h"

#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lib/aws/sigv4.h"
#include "lib/base/strings.h"

namespace keyturn::aws {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr WallTime kNow{seconds(1'795'428'000)};  // 2026-11-23T10:00:00Z
constexpr const char* kMismatch = "The request signature we calculated does not match";

const SecretBytes& Secret() {
  static const SecretBytes secret(std::string_view("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"));
  return secret;
}

// A signed request on the wire.
struct Wire {
  std::string method = "POST";
  std::string target = "/";
  net::HttpHeaders headers;
  std::string body = "{}";

  ReceivedRequest received() const { return {method, target, headers, body}; }
};

net::HttpRequest MakeRequest() {
  net::HttpRequest request;
  request.method = "POST";
  request.url = {"https", "example.com", 8443, "/a%20b/?x=%2F&x=1&y"};
  request.headers.Add("Content-Type", "application/x-amz-json-1.1");
  request.headers.Add("X-Amz-Target", "secretsmanager.GetSecretValue");
  request.headers.Add("User-Agent", "test");
  request.body = "{}";
  return request;
}

Wire Sign(WallTime at, bool presigned = false, seconds expires = seconds(900)) {
  Credentials credentials;
  credentials.access_key_id = "AKIDEXAMPLE";
  credentials.secret_access_key = Secret().Clone();
  credentials.session_token = SecretBytes(std::string_view("token/+=="));
  SigningOptions options;
  options.region = "eu-central-1";
  options.service = "secretsmanager";
  net::HttpRequest request = MakeRequest();
  SigV4Signer signer;
  if (presigned) {
    signer.SignQuery(request, credentials, at, expires, options);
  } else {
    signer.SignHeaders(request, credentials, at, options);
  }
  Wire wire{request.method, request.url.target, request.headers, request.body};
  wire.headers.Add("Host", request.url.HostHeader());
  return wire;
}

// "" when it verifies, else "CODE: message".
std::string Verify(const Wire& wire, WallTime now = kNow) {
  auto read = SigV4Verifier::Read(wire.received());
  const auto* refused = std::get_if<SignatureRefusal>(&read);
  if (refused != nullptr) return refused->code + ": " + refused->message;
  SigV4Verifier verifier;
  const auto refusal =
      verifier.Check(wire.received(), std::get<SignatureClaim>(read), Secret(), now);
  return refusal ? refusal->code + ": " + refusal->message : "";
}

TEST(SigV4VerifierTest, AcceptsWhatTheSignerMakes) {
  EXPECT_EQ(Verify(Sign(kNow)), "");
  EXPECT_EQ(Verify(Sign(kNow, true)), "");
}

TEST(SigV4VerifierTest, ReadsTheClaim) {
  for (const bool presigned : {false, true}) {
    const Wire wire = Sign(kNow, presigned);
    auto read = SigV4Verifier::Read(wire.received());
    ASSERT_TRUE(std::holds_alternative<SignatureClaim>(read));
    const auto& claim = std::get<SignatureClaim>(read);
    EXPECT_EQ(claim.access_key_id, "AKIDEXAMPLE");
    EXPECT_EQ(claim.scope.ToString(), "20261123/eu-central-1/secretsmanager/aws4_request");
    EXPECT_EQ(claim.time, kNow);
    EXPECT_EQ(claim.session_token, SecretBytes(std::string_view("token/+==")));
    EXPECT_EQ(claim.expires.has_value(), presigned);
  }
}

TEST(SigV4VerifierTest, AnyChangeOfWhatIsSignedIsAMismatch) {
  const std::vector<std::function<void(Wire&)>> changes = {
      [](Wire& w) { w.method = "PUT"; },
      [](Wire& w) { w.body += " "; },
      [](Wire& w) { w.target += "&z=1"; },
      [](Wire& w) { w.target = "/other" + w.target; },
      [](Wire& w) { w.headers.Set("Host", "evil.example"); },
      [](Wire& w) { w.headers.Set("Content-Type", "text/plain"); },
      [](Wire& w) { w.headers.Set("X-Amz-Target", "secretsmanager.DeleteSecret"); },
      [](Wire& w) { w.headers.Add("X-Amz-Target", "secretsmanager.DeleteSecret"); },
      [](Wire& w) { w.headers.Add("X-Amz-Unsigned", "x"); },
      [](Wire& w) { w.headers.Add("x-amz-content-sha256", "UNSIGNED-PAYLOAD"); },
  };
  for (const bool presigned : {false, true}) {
    for (size_t i = 0; i < changes.size(); ++i) {
      Wire wire = Sign(kNow, presigned);
      changes[i](wire);
      EXPECT_TRUE(Verify(wire).starts_with(StrCat("InvalidSignatureException: ", kMismatch)))
          << i << presigned << Verify(wire);
    }
  }
  Wire wire = Sign(kNow);
  wire.headers.Set("X-Amz-Security-Token", "another");
  EXPECT_NE(Verify(wire), "");
}

TEST(SigV4VerifierTest, UnsignedHeadersMayChange) {
  Wire wire = Sign(kNow);
  wire.headers.Set("User-Agent", "proxy");
  wire.headers.Add("Via", "proxy");
  EXPECT_EQ(Verify(wire), "");
}

TEST(SigV4VerifierTest, TheWindowIsFiveMinutesBothWays) {
  struct Case {
    seconds age;
    std::string expected;
  };

  const std::vector<Case> cases = {
      {minutes(5), ""},
      {-minutes(5), ""},
      {minutes(5) + seconds(1),
       "InvalidSignatureException: Signature expired: 20261123T095459Z is now earlier than "
       "20261123T095500Z (20261123T100000Z - 5 min.)"},
      {-minutes(5) - seconds(1),
       "InvalidSignatureException: Signature not yet current: 20261123T100501Z is still later than "
       "20261123T100500Z (20261123T100000Z + 5 min.)"}};
  for (const Case& c : cases) EXPECT_EQ(Verify(Sign(kNow - c.age)), c.expected) << c.age.count();
}

TEST(SigV4VerifierTest, APresignedRequestLivesAsLongAsItSays) {
  EXPECT_EQ(Verify(Sign(kNow - seconds(900), true)), "");
  EXPECT_TRUE(Verify(Sign(kNow - seconds(901), true))
                  .starts_with("InvalidSignatureException: Signature expired: "));
  EXPECT_TRUE(Verify(Sign(kNow + minutes(6), true))
                  .starts_with("InvalidSignatureException: Signature not yet current: "));
  for (const int64_t expires : {int64_t{0}, int64_t{-1}, int64_t{604'801}}) {
    EXPECT_TRUE(Verify(Sign(kNow, true, seconds(expires)))
                    .starts_with("IncompleteSignatureException: X-Amz-Expires"));
  }
}

TEST(SigV4VerifierTest, RefusesMalformedAuthorizationWithAwssCodes) {
  const std::string good =
      "AWS4-HMAC-SHA256 Credential=K/20261123/r/s/aws4_request, SignedHeaders=host, Signature=ab";

  struct Case {
    std::string authorization;
    std::string expected;
  };

  const std::vector<Case> cases = {
      {"", "MissingAuthenticationTokenException: Missing Authentication Token"},
      {"Bearer x", "MissingAuthenticationTokenException: Missing Authentication Token"},
      {"AWS4-HMAC-SHA256 junk",
       "IncompleteSignatureException: 'junk' not a valid key=value pair (missing equal-sign) in "
       "Authorization header: 'AWS4-HMAC-SHA256 junk'."},
      {"AWS4-HMAC-SHA256",
       "IncompleteSignatureException: Authorization header requires 'Credential' parameter. "
       "Authorization header requires 'Signature' parameter. Authorization header requires "
       "'SignedHeaders' parameter."},
      {"AWS4-HMAC-SHA256 Credential=K/r/s/aws4_request, SignedHeaders=host, Signature=ab",
       "IncompleteSignatureException: Credential must have exactly 5 slash-delimited elements, "
       "e.g. "
       "keyid/date/region/service/term, got 'K/r/s/aws4_request'"},
      {"AWS4-HMAC-SHA256 Credential=K/20261123/r/s/aws5, SignedHeaders=host, Signature=ab",
       "InvalidSignatureException: Credential should be scoped with a valid terminator: "
       "'aws4_request', not 'aws5'."},
      {"AWS4-HMAC-SHA256 Credential=K/20261122/r/s/aws4_request, SignedHeaders=host, Signature=ab",
       "InvalidSignatureException: Date in Credential scope does not match YYYYMMDD from ISO-8601 "
       "version of date from HTTP: '20261122' != '20261123', from '20261123T100000Z'."},
      {"AWS4-HMAC-SHA256 Credential=K/20261123/r/s/aws4_request, SignedHeaders=x-amz-date, "
       "Signature=ab",
       "InvalidSignatureException: 'Host' or ':authority' must be a 'SignedHeader' in the AWS "
       "Authorization."},
      {good + ", Signature=cd",
       "IncompleteSignatureException: Authorization header repeats 'Signature'"},
  };
  for (const Case& c : cases) {
    Wire wire;
    wire.headers.Add("Host", "h");
    wire.headers.Add("X-Amz-Date", "20261123T100000Z");
    if (!c.authorization.empty()) wire.headers.Add("Authorization", c.authorization);
    EXPECT_EQ(Verify(wire), c.expected);
  }
}

TEST(SigV4VerifierTest, RefusesAMissingOrMalformedDate) {
  Wire wire;
  wire.headers.Add("Host", "h");
  wire.headers.Add(
      "Authorization",
      "AWS4-HMAC-SHA256 Credential=K/20261123/r/s/aws4_request, SignedHeaders=host, Signature=ab");
  EXPECT_EQ(Verify(wire),
            "IncompleteSignatureException: Authorization header requires existence of either a "
            "'X-Amz-Date' or a 'Date' header.");
  wire.headers.Add("X-Amz-Date", "today\n");
  EXPECT_TRUE(Verify(wire).starts_with(
      "IncompleteSignatureException: Date must be in ISO-8601 'basic format'. Got 'today'"));
}

TEST(SigV4VerifierTest, SignedHeadersMustBePresentSortedAndOnce) {
  const std::string good = std::string(Sign(kNow).headers.Get("Authorization").value());
  for (const char* names :
       {"host;content-type;x-amz-date;x-amz-security-token;x-amz-target",
        "content-type;host;host;x-amz-date;x-amz-security-token;x-amz-target",
        "Content-Type;host;x-amz-date;x-amz-security-token;x-amz-target",
        "absent;content-type;host;x-amz-date;x-amz-security-token;x-amz-target"}) {
    Wire wire = Sign(kNow);
    const size_t from = good.find("SignedHeaders=") + 14;
    wire.headers.Set("Authorization",
                     good.substr(0, from) + names + good.substr(good.find(',', from)));
    EXPECT_TRUE(Verify(wire).starts_with(StrCat("InvalidSignatureException: ", kMismatch)))
        << names;
  }
}

TEST(SigV4VerifierTest, RefusalsNeverHoldTheToken) {
  for (const bool presigned : {false, true}) {
    Wire wire = Sign(kNow, presigned);
    wire.body = "changed";
    EXPECT_EQ(Verify(wire).find("token"), std::string::npos);
  }
}

}  // namespace
}  // namespace keyturn::aws
