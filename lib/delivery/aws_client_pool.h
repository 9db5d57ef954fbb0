// AwsClientPool: the real clients of a Plan's identities and regions.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/random.h"
#include "lib/base/result.h"
#include "lib/base/sleeper.h"
#include "lib/config/environment.h"
#include "lib/delivery/fetch.h"
#include "lib/fs/file_system.h"
#include "lib/metrics/registry.h"
#include "lib/net/http_transport.h"
#include "lib/plan/plan.h"

namespace keyturn::delivery {

// All REQUIRED; outlive the pool.
struct AwsClientPoolDependencies {
  Clock* clock = nullptr;
  Sleeper* sleeper = nullptr;
  Random* random = nullptr;
  Logger* logger = nullptr;
  metrics::Registry* metrics = nullptr;
  fs::FileSystem* file_system = nullptr;
  const config::Environment* environment = nullptr;
  // net::CreateBeastTransport. Called twice: for the services, and for the container credentials
  // endpoint, which is never reached through a proxy.
  std::function<Result<std::unique_ptr<net::HttpTransport>>(net::TransportOptions)> make_transport;
};

// What a Plan leaves out is taken from the environment that every AWS SDK reads; the Plan wins:
//   region      source, ARN, aws.region, AWS_REGION, AWS_DEFAULT_REGION
//   endpoint    aws.endpoints, AWS_ENDPOINT_URL_{SECRETS_MANAGER,STS,SSM}, AWS_ENDPOINT_URL, else
//               by region, with aws.fips / AWS_USE_FIPS_ENDPOINT and aws.dualStack /
//               AWS_USE_DUALSTACK_ENDPOINT (the variables do not touch an endpoint of the Plan)
//   CA          aws.caPem, AWS_CA_BUNDLE, else the system's
//   proxy       aws.proxy, else HTTPS_PROXY and HTTP_PROXY; NO_PROXY applies to both, being the
//               only way to name exceptions (lower-case spellings first, as curl does)
//   identity    the Plan's; an absent "default" is the SDKs' chain. Fields that an identity leaves
//               out: AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_SESSION_NAME and
//               AWS_CONTAINER_*
// Identities exchange tokens at the STS of aws.region (else of the first region asked for) and keep
// their credentials for all regions. The pool may be dropped while none of its clients is in use.
//
// Makes no network call. ERRORS: INVALID_ARGUMENT for a bad CA, proxy or variable, and for
// assumeRole identities whose sources are unknown or form a circle.
Result<std::shared_ptr<ClientPool>> CreateAwsClientPool(
    const AwsClientPoolDependencies& dependencies, const plan::Plan& plan);

}  // namespace keyturn::delivery
