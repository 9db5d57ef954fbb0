// Construction of the service clients.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "lib/aws/credentials/credentials.h"
#include "lib/aws/retry.h"
#include "lib/aws/secrets_manager.h"
#include "lib/aws/ssm.h"
#include "lib/aws/sts.h"
#include "lib/base/log.h"
#include "lib/base/random.h"
#include "lib/base/sleeper.h"
#include "lib/metrics/registry.h"
#include "lib/net/http_transport.h"

namespace keyturn::aws {

// What every client stands on. All are REQUIRED and outlive the clients.
struct ClientRuntime {
  net::HttpTransport* transport = nullptr;
  Clock* clock = nullptr;
  Sleeper* sleeper = nullptr;
  Random* random = nullptr;
  Logger* logger = nullptr;
  metrics::Registry* metrics = nullptr;  // keyturn_aws_requests_total{service,operation,code}, …
};

struct ClientOptions {
  net::Url endpoint;
  std::string region;
  RetryOptions retry;
  std::string user_agent = "keyturn/" KEYTURN_VERSION;
};

std::unique_ptr<SecretsManager> CreateSecretsManagerClient(
    const ClientRuntime& runtime, ClientOptions options,
    std::shared_ptr<CredentialsProvider> credentials);
std::unique_ptr<Ssm> CreateSsmClient(const ClientRuntime& runtime, ClientOptions options,
                                     std::shared_ptr<CredentialsProvider> credentials);
std::unique_ptr<Sts> CreateStsClient(const ClientRuntime& runtime, ClientOptions options);

}  // namespace keyturn::aws
