// The Secrets Manager operations that consumers of secrets need.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/aws/await_protocol.h"
#include "lib/base/call_context.h"
#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/base/secret_bytes.h"

namespace keyturn::aws {

// A version of a secret as GetSecretValue answers it. Source: API reference, GetSecretValue.
struct SecretValue {
  std::string arn;
  std::string name;
  std::string version_id;
  std::vector<std::string> stages;
  SecretBytes value;       // SecretString as is, or SecretBinary decoded
  bool is_binary = false;  // came as SecretBinary
  std::optional<WallTime> created;
};

struct GetSecretValueRequest {
  std::string secret_id;      // name, ARN or partial ARN
  std::string version_id;     // empty: not sent
  std::string version_stage;  // empty: not sent. Callers send it: policies may condition on it.
};

struct SecretDescription {
  std::string arn;
  std::string name;
  bool rotation_enabled = false;
  std::optional<WallTime> next_rotation;
  std::chrono::hours rotation_window{0};  // RotationRules.Duration; 0 when absent
  std::optional<WallTime> deleted;        // scheduled for deletion at
  std::map<std::string, std::vector<std::string>> version_stages;  // VersionIdsToStages
};

// Answer of BatchGetSecretValue: what was found, and per requested id why not. Ids as the caller
// wrote them.
struct BatchAnswer {
  std::map<std::string, Result<SecretValue>> by_id;
};

// Errors of every operation, from the service's code:
//   ResourceNotFoundException → NOT_FOUND; AccessDeniedException → PERMISSION_DENIED;
//   InvalidRequestException (marked for deletion) → FAILED_PRECONDITION; InvalidParameterException
//   and ValidationException → INVALID_ARGUMENT; DecryptionFailure → FAILED_PRECONDITION; throttling
//   codes → RESOURCE_EXHAUSTED; expired, unknown or refused credentials → UNAUTHENTICATED; 5xx →
//   UNAVAILABLE.
// Messages: "GetSecretValue prod/db: AccessDeniedException: …" with the request id. Never a value.
// THREAD: safe; calls block.
class SecretsManager {
 public:
  virtual ~SecretsManager() = default;
  virtual Result<SecretValue> GetSecretValue(const GetSecretValueRequest& request,
                                             const CallContext& context) = 0;
  // At most 20 ids (the service's limit); follows NextToken until every id is answered or the
  // service says that there is no more. AWSCURRENT only. An id that the answer leaves out is
  // NOT_FOUND.
  virtual Result<BatchAnswer> BatchGetSecretValue(const std::vector<std::string>& secret_ids,
                                                  const CallContext& context) = 0;
  virtual Result<SecretDescription> DescribeSecret(const std::string& secret_id,
                                                   const CallContext& context) = 0;
  // keyturn's extension. REQUIRES: OffersAwait(), or that the Plan named this very endpoint as its
  // refresh.hintUrl, which stands for the announcement. `context.deadline` must lie beyond
  // request.wait.
  virtual Result<AwaitAnswer> AwaitSecretChange(const AwaitRequest& request,
                                                const CallContext& context) = 0;
  // Whether the latest successful answer of this endpoint carried the header that announces the
  // await protocol.
  virtual bool OffersAwait() const = 0;
};

}  // namespace keyturn::aws
