// The STS operations that turn an identity into credentials.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "lib/aws/credentials/credentials.h"
#include "lib/base/call_context.h"
#include "lib/base/result.h"
#include "lib/base/secret_bytes.h"

namespace keyturn::aws {

struct AssumeRoleWithWebIdentityRequest {
  std::string role_arn;
  std::string session_name;
  SecretBytes token;
  std::optional<std::chrono::seconds> duration;  // absent: the service's default, 3600 s
};

struct AssumeRoleRequest {
  std::string role_arn;
  std::string session_name;
  std::string external_id;  // empty: not sent
  std::optional<std::chrono::seconds> duration;
};

// Errors: AccessDenied → PERMISSION_DENIED; ExpiredTokenException, InvalidIdentityToken →
// UNAUTHENTICATED; IDPCommunicationError and 5xx → UNAVAILABLE (retried); ValidationError →
// INVALID_ARGUMENT; throttling → RESOURCE_EXHAUSTED. Messages name the role, never the token.
// THREAD: safe; calls block.
class Sts {
 public:
  virtual ~Sts() = default;
  // Not signed: the token is the proof.
  virtual Result<std::shared_ptr<const Credentials>> AssumeRoleWithWebIdentity(
      const AssumeRoleWithWebIdentityRequest& request, const CallContext& context) = 0;
  // Signed with `source`.
  virtual Result<std::shared_ptr<const Credentials>> AssumeRole(const AssumeRoleRequest& request,
                                                                const Credentials& source,
                                                                const CallContext& context) = 0;
};

}  // namespace keyturn::aws
