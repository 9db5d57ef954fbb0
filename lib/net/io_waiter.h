// IoWaiter: waits for one descriptor, interrupted by time or by a stop request.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "lib/base/result.h"
#include "lib/net/call_budget.h"

namespace keyturn::net {

// The private io_context of one call. It runs only on the calling thread and only inside a wait, so
// that a transport with nothing to do owns no thread and no timer. Descriptors are borrowed for the
// length of a wait; they must be non-blocking. THREAD: one thread at a time.
class IoWaiter {
 public:
  virtual ~IoWaiter() = default;
  // ERRORS: those of CallBudget; UNAVAILABLE when the kernel refuses to watch the descriptor.
  virtual Status WaitReadable(int fd, const Step& step) = 0;
  virtual Status WaitWritable(int fd, const Step& step) = 0;
};

// REQUIRES: `budget` outlives the waiter.
// ERRORS: RESOURCE_EXHAUSTED when descriptors run out.
Result<std::unique_ptr<IoWaiter>> CreateIoWaiter(const CallBudget& budget);

}  // namespace keyturn::net
