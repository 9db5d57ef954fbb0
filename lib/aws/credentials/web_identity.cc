// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "lib/aws/credentials/provider_util.h"
#include "lib/aws/credentials/providers.h"
#include "lib/base/strings.h"

namespace keyturn::aws {
namespace {

class WebIdentityProvider final : public CredentialsProvider {
 public:
  WebIdentityProvider(const ProviderRuntime& runtime, std::shared_ptr<Sts> sts,
                      WebIdentityOptions options)
      : file_system_(*runtime.file_system), sts_(std::move(sts)), options_(std::move(options)) {
    if (options_.session_name.empty()) {
      options_.session_name = DefaultSessionName(*runtime.environment);
    }
  }

  Result<std::shared_ptr<const Credentials>> GetCredentials(const CallContext& context) override {
    KEYTURN_RETURN_IF_ERROR(CheckOptions());
    KEYTURN_ASSIGN_OR_RETURN(const SecretBytes token, ReadToken());
    auto credentials = Exchange(token, context);
    if (credentials.ok()) return credentials;
    if (credentials.status().code() == StatusCode::kUnauthenticated) {
      // The kubelet may have replaced the token between our read and the check at the service.
      KEYTURN_ASSIGN_OR_RETURN(const SecretBytes newer, ReadToken());
      if (newer != token) credentials = Exchange(newer, context);
    }
    if (credentials.ok()) return credentials;
    return ConfiguredSourceError(credentials.status(), Describe());
  }

  std::string Describe() const override {
    if (options_.role_arn.empty()) return "web identity";
    return "web identity " + QuoteForMessage(options_.role_arn, 256);
  }

 private:
  Status CheckOptions() const {
    if (options_.role_arn.empty() && options_.token_file.empty()) {
      return NotFoundError(
          "web identity (AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE are not set)");
    }
    if (options_.role_arn.empty()) {
      return FailedPreconditionError(StrCat("web identity: the token file ",
                                            QuoteForMessage(options_.token_file, 512),
                                            " is set, but no role is (AWS_ROLE_ARN)"));
    }
    if (options_.token_file.empty()) {
      return FailedPreconditionError(Describe() +
                                     ": no token file is set (AWS_WEB_IDENTITY_TOKEN_FILE)");
    }
    return OkStatus();
  }

  Result<SecretBytes> ReadToken() {
    Result<SecretBytes> content = ReadTokenFile(file_system_, options_.token_file);
    if (!content.ok()) return ConfiguredSourceError(content.status(), Describe());
    const std::string_view bytes = content->Reveal(InsecureSecretAccess::Get());
    const std::string_view token = TrimWhitespace(bytes);  // `echo` ends a file with a line break
    if (token.empty() || !IsKeySafe(token)) {
      return FailedPreconditionError(
          StrCat(Describe(), ": the token file ", QuoteForMessage(options_.token_file, 512),
                 token.empty() ? " is blank" : " holds more than one word"));
    }
    return SecretBytes(token);
  }

  Result<std::shared_ptr<const Credentials>> Exchange(const SecretBytes& token,
                                                      const CallContext& context) {
    return sts_->AssumeRoleWithWebIdentity({.role_arn = options_.role_arn,
                                            .session_name = options_.session_name,
                                            .token = token.Clone(),
                                            .duration = options_.duration},
                                           context);
  }

  fs::FileSystem& file_system_;
  const std::shared_ptr<Sts> sts_;
  WebIdentityOptions options_;
};

}  // namespace

std::unique_ptr<CredentialsProvider> CreateWebIdentityProvider(const ProviderRuntime& runtime,
                                                               std::shared_ptr<Sts> sts,
                                                               WebIdentityOptions options) {
  return std::make_unique<WebIdentityProvider>(runtime, std::move(sts), std::move(options));
}

}  // namespace keyturn::aws
