// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "lib/aws/canonical_request.h"
#include "lib/aws/clients.h"
#include "lib/aws/clock_offset.h"
#include "lib/aws/query_xml.h"
#include "lib/aws/service_caller.h"
#include "lib/base/strings.h"
#include "lib/base/time_format.h"

namespace keyturn::aws {
namespace {

// Source: botocore 1.43.11, data/sts/2011-06-15/service-2.json.
constexpr std::string_view kVersion = "2011-06-15";

// <ErrorResponse><Error><Code>…</Code><Message>…</Message></Error><RequestId>…
AwsError ParseQueryError(const net::HttpResponse& response) {
  AwsError error;
  error.http_status = response.status;
  error.request_id = RequestIdOf(response);
  const Result<QueryXml> xml = QueryXml::Parse(response.body);
  if (!xml.ok() || xml->root() != "ErrorResponse") return error;
  error.code = NormalizeErrorCode(xml->Text("Error/Code"));
  error.message = xml->Text("Error/Message");
  if (error.request_id.empty()) error.request_id = QuoteForMessage(xml->Text("RequestId"), 64);
  return error;
}

// A form in the order of the calls.
class QueryForm {
 public:
  explicit QueryForm(std::string_view action) {
    Add("Action", action);
    Add("Version", kVersion);
  }

  void Add(std::string_view name, std::string_view value) {
    if (!body_.empty()) body_ += '&';
    std::string encoded = UriEncode(value);
    const ScopedCleanse cleanse(encoded);
    body_ += name;
    body_ += '=';
    body_ += encoded;
  }

  void AddDuration(const std::optional<std::chrono::seconds>& duration) {
    if (duration) Add("DurationSeconds", std::to_string(duration->count()));
  }

  std::string Finish() && { return std::move(body_); }

 private:
  std::string body_;
};

// The account of "arn:aws:sts::123456789012:assumed-role/app/session".
std::string AccountOfArn(std::string_view arn) {
  constexpr size_t kAccountField = 4;
  const auto fields = Split(arn, ':');
  return fields.size() > kAccountField ? std::string(fields[kAccountField]) : std::string();
}

using SharedCredentials = std::shared_ptr<const Credentials>;

Result<SharedCredentials> DecodeCredentials(const ServiceAnswer& answer,
                                            std::string_view operation) {
  KEYTURN_ASSIGN_OR_RETURN(const QueryXml xml, QueryXml::Parse(answer.body));
  const std::string result = StrCat(operation, "Result/");
  const SecretBytes* secret = xml.Find(result + "Credentials/SecretAccessKey");
  const SecretBytes* token = xml.Find(result + "Credentials/SessionToken");
  auto credentials = std::make_shared<Credentials>();
  credentials->access_key_id = xml.Text(result + "Credentials/AccessKeyId");
  credentials->expiration = ParseRfc3339(xml.Text(result + "Credentials/Expiration"));
  if (secret == nullptr || token == nullptr || credentials->access_key_id.empty() ||
      !credentials->expiration) {
    return InvalidArgumentError("credentials are missing or incomplete");
  }
  credentials->expiration = OnLocalClock(*credentials->expiration, answer.clock_lead);
  credentials->secret_access_key = secret->Clone();
  credentials->session_token = token->Clone();
  credentials->account_id = AccountOfArn(xml.Text(result + "AssumedRoleUser/Arn"));
  return SharedCredentials(std::move(credentials));
}

class StsClient final : public Sts {
 public:
  StsClient(const ClientRuntime& runtime, ClientOptions options)
      : caller_(runtime, std::move(options), "sts", &ParseQueryError) {}

  Result<SharedCredentials> AssumeRoleWithWebIdentity(
      const AssumeRoleWithWebIdentityRequest& request, const CallContext& context) override {
    QueryForm form("AssumeRoleWithWebIdentity");
    form.Add("RoleArn", request.role_arn);
    form.Add("RoleSessionName", request.session_name);
    form.Add("WebIdentityToken", request.token.Reveal(InsecureSecretAccess::Get()));
    form.AddDuration(request.duration);
    ServiceCall call = MakeCall("AssumeRoleWithWebIdentity", request.role_arn, std::move(form));
    call.secret = &request.token;
    return Run(std::move(call), context);
  }

  Result<SharedCredentials> AssumeRole(const AssumeRoleRequest& request, const Credentials& source,
                                       const CallContext& context) override {
    QueryForm form("AssumeRole");
    form.Add("RoleArn", request.role_arn);
    form.Add("RoleSessionName", request.session_name);
    form.AddDuration(request.duration);
    if (!request.external_id.empty()) form.Add("ExternalId", request.external_id);
    ServiceCall call = MakeCall("AssumeRole", request.role_arn, std::move(form));
    // Without ownership: `source` outlives the call.
    call.auth.fixed = SharedCredentials(SharedCredentials(), &source);
    return Run(std::move(call), context);
  }

 private:
  static ServiceCall MakeCall(std::string operation, std::string role, QueryForm form) {
    ServiceCall call;
    call.operation = std::move(operation);
    call.subject = std::move(role);
    call.headers = {{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}};
    call.body = std::move(form).Finish();
    return call;
  }

  Result<SharedCredentials> Run(ServiceCall call, const CallContext& context) {
    const ScopedCleanse cleanse_request(call.body);
    KEYTURN_ASSIGN_OR_RETURN(ServiceAnswer answer, caller_.Call(call, context));
    const ScopedCleanse cleanse_answer(answer.body);
    Result<SharedCredentials> credentials = DecodeCredentials(answer, call.operation);
    if (credentials.ok()) return credentials;
    return InternalError(StrCat(call.operation, " ", QuoteForMessage(call.subject, 256),
                                ": malformed answer: ", credentials.status().message()));
  }

  ServiceCaller caller_;
};

}  // namespace

std::unique_ptr<Sts> CreateStsClient(const ClientRuntime& runtime, ClientOptions options) {
  return std::make_unique<StsClient>(runtime, std::move(options));
}

}  // namespace keyturn::aws
