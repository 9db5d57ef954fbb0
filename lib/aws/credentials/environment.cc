// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "lib/aws/credentials/provider_util.h"
#include "lib/aws/credentials/providers.h"
#include "lib/base/strings.h"
#include "lib/base/time_format.h"

namespace keyturn::aws {
namespace {

constexpr std::string_view kKeyId = "AWS_ACCESS_KEY_ID";
constexpr std::string_view kSecretKey = "AWS_SECRET_ACCESS_KEY";
constexpr std::string_view kSessionToken = "AWS_SESSION_TOKEN";
constexpr std::string_view kExpiration = "AWS_CREDENTIAL_EXPIRATION";

Status VariableError(std::string_view name, std::string_view why) {
  return FailedPreconditionError(StrCat("environment credentials: ", name, " ", why));
}

class EnvironmentProvider final : public CredentialsProvider {
 public:
  explicit EnvironmentProvider(const ProviderRuntime& runtime)
      : clock_(*runtime.clock), environment_(*runtime.environment) {}

  Result<std::shared_ptr<const Credentials>> GetCredentials(const CallContext&) override {
    KEYTURN_RETURN_IF_ERROR(CheckPresence());
    for (const std::string_view name : {kKeyId, kSecretKey, kSessionToken}) {
      // A line break at the end of a pasted key would only show as a wrong signature.
      if (!IsKeySafe(environment_.GetOr(name, ""))) {
        return VariableError(name, "holds a blank or a control character");
      }
    }
    auto credentials = std::make_shared<Credentials>();
    KEYTURN_ASSIGN_OR_RETURN(credentials->expiration, Expiration());
    credentials->access_key_id = environment_.GetOr(kKeyId, "");
    credentials->secret_access_key = SecretBytes(environment_.GetOr(kSecretKey, ""));
    credentials->session_token = SecretBytes(environment_.GetOr(kSessionToken, ""));
    credentials->account_id = environment_.GetOr("AWS_ACCOUNT_ID", "");
    return std::shared_ptr<const Credentials>(std::move(credentials));
  }

  std::string Describe() const override { return "environment variables"; }

 private:
  Status CheckPresence() const {
    const bool has_id = environment_.Get(kKeyId).has_value();
    const bool has_secret = environment_.Get(kSecretKey).has_value();
    if (!has_id && !has_secret) {
      return NotFoundError(
          "environment variables (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set)");
    }
    if (!has_id) return VariableError(kKeyId, "is not set, but AWS_SECRET_ACCESS_KEY is");
    if (!has_secret) return VariableError(kSecretKey, "is not set, but AWS_ACCESS_KEY_ID is");
    return OkStatus();
  }

  Result<std::optional<WallTime>> Expiration() const {
    const auto text = environment_.Get(kExpiration);
    if (!text) return std::optional<WallTime>();
    const auto time = ParseRfc3339(*text);
    if (!time) return VariableError(kExpiration, "is not an RFC 3339 time");
    if (*time <= clock_.WallNow()) {
      return VariableError(kExpiration, StrCat("has passed: ", FormatRfc3339(*time)));
    }
    return time;
  }

  const Clock& clock_;
  const config::Environment& environment_;
};

}  // namespace

std::unique_ptr<CredentialsProvider> CreateEnvironmentProvider(const ProviderRuntime& runtime) {
  return std::make_unique<EnvironmentProvider>(runtime);
}

}  // namespace keyturn::aws
