// The Parameter Store operations that consumers need.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "lib/base/call_context.h"
#include "lib/base/result.h"
#include "lib/base/secret_bytes.h"

namespace keyturn::aws {

struct ParameterValue {
  std::string arn;
  std::string name;
  std::string type;  // String, StringList, SecureString
  SecretBytes value;
  int64_t version = 0;
};

// GetParameters takes at most 10 names. Source: SSM API reference, GetParameters.
inline constexpr size_t kMaxParametersPerCall = 10;

// THREAD: safe; calls block. Errors as in secrets_manager.h.
class Ssm {
 public:
  virtual ~Ssm() = default;
  // With decryption. Names as the caller wrote them ("/a/b", "/a/b:3", "/a/b:label", an ARN); a
  // name that the service lists as invalid is NOT_FOUND.
  virtual Result<std::map<std::string, Result<ParameterValue>>> GetParameters(
      const std::vector<std::string>& names, const CallContext& context) = 0;
};

}  // namespace keyturn::aws
