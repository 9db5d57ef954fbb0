// What the ECS and EKS Pod Identity endpoints answer, and which endpoints may be asked.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "lib/aws/credentials/credentials.h"
#include "lib/base/result.h"
#include "lib/net/http_types.h"

namespace keyturn::aws {

// Real answers have about 1.5 kB. Source: aws-c-auth, credentials_provider_ecs.c.
inline constexpr size_t kMaxContainerAnswerBytes = 10'000;

// The URL of AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: it must be a path, so that it cannot change
// the host. ERRORS: INVALID_ARGUMENT. The path is as good as a password on ECS and never quoted.
Result<net::Url> RelativeContainerUrl(std::string_view path);

// The URL of AWS_CONTAINER_CREDENTIALS_FULL_URI: https to any host but the instance metadata
// service, or http to a loopback address, "localhost", 169.254.170.2, 169.254.170.23 or
// [fd00:ec2::23]. The token in the request would tell anybody else who we are. ERRORS:
// INVALID_ARGUMENT, PERMISSION_DENIED for a host outside the list.
// Source: https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
Result<net::Url> FullContainerUrl(std::string_view uri);

// {"AccessKeyId", "SecretAccessKey", "Token", "AccountId", "Expiration"}; the first two are needed,
// unknown members are skipped. ERRORS: DATA_LOSS; messages never quote the answer.
Result<Credentials> ParseContainerCredentials(std::string_view body);

// The name of an error in an error answer's text, such as "AccessDeniedException"; empty if there
// is none. Only this word may be quoted: an endpoint could echo the token.
std::string_view FindErrorName(std::string_view body);

}  // namespace keyturn::aws
