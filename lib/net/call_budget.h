// CallBudget: how long one Send may still take, in real time, and which step is spending it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <stop_token>
#include <string>

#include "lib/base/call_context.h"
#include "lib/base/status.h"

namespace keyturn::net {

// One step of an exchange: what a message says it was doing, and when it must be over.
struct Step {
  std::string doing;      // "connect to host:443"
  MonoTime until;         // std::chrono::steady_clock, whatever clock the caller's deadline is in
  bool ends_call = true;  // the deadline of the whole call, rather than a limit of this step
  std::chrono::milliseconds limit{0};
};

// A value object that lives as long as one call. THREAD: const members are safe.
class CallBudget {
 public:
  // The deadline is taken relative to `clock` and then runs in real time, because sockets do.
  CallBudget(const Clock& clock, const CallContext& context);

  const std::stop_token& stop() const { return stop_; }

  // A step bounded by the call's deadline only.
  Step BeginStep(std::string doing) const;
  // A step bounded by `limit` too.
  Step BeginStep(std::string doing, std::chrono::milliseconds limit) const;

  // A budget for a part of the call: this one cut to `limit` from now. A pass of that limit is then
  // UNAVAILABLE, as for a step.
  CallBudget Within(std::chrono::milliseconds limit) const;

  // Not OK when the call was stopped or is over before `step` has begun.
  Status Check(const Step& step) const;
  Status StoppedError(const Step& step) const;
  // DEADLINE_EXCEEDED, or UNAVAILABLE when only the step's own limit passed.
  Status TimedOutError(const Step& step) const;

 private:
  std::stop_token stop_;
  MonoTime deadline_;
  std::optional<std::chrono::milliseconds> part_limit_;  // set when `deadline_` is a part's
};

}  // namespace keyturn::net
