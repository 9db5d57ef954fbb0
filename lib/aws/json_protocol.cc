// SPDX-License-Identifier: Apache-2.0
#include "lib/aws/json_protocol.h"

#include "lib/base/strings.h"
#include "lib/json/checked_parse.h"
#include "lib/json/json.h"

namespace keyturn::aws {
namespace {

using json::Json;

// Errors are small; whatever is larger is no answer of the service.
constexpr json::ParseLimits kErrorLimits{.max_bytes = 64 * 1024, .max_depth = 16};

// The first of `names` that is a string.
std::string FirstString(const Json& body, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const auto member = body.find(name);
    if (member != body.end() && member->is_string()) return member->get<std::string>();
  }
  return {};
}

}  // namespace

AwsError ParseJsonError(const net::HttpResponse& response) {
  AwsError error;
  error.http_status = response.status;
  error.request_id = RequestIdOf(response);
  const Result<Json> body = json::CheckedParse(response.body, kErrorLimits);
  if (body.ok() && body->is_object()) {
    error.code = NormalizeErrorCode(FirstString(*body, {"__type", "code"}));
    error.message = FirstString(*body, {"message", "Message"});
  }
  if (error.code.empty()) {
    error.code = NormalizeErrorCode(response.headers.Get("x-amzn-ErrorType").value_or(""));
  }
  return error;
}

std::vector<std::pair<std::string, std::string>> JsonHeaders(std::string target) {
  return {{"Content-Type", "application/x-amz-json-1.1"}, {"X-Amz-Target", std::move(target)}};
}

Status MalformedAnswer(const ServiceCall& call, const Status& why) {
  return InternalError(StrCat(call.operation, " ", QuoteForMessage(call.subject, 256),
                              ": malformed answer: ", why.message()));
}

}  // namespace keyturn::aws
