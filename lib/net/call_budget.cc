// SPDX-License-Identifier: Apache-2.0
#include "lib/net/call_budget.h"

#include "lib/base/strings.h"

namespace keyturn::net {
namespace {

using std::chrono::steady_clock;

// Adding a day to a time near the end of the range must not wrap round.
MonoTime SaturatingAdd(MonoTime time, MonoTime::duration duration) {
  return duration > MonoTime::max() - time ? MonoTime::max() : time + duration;
}

}  // namespace

CallBudget::CallBudget(const Clock& clock, const CallContext& context)
    : stop_(context.stop), deadline_(MonoTime::max()) {
  if (context.deadline == MonoTime::max()) return;
  const MonoTime now = clock.MonoNow();
  const auto left = context.deadline > now ? context.deadline - now : MonoTime::duration::zero();
  deadline_ = SaturatingAdd(steady_clock::now(), left);
}

Step CallBudget::BeginStep(std::string doing) const {
  if (part_limit_) return Step{std::move(doing), deadline_, false, *part_limit_};
  return Step{std::move(doing), deadline_, true, {}};
}

Step CallBudget::BeginStep(std::string doing, std::chrono::milliseconds limit) const {
  const MonoTime until = SaturatingAdd(steady_clock::now(), limit);
  if (until >= deadline_) return BeginStep(std::move(doing));
  return Step{std::move(doing), until, false, limit};
}

CallBudget CallBudget::Within(std::chrono::milliseconds limit) const {
  CallBudget part = *this;
  const MonoTime until = SaturatingAdd(steady_clock::now(), limit);
  if (until >= deadline_) return part;
  part.deadline_ = until;
  part.part_limit_ = limit;
  return part;
}

Status CallBudget::Check(const Step& step) const {
  if (stop_.stop_requested()) return StoppedError(step);
  if (steady_clock::now() >= step.until) return TimedOutError(step);
  return OkStatus();
}

Status CallBudget::StoppedError(const Step& step) const {
  return CancelledError(StrCat(step.doing, ": interrupted by a stop request"));
}

Status CallBudget::TimedOutError(const Step& step) const {
  if (step.ends_call) return DeadlineExceededError(StrCat(step.doing, ": the deadline passed"));
  return UnavailableError(StrCat(step.doing, ": no answer within ", step.limit.count(), " ms"));
}

}  // namespace keyturn::net
