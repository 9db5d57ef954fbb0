// The subset of JMESPath that users of the AWS provider of the Secrets Store CSI driver write:
// names, "quoted names", dots, indexes ([0], [-1]) and a leading @. Grammar and limits:
// docs/plan.md. Source: https://jmespath.org/specification.html SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "lib/base/result.h"
#include "lib/json/json_fwd.h"

namespace keyturn::json {

// Far longer than any path that people write; bounds what an annotation can make us keep.
inline constexpr size_t kMaxJmesPathBytes = 1024;

// A compiled expression. Immutable. THREAD: safe.
class JmesPath {
 public:
  // ERRORS: INVALID_ARGUMENT with the column and, for a feature outside the subset, its name.
  static Result<JmesPath> Compile(std::string_view expression);

  JmesPath(JmesPath&&) noexcept;
  JmesPath& operator=(JmesPath&&) noexcept;
  ~JmesPath();

  // The value; JSON null when the path selects nothing (as JMESPath defines).
  Json Search(const Json& document) const;

 private:
  struct Expression;
  explicit JmesPath(std::unique_ptr<Expression> expression);
  std::unique_ptr<Expression> expression_;
};

}  // namespace keyturn::json
