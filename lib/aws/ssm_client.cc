// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>
#include <utility>

#include "lib/aws/clients.h"
#include "lib/aws/json_protocol.h"
#include "lib/aws/service_caller.h"
#include "lib/aws/ssm_codec.h"
#include "lib/base/strings.h"

namespace keyturn::aws {
namespace {

using Answers = std::map<std::string, Result<ParameterValue>>;

ParameterValue CloneValue(const ParameterValue& p) {
  return {p.arn, p.name, p.type, p.value.Clone(), p.version};
}

Result<ParameterValue> AnswerFor(const std::string& name, const GetParametersAnswer& answer) {
  const bool invalid =
      std::find(answer.invalid.begin(), answer.invalid.end(), name) != answer.invalid.end();
  const GetParametersAnswer::Entry* entry = invalid ? nullptr : FindParameter(answer, name);
  if (entry != nullptr) return CloneValue(entry->parameter);
  return NotFoundError(
      StrCat("GetParameters ", QuoteForMessage(name, 256), ": ",
             invalid ? "no such parameter or version" : "the answer leaves it out"));
}

class SsmClient final : public Ssm {
 public:
  SsmClient(const ClientRuntime& runtime, ClientOptions options,
            std::shared_ptr<CredentialsProvider> credentials)
      : credentials_(std::move(credentials)),
        caller_(runtime, std::move(options), "ssm", &ParseJsonError) {}

  Result<Answers> GetParameters(const std::vector<std::string>& names,
                                const CallContext& context) override {
    const std::set<std::string> unique(names.begin(), names.end());
    if (unique.size() > kMaxParametersPerCall) {
      return InvalidArgumentError(StrCat("GetParameters: ", unique.size(),
                                         " names, the service takes ", kMaxParametersPerCall));
    }
    if (unique.empty()) return Answers();
    ServiceCall call;
    call.operation = "GetParameters";
    call.subject = unique.size() == 1 ? *unique.begin() : StrCat(unique.size(), " parameters");
    call.headers = JsonHeaders("AmazonSSM.GetParameters");
    call.body = EncodeGetParameters({unique.begin(), unique.end()});
    call.auth.provider = credentials_.get();
    KEYTURN_ASSIGN_OR_RETURN(ServiceAnswer answer, caller_.Call(call, context));
    const ScopedCleanse cleanse(answer.body);
    const Result<GetParametersAnswer> decoded = DecodeGetParameters(answer.body);
    if (!decoded.ok()) return MalformedAnswer(call, decoded.status());
    Answers answers;
    for (const std::string& name : unique) answers.emplace(name, AnswerFor(name, *decoded));
    return answers;
  }

 private:
  const std::shared_ptr<CredentialsProvider> credentials_;
  ServiceCaller caller_;
};

}  // namespace

std::unique_ptr<Ssm> CreateSsmClient(const ClientRuntime& runtime, ClientOptions options,
                                     std::shared_ptr<CredentialsProvider> credentials) {
  return std::make_unique<SsmClient>(runtime, std::move(options), std::move(credentials));
}

}  // namespace keyturn::aws
