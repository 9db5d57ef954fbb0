// Environment: the process's variables, read once and injected.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/result.h"

namespace keyturn::config {

// THREAD: immutable after construction.
class Environment {
 public:
  using Variables = std::map<std::string, std::string, std::less<>>;

  explicit Environment(Variables variables);
  // A copy of environ(7).
  static Environment FromProcess();

  // Unset and empty are the same: AWS SDKs treat an empty variable as absent.
  std::optional<std::string> Get(std::string_view name) const;
  std::string GetOr(std::string_view name, std::string_view fallback) const;
  // "true" or "false" without case. ERRORS: INVALID_ARGUMENT naming the variable.
  Result<std::optional<bool>> GetBool(std::string_view name) const;

 private:
  Variables variables_;
};

}  // namespace keyturn::config
