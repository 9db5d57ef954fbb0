// Result<T>: a value or the Status that says why there is none.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <type_traits>
#include <utility>

#include "lib/base/check.h"
#include "lib/base/status.h"

namespace keyturn {

// THREAD: as safe as T. Accessing the value of a failed Result terminates (a broken invariant).
template <typename T>
class [[nodiscard]] Result {
 public:
  // Implicit on purpose, so that `return value;` and `return NotFoundError(…);` both read well.
  Result(T value) : value_(std::move(value)) {}  // NOLINT(google-explicit-constructor)

  Result(Status status) : status_(std::move(status)) {  // NOLINT(google-explicit-constructor)
    KEYTURN_CHECK(!status_.ok());
  }

  bool ok() const { return value_.has_value(); }

  const Status& status() const { return status_; }

  const T& value() const& {
    KEYTURN_CHECK(ok());
    return *value_;
  }

  T& value() & {
    KEYTURN_CHECK(ok());
    return *value_;
  }

  T&& value() && {
    KEYTURN_CHECK(ok());
    return std::move(*value_);
  }

  const T& operator*() const& { return value(); }

  T& operator*() & { return value(); }

  T&& operator*() && { return std::move(*this).value(); }

  const T* operator->() const { return &value(); }

  T* operator->() { return &value(); }

 private:
  Status status_;
  std::optional<T> value_;
};

}  // namespace keyturn
