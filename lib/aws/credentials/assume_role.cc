// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "lib/aws/credentials/provider_util.h"
#include "lib/aws/credentials/providers.h"
#include "lib/base/strings.h"

namespace keyturn::aws {
namespace {

// STS refuses longer sessions when a role assumes a role.
// Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
constexpr std::chrono::seconds kMaxChainedDuration{3600};

class AssumeRoleProvider final : public CredentialsProvider {
 public:
  AssumeRoleProvider(const ProviderRuntime& runtime, std::shared_ptr<Sts> sts,
                     std::shared_ptr<CredentialsProvider> source, AssumeRoleOptions options)
      : sts_(std::move(sts)), source_(std::move(source)), options_(std::move(options)) {
    if (options_.session_name.empty()) {
      options_.session_name = DefaultSessionName(*runtime.environment);
    }
  }

  Result<std::shared_ptr<const Credentials>> GetCredentials(const CallContext& context) override {
    if (options_.role_arn.empty()) {
      return FailedPreconditionError("assuming a role: no role is set");
    }
    KEYTURN_ASSIGN_OR_RETURN(auto source, GetSource(context));
    auto credentials = Exchange(*source, context);
    if (credentials.status().code() == StatusCode::kUnauthenticated) {
      // The source's credentials were refused: they may be revoked before they expire.
      source_->Invalidate();
      KEYTURN_ASSIGN_OR_RETURN(source, GetSource(context));
      credentials = Exchange(*source, context);
    }
    if (credentials.ok()) return credentials;
    return ConfiguredSourceError(credentials.status(), Describe());
  }

  std::string Describe() const override {
    return StrCat("role ", QuoteForMessage(options_.role_arn, 256), " through ",
                  source_->Describe());
  }

 private:
  Result<std::shared_ptr<const Credentials>> GetSource(const CallContext& context) {
    auto source = source_->GetCredentials(context);
    if (source.ok()) return source;
    return ConfiguredSourceError(source.status(), Describe());
  }

  Result<std::shared_ptr<const Credentials>> Exchange(const Credentials& source,
                                                      const CallContext& context) {
    AssumeRoleRequest request{.role_arn = options_.role_arn,
                              .session_name = options_.session_name,
                              .external_id = options_.external_id,
                              .duration = options_.duration};
    if (request.duration && !source.session_token.empty()) {
      request.duration = std::min(*request.duration, kMaxChainedDuration);
    }
    return sts_->AssumeRole(request, source, context);
  }

  const std::shared_ptr<Sts> sts_;
  const std::shared_ptr<CredentialsProvider> source_;
  AssumeRoleOptions options_;
};

}  // namespace

std::unique_ptr<CredentialsProvider> CreateAssumeRoleProvider(
    const ProviderRuntime& runtime, std::shared_ptr<Sts> sts,
    std::shared_ptr<CredentialsProvider> source, AssumeRoleOptions options) {
  return std::make_unique<AssumeRoleProvider>(runtime, std::move(sts), std::move(source),
                                              std::move(options));
}

}  // namespace keyturn::aws
