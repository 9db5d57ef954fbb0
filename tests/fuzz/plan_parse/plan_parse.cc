// Whatever ParsePlan accepts is valid, is written within the limit and reads back equal.
// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <string_view>

#include "lib/base/check.h"
#include "lib/plan/plan.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto plan =
      keyturn::plan::ParsePlan(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!plan.ok()) {
    KEYTURN_CHECK(plan.status().code() == keyturn::StatusCode::kInvalidArgument);
    return 0;
  }
  KEYTURN_CHECK(keyturn::plan::ValidatePlan(*plan).ok());
  const auto again = keyturn::plan::ParsePlan(keyturn::plan::FormatPlan(*plan));
  KEYTURN_CHECK(again.ok() && *again == *plan);
  return 0;
}
