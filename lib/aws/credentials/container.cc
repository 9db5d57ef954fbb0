// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "lib/aws/clock_offset.h"
#include "lib/aws/credentials/container_credentials.h"
#include "lib/aws/credentials/provider_util.h"
#include "lib/aws/credentials/providers.h"
#include "lib/base/strings.h"
#include "lib/base/time_format.h"

namespace keyturn::aws {
namespace {

// As botocore's fetcher: the endpoint is on the same host, so a slow answer is a lost one.
constexpr std::chrono::milliseconds kAttemptTimeout{2'000};
constexpr std::chrono::milliseconds kAttemptPause{1'000};
constexpr int kAttempts = 3;

StatusCode CodeOfHttpStatus(int status) {
  if (status >= 500) return StatusCode::kUnavailable;
  switch (status) {
    case 400:
      return StatusCode::kInvalidArgument;
    case 401:
    case 403:
      return StatusCode::kPermissionDenied;
    case 408:
      return StatusCode::kUnavailable;
    case 429:
      return StatusCode::kResourceExhausted;
    default:
      return StatusCode::kFailedPrecondition;  // redirects too: they are never followed
  }
}

bool IsWorthAnotherAttempt(StatusCode code) {
  return IsRetryable(code) || code == StatusCode::kDataLoss;
}

ContainerOptions WithEnvironment(ContainerOptions options, const config::Environment& environment) {
  // A URI from the Plan wins over both variables.
  if (options.full_uri.empty() && options.relative_uri.empty()) {
    options.relative_uri = environment.GetOr("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "");
    options.full_uri = environment.GetOr("AWS_CONTAINER_CREDENTIALS_FULL_URI", "");
  }
  if (options.token_file.empty()) {
    options.token_file = environment.GetOr("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "");
  }
  return options;
}

class ContainerProvider final : public CredentialsProvider {
 public:
  ContainerProvider(const ProviderRuntime& runtime, ContainerOptions options)
      : runtime_(runtime),
        options_(WithEnvironment(std::move(options), *runtime.environment)),
        url_(MakeUrl()) {}

  Result<std::shared_ptr<const Credentials>> GetCredentials(const CallContext& context) override {
    if (!IsConfigured()) {
      return NotFoundError(
          "container endpoint (AWS_CONTAINER_CREDENTIALS_FULL_URI and "
          "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI are not set)");
    }
    auto credentials = Fetch(context);
    if (credentials.ok()) return credentials;
    return ConfiguredSourceError(credentials.status(), Describe());
  }

  // Only the origin: on ECS the path is as good as a password.
  std::string Describe() const override {
    return url_.ok() ? "container endpoint " + url_->Origin() : "container endpoint";
  }

 private:
  bool IsConfigured() const { return !options_.relative_uri.empty() || !options_.full_uri.empty(); }

  Result<net::Url> MakeUrl() const {
    if (!options_.relative_uri.empty()) return RelativeContainerUrl(options_.relative_uri);
    return FullContainerUrl(options_.full_uri);
  }

  Result<std::shared_ptr<const Credentials>> Fetch(const CallContext& context) {
    if (!url_.ok()) return url_.status();
    for (int attempt = 1;; ++attempt) {
      auto credentials = Attempt(context);
      if (credentials.ok() || attempt == kAttempts ||
          !IsWorthAnotherAttempt(credentials.status().code())) {
        return credentials;
      }
      const MonoTime next = runtime_.clock->MonoNow() + kAttemptPause;
      if (next >= context.deadline) return credentials;
      KEYTURN_RETURN_IF_ERROR(runtime_.sleeper->SleepUntil(next, context.stop));
    }
  }

  Result<std::shared_ptr<const Credentials>> Attempt(const CallContext& context) {
    KEYTURN_ASSIGN_OR_RETURN(const net::HttpRequest request, MakeRequest());
    std::string body;
    const ScopedCleanse cleanse(body);
    body.reserve(kMaxContainerAnswerBytes);  // growing would leave copies behind
    const net::BodySink sink = [&body](std::string_view part) -> Status {
      if (part.size() > kMaxContainerAnswerBytes - body.size()) {
        return DataLossError("the answer is longer than 10000 bytes");
      }
      body += part;
      return OkStatus();
    };
    const MonoTime limit = runtime_.clock->MonoNow() + kAttemptTimeout;
    const CallContext attempt{std::min(context.deadline, limit), context.stop};
    KEYTURN_ASSIGN_OR_RETURN(const auto response,
                             runtime_.transport->Send(request, attempt, &sink));
    if (response.status != 200) return ErrorOf(response.status, body);
    return Accept(body, response.headers.Get("Date").value_or(""));
  }

  Result<net::HttpRequest> MakeRequest() const {
    net::HttpRequest request;
    request.url = *url_;
    request.headers.Add("Accept", "application/json");
    KEYTURN_ASSIGN_OR_RETURN(const SecretBytes token, ReadToken());
    if (!token.empty()) {
      request.headers.Add("Authorization", std::string(token.Reveal(InsecureSecretAccess::Get())));
    }
    return request;
  }

  Result<SecretBytes> ReadToken() const {
    if (options_.token_file.empty()) {
      const SecretBytes token(runtime_.environment->GetOr("AWS_CONTAINER_AUTHORIZATION_TOKEN", ""));
      return CheckToken(token, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
    }
    KEYTURN_ASSIGN_OR_RETURN(const SecretBytes token,
                             ReadTokenFile(*runtime_.file_system, options_.token_file));
    return CheckToken(token, "token file " + QuoteForMessage(options_.token_file, 512));
  }

  static Result<SecretBytes> CheckToken(const SecretBytes& token, std::string_view where) {
    if (IsHeaderSafe(token.Reveal(InsecureSecretAccess::Get()))) return token.Clone();
    return FailedPreconditionError(
        StrCat(where, " holds a line break or another control character"));
  }

  static Status ErrorOf(int http_status, std::string_view body) {
    const std::string_view name = FindErrorName(body);
    return {CodeOfHttpStatus(http_status),
            StrCat("the answer is HTTP status ", http_status, name.empty() ? "" : ", ", name)};
  }

  Result<std::shared_ptr<const Credentials>> Accept(std::string_view body,
                                                    std::string_view date) const {
    KEYTURN_ASSIGN_OR_RETURN(Credentials credentials, ParseContainerCredentials(body));
    const WallTime now = runtime_.clock->WallNow();
    if (credentials.expiration) {
      credentials.expiration = OnLocalClock(*credentials.expiration, ClockLead(date, now));
    }
    if (credentials.expiration && *credentials.expiration <= now) {
      return UnavailableError(
          StrCat("the answered credentials expired at ", FormatRfc3339(*credentials.expiration)));
    }
    return std::shared_ptr<const Credentials>(
        std::make_shared<Credentials>(std::move(credentials)));
  }

  const ProviderRuntime runtime_;
  const ContainerOptions options_;
  const Result<net::Url> url_;
};

}  // namespace

std::unique_ptr<CredentialsProvider> CreateContainerProvider(const ProviderRuntime& runtime,
                                                             ContainerOptions options) {
  return std::make_unique<ContainerProvider>(runtime, std::move(options));
}

}  // namespace keyturn::aws
