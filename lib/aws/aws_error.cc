// SPDX-License-Identifier: Apache-2.0
#include "lib/aws/aws_error.h"

#include <algorithm>
#include <array>
#include <optional>

#include "lib/aws/canonical_request.h"
#include "lib/aws/retry.h"
#include "lib/base/strings.h"

namespace keyturn::aws {
namespace {

constexpr size_t kMaxCode = 64;
constexpr size_t kMaxRequestId = 64;
constexpr size_t kMaxMessage = 300;
// What of a server's text is looked at: more than is shown, so that a secret across the cut is
// seen.
constexpr size_t kMaxInspected = 2048;
// A run this long of a token is no coincidence, and what is shorter is of no use to a thief.
constexpr size_t kSecretWindow = 16;

struct CodeRow {
  std::string_view code;
  StatusCode status;
};

// Source: the services' models and the common errors of the query and JSON protocols. Throttling
// codes are retry.cc's.
constexpr CodeRow kCodes[] = {
    {"ResourceNotFoundException", StatusCode::kNotFound},
    {"ParameterNotFound", StatusCode::kNotFound},
    {"ParameterVersionNotFound", StatusCode::kNotFound},
    {"AccessDeniedException", StatusCode::kPermissionDenied},
    {"AccessDenied", StatusCode::kPermissionDenied},
    {"InvalidRequestException", StatusCode::kFailedPrecondition},
    {"DecryptionFailure", StatusCode::kFailedPrecondition},
    {"EncryptionFailure", StatusCode::kFailedPrecondition},
    {"InvalidKeyId", StatusCode::kFailedPrecondition},
    {"PreconditionNotMetException", StatusCode::kFailedPrecondition},
    {"RegionDisabledException", StatusCode::kFailedPrecondition},
    {"OptInRequired", StatusCode::kFailedPrecondition},
    {"ResourceExistsException", StatusCode::kAlreadyExists},
    {"InvalidParameterException", StatusCode::kInvalidArgument},
    {"ValidationException", StatusCode::kInvalidArgument},
    {"ValidationError", StatusCode::kInvalidArgument},
    {"InvalidNextTokenException", StatusCode::kInvalidArgument},
    {"MalformedPolicyDocument", StatusCode::kInvalidArgument},
    {"MalformedPolicyDocumentException", StatusCode::kInvalidArgument},
    {"PackedPolicyTooLarge", StatusCode::kInvalidArgument},
    {"InvalidParameterValue", StatusCode::kInvalidArgument},
    {"InvalidParameterCombination", StatusCode::kInvalidArgument},
    {"MissingParameter", StatusCode::kInvalidArgument},
    {"SerializationException", StatusCode::kInvalidArgument},
    {"ExpiredTokenException", StatusCode::kUnauthenticated},
    {"ExpiredToken", StatusCode::kUnauthenticated},
    {"UnrecognizedClientException", StatusCode::kUnauthenticated},
    {"InvalidClientTokenId", StatusCode::kUnauthenticated},
    {"InvalidAccessKeyId", StatusCode::kUnauthenticated},
    {"InvalidSignatureException", StatusCode::kUnauthenticated},
    {"SignatureDoesNotMatch", StatusCode::kUnauthenticated},
    {"IncompleteSignature", StatusCode::kUnauthenticated},
    {"IncompleteSignatureException", StatusCode::kUnauthenticated},
    {"MissingAuthenticationToken", StatusCode::kUnauthenticated},
    {"MissingAuthenticationTokenException", StatusCode::kUnauthenticated},
    {"RequestTimeTooSkewed", StatusCode::kUnauthenticated},
    {"RequestExpired", StatusCode::kUnauthenticated},
    {"RequestInTheFuture", StatusCode::kUnauthenticated},
    {"AuthFailure", StatusCode::kUnauthenticated},
    {"InvalidIdentityToken", StatusCode::kUnauthenticated},
    {"IDPRejectedClaim", StatusCode::kUnauthenticated},
    {"IDPCommunicationError", StatusCode::kUnavailable},
    {"InternalServiceError", StatusCode::kUnavailable},
    {"InternalServerError", StatusCode::kUnavailable},
    {"InternalFailure", StatusCode::kUnavailable},
    {"ServiceUnavailable", StatusCode::kUnavailable},
    {"ServiceUnavailableException", StatusCode::kUnavailable},
    {"RequestTimeout", StatusCode::kUnavailable},
    {"RequestTimeoutException", StatusCode::kUnavailable},
    {"UnknownOperationException", StatusCode::kUnimplemented},
    {"InvalidAction", StatusCode::kUnimplemented},
};

template <size_t N>
bool Holds(const std::array<std::string_view, N>& list, std::string_view value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

std::optional<StatusCode> FindCode(std::string_view code) {
  const auto* const row = std::find_if(std::begin(kCodes), std::end(kCodes),
                                       [code](const CodeRow& r) { return r.code == code; });
  return row == std::end(kCodes) ? std::nullopt : std::optional(row->status);
}

bool IsThrottling(const AwsError& error) {
  return ClassifyFailure(error.http_status, error.code) == FailureClass::kThrottling;
}

std::string_view FirstLine(std::string_view text) {
  return text.substr(0, text.find_first_of("\r\n"));
}

}  // namespace

std::string NormalizeErrorCode(std::string_view code) {
  code = code.substr(0, code.find(':'));
  const size_t hash = code.rfind('#');
  if (hash != std::string_view::npos) code.remove_prefix(hash + 1);
  return QuoteForMessage(TrimWhitespace(code), kMaxCode);
}

std::string RequestIdOf(const net::HttpResponse& response) {
  return QuoteForMessage(response.headers.Get("x-amzn-RequestId").value_or(""), kMaxRequestId);
}

StatusCode StatusCodeOf(const AwsError& error) {
  if (IsThrottling(error)) return StatusCode::kResourceExhausted;
  if (error.http_status >= 500 || error.code.empty()) return StatusCode::kUnavailable;
  return FindCode(error.code).value_or(StatusCode::kUnknown);
}

std::string MetricCodeOf(const AwsError& error) {
  const bool known =
      FindCode(error.code) || ClassifyFailure(400, error.code) == FailureClass::kThrottling;
  return known ? error.code : StrCat("http_", error.http_status);
}

bool IsCredentialsError(const AwsError& error) {
  static constexpr std::array<std::string_view, 4> kCredentialCodes = {
      "ExpiredTokenException", "ExpiredToken", "UnrecognizedClientException",
      "InvalidClientTokenId"};
  return Holds(kCredentialCodes, error.code);
}

bool MayBeClockSkew(const AwsError& error) {
  static constexpr std::array<std::string_view, 6> kSkewCodes = {
      "RequestTimeTooSkewed",      "RequestExpired",        "RequestInTheFuture",
      "InvalidSignatureException", "SignatureDoesNotMatch", "AuthFailure"};
  return Holds(kSkewCodes, error.code);
}

void Redactor::Add(std::shared_ptr<const Credentials> credentials) {
  if (credentials == nullptr) return;
  Add(credentials->secret_access_key);
  Add(credentials->session_token);
  credentials_.push_back(std::move(credentials));
}

bool Redactor::Holds(std::string_view text, const SecretBytes& secret) const {
  const std::string_view bytes = secret.Reveal(InsecureSecretAccess::Get());
  const size_t window = std::min(kSecretWindow, bytes.size());
  if (window == 0 || text.size() < window) return false;
  for (size_t i = 0; i + window <= text.size(); ++i) {
    if (bytes.find(text.substr(i, window)) != std::string_view::npos) return true;
  }
  return false;
}

std::string Redactor::Clean(std::string_view server_text) const {
  const std::string_view text = FirstLine(server_text.substr(0, kMaxInspected));
  const std::string decoded = UriDecode(text);
  const bool repeats_secret = std::any_of(
      secrets_.begin(), secrets_.end(),
      [&](const SecretBytes* secret) { return Holds(text, *secret) || Holds(decoded, *secret); });
  return repeats_secret ? "[redacted]" : QuoteForMessage(text, kMaxMessage);
}

Status ToStatus(const AwsError& error, std::string_view what, const Redactor& redactor) {
  std::string text = StrCat(what, ": ");
  if (error.code.empty()) {
    text += StrCat("HTTP ", error.http_status, ", not an answer of the service");
  } else {
    text += redactor.Clean(error.code);
    if (!error.message.empty()) text += StrCat(": ", redactor.Clean(error.message));
  }
  if (!error.request_id.empty()) {
    text += StrCat(" (request id ", redactor.Clean(error.request_id), ")");
  }
  return {StatusCodeOf(error), std::move(text)};
}

}  // namespace keyturn::aws
