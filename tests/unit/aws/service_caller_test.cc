// What all service clients share: retries, credentials, clock, metrics, and what messages may hold.
// SPDX-License-Identifier: Apache-2.0
#include "lib/aws/service_caller.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lib/aws/canonical_request.h"
#include "lib/aws/json_protocol.h"
#include "tests/unit/aws/client_fixture.h"

namespace keyturn::aws {
namespace {

using std::chrono::minutes;
using testing::JsonResponse;

class ServiceCallerTest : public ClientFixture {
 protected:
  Status Call(std::chrono::seconds deadline = std::chrono::seconds(60)) {
    ServiceCall call;
    call.operation = "GetThing";
    call.subject = "prod/db";
    call.headers = JsonHeaders("things.GetThing");
    call.body = "{}";
    call.auth.provider = credentials_.get();
    return caller_.Call(call, Deadline(deadline)).status();
  }

  net::HttpResponse SkewAnswer(const char* code, const char* message, std::chrono::seconds skew) {
    return WithHeader(ErrorResponse(code, message), "Date",
                      FormatHttpDate(clock_.WallNow() + skew));
  }

  ServiceCaller caller_{runtime(), options(), "things", &ParseJsonError};
};

TEST_F(ServiceCallerTest, SendsASignedPost) {
  Script(200, "{}");
  EXPECT_TRUE(Call().ok());
  const net::HttpRequest request = transport_.requests().at(0);
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.body, "{}");
  EXPECT_EQ(Header(0, "X-Amz-Target"), "things.GetThing");
  EXPECT_EQ(Header(0, "Content-Type"), "application/x-amz-json-1.1");
  EXPECT_EQ(Header(0, "X-Amz-Security-Token"), kTokenCanary);
  EXPECT_EQ(Header(0, "X-Amz-Date"), "20261123T100000Z");
  EXPECT_EQ(Header(0, "User-Agent"), "keyturn/" KEYTURN_VERSION);
  EXPECT_TRUE(Header(0, "Authorization")
                  .starts_with("AWS4-HMAC-SHA256 Credential=ASIAFAKE0/20261123/eu-central-1/things/"
                               "aws4_request, SignedHeaders=content-type;host;x-amz-date;"
                               "x-amz-security-token;x-amz-target, Signature="));
}

TEST_F(ServiceCallerTest, MapsCodesToStatuses) {
  struct Case {
    int http_status;
    const char* code;
    StatusCode expected;
  };

  const std::vector<Case> cases = {
      {400, "ResourceNotFoundException", StatusCode::kNotFound},
      {404, "ResourceNotFoundException", StatusCode::kNotFound},
      {400, "ParameterNotFound", StatusCode::kNotFound},
      {400, "AccessDeniedException", StatusCode::kPermissionDenied},
      {403, "AccessDenied", StatusCode::kPermissionDenied},
      {400, "InvalidRequestException", StatusCode::kFailedPrecondition},
      {400, "DecryptionFailure", StatusCode::kFailedPrecondition},
      {400, "InvalidParameterException", StatusCode::kInvalidArgument},
      {400, "ValidationException", StatusCode::kInvalidArgument},
      {400, "ThrottlingException", StatusCode::kResourceExhausted},
      {400, "LimitExceededException", StatusCode::kResourceExhausted},
      {503, "SlowDown", StatusCode::kResourceExhausted},
      {429, "", StatusCode::kResourceExhausted},
      {400, "ExpiredTokenException", StatusCode::kUnauthenticated},
      {400, "UnrecognizedClientException", StatusCode::kUnauthenticated},
      {400, "InvalidSignatureException", StatusCode::kUnauthenticated},
      {403, "SignatureDoesNotMatch", StatusCode::kUnauthenticated},
      {400, "IncompleteSignatureException", StatusCode::kUnauthenticated},
      {400, "MissingAuthenticationTokenException", StatusCode::kUnauthenticated},
      {500, "InternalServiceError", StatusCode::kUnavailable},
      {500, "ResourceNotFoundException", StatusCode::kUnavailable},
      {503, "", StatusCode::kUnavailable},
      {400, "UnknownOperationException", StatusCode::kUnimplemented},
      {400, "SomethingNewException", StatusCode::kUnknown},
      // Without a code nobody knows who answers: never a verdict about the secret.
      {404, "", StatusCode::kUnavailable},
      {403, "", StatusCode::kUnavailable},
      {301, "", StatusCode::kUnavailable},
  };
  for (const Case& c : cases) {
    Script({ErrorResponse(c.code, "why", c.http_status)});
    EXPECT_EQ(Call().code(), c.expected) << c.http_status << " " << c.code;
  }
}

TEST_F(ServiceCallerTest, ReadsEveryShapeOfAnError) {
  struct Case {
    const char* body;
    const char* header;
    const char* expected;
  };

  const std::vector<Case> cases = {
      {R"({"__type":"AccessDeniedException","Message":"why"})", "", "AccessDeniedException: why"},
      {R"({"__type":"AccessDeniedException","message":"why"})", "", "AccessDeniedException: why"},
      {R"({"code":"AccessDeniedException","message":"why"})", "", "AccessDeniedException: why"},
      {R"({"__type":"com.amazon.coral.service#AccessDeniedException"})", "",
       "AccessDeniedException"},
      {R"({"__type":"a#b#AccessDeniedException:http://internal.amazon.com/coral/"})", "",
       "AccessDeniedException"},
      {"", "AccessDeniedException:http://internal.amazon.com/", "AccessDeniedException"},
      {"{}", "AccessDeniedException", "AccessDeniedException"},
      {R"({"__type":7,"message":["x"]})", "AccessDeniedException", "AccessDeniedException"},
      {R"({"__type":"AccessDeniedException","__type":"x"})", "",
       "HTTP 400, not an answer of the service"},
      {"<html>Bad Gateway</html>", "", "HTTP 400, not an answer of the service"},
      {"[]", "", "HTTP 400, not an answer of the service"},
      {"null", "", "HTTP 400, not an answer of the service"},
      {"{\"__type\":", "", "HTTP 400, not an answer of the service"},
      {R"({"message":"Forbidden"})", "", "HTTP 400, not an answer of the service"},
      {R"({"code":403,"reason":"Forbidden"})", "", "HTTP 400, not an answer of the service"},
  };
  for (const Case& c : cases) {
    net::HttpResponse response = JsonResponse(400, c.body);
    if (*c.header != '\0') response.headers.Add("x-amzn-ErrorType", c.header);
    Script({response});
    EXPECT_EQ(Call().message(), std::string("GetThing prod/db: ") + c.expected) << c.body;
  }
}

TEST_F(ServiceCallerTest, MessageHoldsTheRequestId) {
  Script({WithHeader(ErrorResponse("AccessDeniedException", "no"), "x-amzn-RequestId", "id-1")});
  EXPECT_EQ(Call().message(), "GetThing prod/db: AccessDeniedException: no (request id id-1)");
}

TEST_F(ServiceCallerTest, MessagesAreBoundedAndPrintable) {
  Script(
      {WithHeader(ErrorResponse("Code\\u0007" + std::string(500, 'c'), std::string(100'000, 'm')),
                  "x-amzn-RequestId", std::string(5000, 'r'))});
  const std::string message = Call().message();
  EXPECT_LT(message.size(), 600U);
  for (const char c : message) EXPECT_GE(static_cast<unsigned char>(c), 0x20);
}

TEST_F(ServiceCallerTest, RetriesWhatIsTransientAndCountsEachRequest) {
  Script(
      {JsonResponse(503, "<html>"), UnavailableError("connect: refused"), JsonResponse(200, "{}")});
  EXPECT_TRUE(Call().ok());
  EXPECT_EQ(transport_.requests().size(), 3U);
  const std::string exposed = metrics_.Expose();
  for (const char* code : {"http_503", "unavailable", "ok"}) {
    EXPECT_NE(exposed.find("code=\"" + std::string(code) + "\""), std::string::npos) << exposed;
  }
}

TEST_F(ServiceCallerTest, DoesNotRetryARefusal) {
  Script({ErrorResponse("AccessDeniedException", "no")});
  EXPECT_FALSE(Call().ok());
  EXPECT_EQ(transport_.requests().size(), 1U);
}

TEST_F(ServiceCallerTest, DoesNotRetryCancellationTlsOrOversize) {
  for (const Status& failure : {CancelledError("stopped"), UnauthenticatedError("certificate"),
                                ResourceExhaustedError("big"), DeadlineExceededError("late")}) {
    const size_t before = transport_.requests().size();
    Script({failure});
    EXPECT_EQ(Call(std::chrono::seconds(1)).code(), failure.code());
    EXPECT_EQ(transport_.requests().size(), before + 1) << failure.message();
  }
  EXPECT_EQ(credentials_->invalidations, 0) << "a bad certificate says nothing about credentials";
}

TEST_F(ServiceCallerTest, ASilentServerCostsOneAttemptAndNotTheDeadline) {
  Script({DeadlineExceededError("no answer"), JsonResponse(200, "{}")});
  EXPECT_TRUE(Call(std::chrono::seconds(60)).ok());
  EXPECT_EQ(transport_.requests().size(), 2U);
}

TEST_F(ServiceCallerTest, HonoursTheServersRetryAfter) {
  Script(
      {WithHeader(JsonResponse(503, ""), "x-amz-retry-after", " 3000 "), JsonResponse(200, "{}")});
  EXPECT_TRUE(Call().ok());
  EXPECT_EQ(clock_.sleeps().at(0).count(), 3000);
}

TEST_F(ServiceCallerTest, IgnoresMalformedRetryAfter) {
  for (const char* value : {"", "x", "-1", "1.5", "99999999999999999999"}) {
    Script(
        {WithHeader(JsonResponse(503, ""), "x-amz-retry-after", value), JsonResponse(200, "{}")});
    EXPECT_TRUE(Call().ok());
    EXPECT_LT(clock_.sleeps().back().count(), 51) << value;
  }
}

TEST_F(ServiceCallerTest, LearnsTheClockOffsetOnceAndKeepsIt) {
  Script({SkewAnswer("InvalidSignatureException", "Signature expired: 1 is now earlier than 2",
                     minutes(60)),
          JsonResponse(200, "{}")});
  EXPECT_TRUE(Call().ok());
  EXPECT_EQ(Header(0, "X-Amz-Date"), "20261123T100000Z");
  EXPECT_EQ(Header(1, "X-Amz-Date"), "20261123T110000Z");
  EXPECT_TRUE(clock_.sleeps().empty()) << "the correction is no back-off";
  EXPECT_TRUE(Call().ok());
  EXPECT_EQ(Header(2, "X-Amz-Date"), "20261123T110000Z");
  EXPECT_EQ(transport_.requests().size(), 3U);
}

TEST_F(ServiceCallerTest, LearnsFromEveryClockError) {
  for (const char* code : {"RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture",
                           "InvalidSignatureException", "SignatureDoesNotMatch"}) {
    ServiceCaller caller(runtime(), options(), "things", &ParseJsonError);
    Script({SkewAnswer(code, "Signature not yet current", -minutes(30)), JsonResponse(200, "{}")});
    ServiceCall call;
    call.operation = "GetThing";
    call.auth.provider = credentials_.get();
    EXPECT_TRUE(caller.Call(call, context()).ok()) << code;
    EXPECT_EQ(Header(transport_.requests().size() - 1, "X-Amz-Date"), "20261123T093000Z");
  }
}

TEST_F(ServiceCallerTest, SmallSkewIsNotTheReason) {
  Script({SkewAnswer("InvalidSignatureException", "mismatch", minutes(4))});
  EXPECT_EQ(Call().code(), StatusCode::kUnauthenticated);
  EXPECT_EQ(transport_.requests().size(), 1U);
}

TEST_F(ServiceCallerTest, AServerThatKeepsComplainingIsAskedTwice) {
  Script({SkewAnswer("RequestTimeTooSkewed", "still", minutes(60)),
          SkewAnswer("RequestTimeTooSkewed", "still", minutes(180))});
  EXPECT_EQ(Call().code(), StatusCode::kUnauthenticated);
  EXPECT_EQ(transport_.requests().size(), 2U);
}

TEST_F(ServiceCallerTest, AnAnswerWithoutUsableDateTeachesNothing) {
  for (const char* date : {"", "yesterday", "2026-11-23T12:00:00Z"}) {
    const size_t before = transport_.requests().size();
    Script({WithHeader(ErrorResponse("RequestTimeTooSkewed", "x"), "Date", date)});
    EXPECT_FALSE(Call().ok());
    EXPECT_EQ(transport_.requests().size(), before + 1);
  }
}

TEST_F(ServiceCallerTest, ForgetsTheOffsetWhenOurClockIsMended) {
  Script({SkewAnswer("RequestTimeTooSkewed", "x", minutes(60)), JsonResponse(200, "{}")});
  EXPECT_TRUE(Call().ok());
  clock_.JumpWall(minutes(60));
  Script({SkewAnswer("RequestTimeTooSkewed", "x", minutes(0)), JsonResponse(200, "{}")});
  EXPECT_TRUE(Call().ok());
  EXPECT_EQ(Header(3, "X-Amz-Date"), "20261123T110000Z");
}

TEST_F(ServiceCallerTest, RenewsCredentialsOnce) {
  for (const char* code : {"ExpiredTokenException", "UnrecognizedClientException", "ExpiredToken",
                           "InvalidClientTokenId"}) {
    credentials_ = std::make_shared<FakeCredentials>();
    const size_t before = transport_.requests().size();
    Script({ErrorResponse(code, "old"), JsonResponse(200, "{}")});
    EXPECT_TRUE(Call().ok()) << code;
    EXPECT_EQ(credentials_->invalidations, 1);
    EXPECT_NE(Header(before + 1, "Authorization").find("ASIAFAKE1/"), std::string::npos);
  }
}

TEST_F(ServiceCallerTest, StillRefusedCredentialsAreUnauthenticated) {
  Script({ErrorResponse("ExpiredTokenException", "old")});
  EXPECT_EQ(Call().code(), StatusCode::kUnauthenticated);
  EXPECT_EQ(credentials_->invalidations, 1);
  EXPECT_EQ(transport_.requests().size(), 2U);
}

TEST_F(ServiceCallerTest, MissingCredentialsAreNeverAVerdictAboutTheSecret) {
  struct Case {
    Status failure;
    StatusCode expected;
  };

  const std::vector<Case> cases = {
      {NotFoundError("not configured"), StatusCode::kUnauthenticated},
      {PermissionDeniedError("role refused"), StatusCode::kUnauthenticated},
      {FailedPreconditionError("x"), StatusCode::kUnauthenticated},
      {InvalidArgumentError("x"), StatusCode::kUnauthenticated},
      {UnavailableError("sts is down"), StatusCode::kUnavailable},
      {ResourceExhaustedError("throttled"), StatusCode::kResourceExhausted},
      {CancelledError("stop"), StatusCode::kCancelled}};
  for (const Case& c : cases) {
    credentials_->failure = c.failure;
    const Status status = Call();
    EXPECT_EQ(status.code(), c.expected) << c.failure.ToString();
    EXPECT_EQ(status.message(), "GetThing prod/db: credentials: " + c.failure.message());
  }
  EXPECT_TRUE(transport_.requests().empty());
}

TEST_F(ServiceCallerTest, FollowsTheAwaitOfferOfEverySuccessfulAnswer) {
  EXPECT_FALSE(caller_.offers_await());
  Script({WithHeader(JsonResponse(200, "{}"), "X-Keyturn-Await", "0")});
  EXPECT_TRUE(Call().ok());
  EXPECT_FALSE(caller_.offers_await());
  Script({WithHeader(ErrorResponse("AccessDeniedException", "no"), "X-Keyturn-Await", "1")});
  EXPECT_FALSE(Call().ok());
  EXPECT_FALSE(caller_.offers_await()) << "a refusal may be a proxy's";
  Script({WithHeader(JsonResponse(200, "{}"), "X-Keyturn-Await", "1")});
  EXPECT_TRUE(Call().ok());
  EXPECT_TRUE(caller_.offers_await());
  Script({ErrorResponse("AccessDeniedException", "no")});
  EXPECT_FALSE(Call().ok());
  EXPECT_TRUE(caller_.offers_await()) << "a refusal takes nothing back either";
  Script({JsonResponse(200, "{}")});
  EXPECT_TRUE(Call().ok());
  EXPECT_FALSE(caller_.offers_await()) << "the endpoint has moved to a server without it";
}

TEST_F(ServiceCallerTest, AnEchoOfCredentialsIsRedacted) {
  const std::string token = kTokenCanary;
  const std::string key = kSecretKeyCanary;
  const std::vector<std::string> echoes = {"token " + token + " is bad",
                                           "key " + key,
                                           token.substr(5, 20),
                                           "x" + key.substr(0, 16),
                                           UriEncode(token),
                                           std::string(200, 'x') + token,
                                           "first line\\nx-amz-security-token:" + token,
                                           std::string(290, 'x') + token};
  for (const std::string& echo : echoes) {
    for (const net::HttpResponse& response :
         {ErrorResponse("InvalidSignatureException", echo), ErrorResponse(echo, "x"),
          WithHeader(JsonResponse(400, ""), "x-amzn-ErrorType", echo),
          WithHeader(ErrorResponse("AccessDenied", "x"), "x-amzn-RequestId", echo),
          JsonResponse(502, "<html>" + echo)}) {
      Script({response});
      const Status status = Call();
      EXPECT_FALSE(status.ok());
      ExpectNoCanary(status);
    }
  }
}

TEST_F(ServiceCallerTest, SignatureErrorsKeepTheirFirstLineOnly) {
  Script({ErrorResponse("InvalidSignatureException",
                        "The signature does not match.\\n\\nThe Canonical String: POST\\n/")});
  EXPECT_EQ(Call().message(),
            "GetThing prod/db: InvalidSignatureException: The signature does not match.");
}

TEST_F(ServiceCallerTest, InventedCodesDoNotGrowTheMetrics) {
  for (int i = 0; i < 50; ++i) {
    Script({ErrorResponse("Invented" + std::to_string(i), "x")});
    EXPECT_FALSE(Call().ok());
  }
  const std::string exposed = metrics_.Expose();
  EXPECT_EQ(exposed.find("Invented"), std::string::npos);
  EXPECT_NE(exposed.find("http_400"), std::string::npos);
  EXPECT_NE(exposed.find("keyturn_aws_request_seconds"), std::string::npos);
}

TEST_F(ServiceCallerTest, SubjectsFromOutsideCannotForgeLines) {
  ServiceCall call;
  call.operation = "GetThing";
  call.subject = "a\nb" + std::string(5000, 'x');
  Script({ErrorResponse("AccessDenied", "x")});
  const Status status = caller_.Call(call, context()).status();
  EXPECT_EQ(status.message().find('\n'), std::string::npos);
  EXPECT_LT(status.message().size(), 400U);
  EXPECT_EQ(Header(0, "Authorization"), "") << "no credentials, no signature";
}

}  // namespace
}  // namespace keyturn::aws
