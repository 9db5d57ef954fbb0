// KEYTURN_CHECK: a broken invariant ends the process, because continuing could leak or corrupt a
// secret. SPDX-License-Identifier: Apache-2.0
#pragma once

namespace keyturn::internal {

// Writes "check failed: EXPRESSION at FILE:LINE" to stderr and aborts. Never prints a value.
[[noreturn]] void CheckFailed(const char* expression, const char* file, int line);

}  // namespace keyturn::internal

#define KEYTURN_CHECK(condition)                                        \
  do {                                                                  \
    if (!(condition)) {                                                 \
      ::keyturn::internal::CheckFailed(#condition, __FILE__, __LINE__); \
    }                                                                   \
  } while (false)

#ifdef NDEBUG
#define KEYTURN_DCHECK(condition) \
  do {                            \
  } while (false)
#else
#define KEYTURN_DCHECK(condition) KEYTURN_CHECK(condition)
#endif
