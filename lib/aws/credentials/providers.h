// Credential providers and the order in which they are asked.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "lib/aws/credentials/credentials.h"
#include "lib/aws/sts.h"
#include "lib/base/log.h"
#include "lib/base/random.h"
#include "lib/base/sleeper.h"
#include "lib/config/environment.h"
#include "lib/fs/file_system.h"
#include "lib/net/http_transport.h"

namespace keyturn::aws {

// What providers stand on. All outlive the providers.
struct ProviderRuntime {
  Clock* clock = nullptr;
  Sleeper* sleeper = nullptr;
  Random* random = nullptr;
  Logger* logger = nullptr;
  fs::FileSystem* file_system = nullptr;
  net::HttpTransport* transport = nullptr;  // for the container endpoint; never through a proxy
  const config::Environment* environment = nullptr;
};

// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN.
std::unique_ptr<CredentialsProvider> CreateEnvironmentProvider(const ProviderRuntime& runtime);

// [profile] of AWS_SHARED_CREDENTIALS_FILE / AWS_CONFIG_FILE (default ~/.aws/…): static keys only;
// a profile with credential_process, sso or source_profile is refused by name. Empty profile:
// AWS_PROFILE, else "default".
std::unique_ptr<CredentialsProvider> CreateProfileProvider(const ProviderRuntime& runtime,
                                                           std::string profile);

struct WebIdentityOptions {
  std::string role_arn;
  std::string token_file;    // re-read for every exchange: the kubelet rotates it
  std::string session_name;  // empty: "keyturn-<host name>", cut and cleaned to 64 legal characters
  std::optional<std::chrono::seconds> duration;
};

std::unique_ptr<CredentialsProvider> CreateWebIdentityProvider(const ProviderRuntime& runtime,
                                                               std::shared_ptr<Sts> sts,
                                                               WebIdentityOptions options);

struct AssumeRoleOptions {
  std::string role_arn;
  std::string external_id;
  std::string session_name;
  std::optional<std::chrono::seconds> duration;
};

// Role chaining. STS caps such sessions at one hour.
std::unique_ptr<CredentialsProvider> CreateAssumeRoleProvider(
    const ProviderRuntime& runtime, std::shared_ptr<Sts> sts,
    std::shared_ptr<CredentialsProvider> source, AssumeRoleOptions options);

// ECS tasks and EKS Pod Identity: AWS_CONTAINER_CREDENTIALS_RELATIVE_URI beats _FULL_URI; FULL_URI
// must be https, loopback, 169.254.170.2, 169.254.170.23 or [fd00:ec2::23]. The token file beats
// the token variable and is read for every call; CR or LF in a token is refused. 10 kB answer cap,
// 2 s per attempt, 3 attempts.
struct ContainerOptions {
  std::string full_uri;      // empty: from the environment
  std::string relative_uri;  // empty: from the environment
  std::string token_file;    // empty: from the environment
};

std::unique_ptr<CredentialsProvider> CreateContainerProvider(const ProviderRuntime& runtime,
                                                             ContainerOptions options);

// Asks each source in turn; goes on only past NOT_FOUND ("not configured").
std::unique_ptr<CredentialsProvider> CreateChainProvider(
    std::vector<std::shared_ptr<CredentialsProvider>> sources);

// Keeps credentials until they near expiry. Advisory window min(15 min, ¼ of life): one caller
// refreshes, a failure is tolerated. Mandatory window min(10 min, ⅙ of life): all wait, a failure
// is returned only once the credentials have expired. Both windows are jittered (cut by up to a
// tenth). After a failed refresh the source is left alone for 5 s, doubling to 60 s, as long as the
// credentials are valid. Credentials without expiry are kept for ever; credentials that arrive
// expired are a failure. Concurrent callers share one call of `inner`.
std::unique_ptr<CredentialsProvider> CreateCachingProvider(
    const ProviderRuntime& runtime, std::shared_ptr<CredentialsProvider> inner);

// The SDKs' default order for a program in a pod or task: environment, web identity (AWS_ROLE_ARN
// and AWS_WEB_IDENTITY_TOKEN_FILE), profile, container. Never IMDS. `sts` is used by web identity.
// Not cached, like every source: wrap it with CreateCachingProvider. When nothing is configured,
// NOT_FOUND lists every source with the variables that would configure it.
std::unique_ptr<CredentialsProvider> CreateDefaultChain(const ProviderRuntime& runtime,
                                                        std::shared_ptr<Sts> sts);

}  // namespace keyturn::aws
