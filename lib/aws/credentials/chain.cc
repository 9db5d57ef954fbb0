// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "lib/aws/credentials/providers.h"
#include "lib/base/strings.h"

namespace keyturn::aws {
namespace {

class ChainProvider final : public CredentialsProvider {
 public:
  explicit ChainProvider(std::vector<std::shared_ptr<CredentialsProvider>> sources)
      : sources_(std::move(sources)) {}

  Result<std::shared_ptr<const Credentials>> GetCredentials(const CallContext& context) override {
    std::vector<std::string> reasons;
    for (const auto& source : sources_) {
      auto credentials = source->GetCredentials(context);
      // A configured source that fails ends the search: going on could act as somebody else.
      if (credentials.ok() || credentials.status().code() != StatusCode::kNotFound) {
        return credentials;
      }
      reasons.push_back(credentials.status().message());
    }
    return NotFoundError("no AWS credentials are configured; looked at: " + Join(reasons, "; "));
  }

  void Invalidate() override {
    for (const auto& source : sources_) source->Invalidate();
  }

  std::string Describe() const override {
    std::vector<std::string> names;
    for (const auto& source : sources_) names.push_back(source->Describe());
    return "first of " + Join(names, ", ");
  }

 private:
  const std::vector<std::shared_ptr<CredentialsProvider>> sources_;
};

// AWS_ROLE_ARN alone configures nothing, as in the SDKs: other tools use that variable too.
WebIdentityOptions WebIdentityFromEnvironment(const config::Environment& environment) {
  const auto token_file = environment.Get("AWS_WEB_IDENTITY_TOKEN_FILE");
  if (!token_file) return {};
  return {.role_arn = environment.GetOr("AWS_ROLE_ARN", ""),
          .token_file = *token_file,
          .session_name = environment.GetOr("AWS_ROLE_SESSION_NAME", ""),
          .duration = std::nullopt};
}

}  // namespace

std::unique_ptr<CredentialsProvider> CreateChainProvider(
    std::vector<std::shared_ptr<CredentialsProvider>> sources) {
  return std::make_unique<ChainProvider>(std::move(sources));
}

std::unique_ptr<CredentialsProvider> CreateDefaultChain(const ProviderRuntime& runtime,
                                                        std::shared_ptr<Sts> sts) {
  std::vector<std::shared_ptr<CredentialsProvider>> sources;
  sources.push_back(CreateEnvironmentProvider(runtime));
  sources.push_back(CreateWebIdentityProvider(runtime, std::move(sts),
                                              WebIdentityFromEnvironment(*runtime.environment)));
  sources.push_back(CreateProfileProvider(runtime, ""));
  sources.push_back(CreateContainerProvider(runtime, {}));
  return CreateChainProvider(std::move(sources));
}

}  // namespace keyturn::aws
