// SPDX-License-Identifier: Apache-2.0
#include "lib/config/environment.h"

#include <unistd.h>

#include <utility>

#include "lib/base/strings.h"

namespace keyturn::config {

Environment::Environment(Variables variables) : variables_(std::move(variables)) {}

Environment Environment::FromProcess() {
  Variables variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const size_t equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    // getenv(3) finds the first of two entries with one name; so does emplace.
    variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return Environment(std::move(variables));
}

std::optional<std::string> Environment::Get(std::string_view name) const {
  const auto found = variables_.find(name);
  if (found == variables_.end() || found->second.empty()) return std::nullopt;
  return found->second;
}

std::string Environment::GetOr(std::string_view name, std::string_view fallback) const {
  return Get(name).value_or(std::string(fallback));
}

Result<std::optional<bool>> Environment::GetBool(std::string_view name) const {
  const std::optional<std::string> value = Get(name);
  if (!value) return std::optional<bool>();
  if (EqualsIgnoreCaseAscii(*value, "true")) return std::optional<bool>(true);
  if (EqualsIgnoreCaseAscii(*value, "false")) return std::optional<bool>(false);
  // The value is not quoted: a secret that landed in the wrong variable must not reach a log.
  return InvalidArgumentError(
      StrCat("reading environment variable ", name, ": must be true or false"));
}

}  // namespace keyturn::config
