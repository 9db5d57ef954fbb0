// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>
#include <utility>

#include "lib/aws/clients.h"
#include "lib/aws/json_protocol.h"
#include "lib/aws/secrets_manager_codec.h"
#include "lib/aws/service_caller.h"
#include "lib/base/strings.h"

namespace keyturn::aws {
namespace {

constexpr std::string_view kService = "secretsmanager";
// Source: service model, BatchGetSecretValue: SecretIdList 1..20.
constexpr size_t kMaxBatch = 20;
// A page brings at least one entry if the service is sane; this many pages end any loop.
constexpr int kMaxPages = 40;
// "-" and six characters end the ARN of a secret. Source: Secrets Manager user guide, "ARN format".
constexpr size_t kArnSuffix = 7;
// How much longer than the server waits we wait for it.
constexpr std::chrono::seconds kAwaitMargin{10};

std::string_view NameOfArn(std::string_view arn) {
  // arn:aws:secretsmanager:region:account:secret:NAME-SUFFIX
  constexpr size_t kColons = 6;
  for (size_t i = 0; i < kColons; ++i) {
    const size_t colon = arn.find(':');
    if (colon == std::string_view::npos) return {};
    arn.remove_prefix(colon + 1);
  }
  return arn;
}

bool IsWithoutSuffix(std::string_view shorter, std::string_view full) {
  return full.size() == shorter.size() + kArnSuffix && full.starts_with(shorter) &&
         full[shorter.size()] == '-';
}

// Whether `id` (a name, an ARN or an ARN without suffix) means the secret.
bool Means(std::string_view id, std::string_view arn, std::string_view name) {
  if (id == name || id == arn) return true;
  return id.starts_with("arn:") && IsWithoutSuffix(id, arn);
}

// Whether `id` is what the service calls `named` in an error: the same text, or name and ARN.
bool SameSecret(std::string_view id, std::string_view named) {
  if (id == named || IsWithoutSuffix(id, named)) return true;
  const std::string_view name = NameOfArn(named);
  return !name.empty() && (id == name || IsWithoutSuffix(id, name));
}

SecretValue CloneValue(const SecretValue& value) {
  return {value.arn,           value.name,      value.version_id, value.stages,
          value.value.Clone(), value.is_binary, value.created};
}

// The answers of a batch while its pages come in.
class BatchCollector {
 public:
  explicit BatchCollector(const std::vector<std::string>& ids) : open_(ids.begin(), ids.end()) {}

  std::vector<std::string> ids() const { return {open_.begin(), open_.end()}; }

  bool complete() const { return open_.empty(); }

  void Add(const BatchPage::Entry& entry, const Redactor& redactor) {
    for (const std::string& id : ids()) {
      const bool is_error = !entry.error_code.empty();
      const bool meant =
          is_error ? SameSecret(id, entry.id) : Means(id, entry.value.arn, entry.value.name);
      if (meant) Close(id, is_error ? ErrorOf(id, entry, redactor) : ValueOf(id, entry));
    }
  }

  BatchAnswer Finish(const Status& why_not) && {
    for (const std::string& id : ids()) Close(id, AnnotateStatus(why_not, What(id)));
    return std::move(answer_);
  }

 private:
  static std::string What(const std::string& id) {
    return StrCat("BatchGetSecretValue ", QuoteForMessage(id, 256));
  }

  static Result<SecretValue> ErrorOf(const std::string& id, const BatchPage::Entry& entry,
                                     const Redactor& redactor) {
    AwsError error;
    error.http_status = 400;  // what GetSecretValue would answer
    error.code = NormalizeErrorCode(entry.error_code);
    error.message = entry.error_message;
    return ToStatus(error, What(id), redactor);
  }

  static Result<SecretValue> ValueOf(const std::string& id, const BatchPage::Entry& entry) {
    if (entry.malformed.ok()) return CloneValue(entry.value);
    return InternalError(StrCat(What(id), ": malformed answer: ", entry.malformed.message()));
  }

  void Close(const std::string& id, Result<SecretValue> outcome) {
    answer_.by_id.emplace(id, std::move(outcome));
    open_.erase(id);
  }

  std::set<std::string> open_;
  BatchAnswer answer_;
};

class SecretsManagerClient final : public SecretsManager {
 public:
  SecretsManagerClient(const ClientRuntime& runtime, ClientOptions options,
                       std::shared_ptr<CredentialsProvider> credentials)
      : credentials_(std::move(credentials)),
        caller_(runtime, std::move(options), std::string(kService), &ParseJsonError) {}

  Result<SecretValue> GetSecretValue(const GetSecretValueRequest& request,
                                     const CallContext& context) override {
    const ServiceCall call =
        MakeCall("GetSecretValue", request.secret_id, EncodeGetSecretValue(request));
    KEYTURN_ASSIGN_OR_RETURN(ServiceAnswer answer, caller_.Call(call, context));
    const ScopedCleanse cleanse(answer.body);
    Result<SecretValue> value = DecodeSecretValue(answer.body);
    if (!value.ok()) return MalformedAnswer(call, value.status());
    if (!request.version_id.empty() && value->version_id != request.version_id) {
      return MalformedAnswer(call, InternalError("another version than the one asked for"));
    }
    return value;
  }

  Result<BatchAnswer> BatchGetSecretValue(const std::vector<std::string>& secret_ids,
                                          const CallContext& context) override {
    if (secret_ids.size() > kMaxBatch) {
      return InvalidArgumentError(StrCat("BatchGetSecretValue: ", secret_ids.size(),
                                         " secrets, the service takes ", kMaxBatch));
    }
    BatchCollector collector(secret_ids);
    const std::vector<std::string> all = collector.ids();
    std::string token;
    for (int page_number = 0; !collector.complete(); ++page_number) {
      if (page_number == kMaxPages) {
        return std::move(collector).Finish(UnavailableError("the service keeps sending pages"));
      }
      Result<BatchPage> page = FetchPage(all, token, context, collector);
      // What earlier pages brought is worth keeping.
      if (!page.ok() && page_number == 0) return page.status();
      if (!page.ok()) return std::move(collector).Finish(page.status());
      token = page->next_token;
      if (token.empty()) break;
    }
    return std::move(collector).Finish(NotFoundError("the answer leaves it out"));
  }

  Result<SecretDescription> DescribeSecret(const std::string& secret_id,
                                           const CallContext& context) override {
    const ServiceCall call = MakeCall("DescribeSecret", secret_id, EncodeDescribeSecret(secret_id));
    KEYTURN_ASSIGN_OR_RETURN(const ServiceAnswer answer, caller_.Call(call, context));
    Result<SecretDescription> description = DecodeSecretDescription(answer.body);
    if (!description.ok()) return MalformedAnswer(call, description.status());
    return description;
  }

  Result<AwaitAnswer> AwaitSecretChange(const AwaitRequest& request,
                                        const CallContext& context) override {
    ServiceCall call = MakeCall("AwaitSecretChange", "", EncodeAwaitRequest(request));
    call.headers = JsonHeaders(std::string(kAwaitTarget));
    call.attempt_timeout = request.wait + kAwaitMargin;
    const Result<ServiceAnswer> answer = caller_.Call(call, context);
    if (!answer.ok()) {
      // The endpoint moved to a server that does not know the operation: ask no more.
      if (answer.status().code() == StatusCode::kUnimplemented) caller_.ForgetAwaitOffer();
      return answer.status();
    }
    Result<AwaitAnswer> decoded = DecodeAwaitAnswer(answer->body);
    if (!decoded.ok()) return MalformedAnswer(call, decoded.status());
    for (AwaitEntryState& entry : decoded->entries) {
      entry.error_code = answer->redactor.Clean(entry.error_code);
      entry.error_message = answer->redactor.Clean(entry.error_message);
    }
    return decoded;
  }

  bool OffersAwait() const override { return caller_.offers_await(); }

 private:
  ServiceCall MakeCall(const std::string& operation, std::string subject, std::string body) {
    ServiceCall call;
    call.operation = operation;
    call.subject = std::move(subject);
    call.headers = JsonHeaders(StrCat(kService, ".", operation));
    call.body = std::move(body);
    call.auth.provider = credentials_.get();
    return call;
  }

  Result<BatchPage> FetchPage(const std::vector<std::string>& ids, const std::string& token,
                              const CallContext& context, BatchCollector& collector) {
    const ServiceCall call = MakeCall("BatchGetSecretValue", StrCat(ids.size(), " secrets"),
                                      EncodeBatchGetSecretValue(ids, token));
    KEYTURN_ASSIGN_OR_RETURN(ServiceAnswer answer, caller_.Call(call, context));
    const ScopedCleanse cleanse(answer.body);
    Result<BatchPage> page = DecodeBatchPage(answer.body);
    if (!page.ok()) return MalformedAnswer(call, page.status());
    for (const BatchPage::Entry& entry : page->entries) collector.Add(entry, answer.redactor);
    return page;
  }

  const std::shared_ptr<CredentialsProvider> credentials_;
  ServiceCaller caller_;
};

}  // namespace

std::unique_ptr<SecretsManager> CreateSecretsManagerClient(
    const ClientRuntime& runtime, ClientOptions options,
    std::shared_ptr<CredentialsProvider> credentials) {
  return std::make_unique<SecretsManagerClient>(runtime, std::move(options),
                                                std::move(credentials));
}

}  // namespace keyturn::aws
