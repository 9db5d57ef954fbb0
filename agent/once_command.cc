// `once`: delivers, tells the application, and ends.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <optional>
#include <utility>

#include "agent/commands.h"
#include "agent/setup.h"
#include "agent/state_keeper.h"

namespace keyturn::agent {
namespace {

// How long readers of replaced files are waited for. Afterwards their files are gone but not
// overwritten.
constexpr std::chrono::seconds kWipePatience{10};

// One `once`. Its state is best effort: an agent that runs beside it keeps its own.
class OneDelivery {
 public:
  OneDelivery(Runtime& runtime, delivery::Pipeline& pipeline, StateKeeper* keeper,
              MonoTime deadline)
      : runtime_(runtime), pipeline_(pipeline), keeper_(keeper) {
    context_.deadline = deadline;
  }

  // Passes until one succeeds or the deadline comes.
  Status Deliver() {
    delivery::PassReason reason = delivery::PassReason::kStart;
    while (true) {
      const Status status = Pass(reason);
      if (status.ok()) return status;
      const MonoTime next = pipeline_.NextDue();
      if (next >= context_.deadline) return AnnotateStatus(status, "gave up at the deadline");
      runtime_.logger->Warning("not delivered yet, trying again", {{"error", status.message()}});
      KEYTURN_RETURN_IF_ERROR(runtime_.sleeper.SleepUntil(next, context_.stop));
      reason = delivery::PassReason::kForced;
    }
  }

  // Nobody else would tell the application or wipe what it replaced.
  Status Finish() {
    while (const std::optional<MonoTime> due = pipeline_.NotifyDue()) {
      if (*due >= context_.deadline)
        return DeadlineExceededError("files are delivered, but a notification was not in time");
      KEYTURN_RETURN_IF_ERROR(Continue(*due));
    }
    const MonoTime limit =
        std::min(context_.deadline, runtime_.clock.MonoNow() + MonoTime::duration(kWipePatience));
    while (const std::optional<MonoTime> due = pipeline_.WipeDue()) {
      if (*due > limit) break;
      KEYTURN_RETURN_IF_ERROR(Continue(*due));
    }
    return OkStatus();
  }

 private:
  Status Pass(delivery::PassReason reason) {
    Status status = pipeline_.Run(reason, context_);
    if (keeper_ != nullptr) {
      keeper_->Keep(MakeState(*pipeline_.status(), status.message(), runtime_.clock.WallNow()));
    }
    return status;
  }

  Status Continue(MonoTime due) {
    KEYTURN_RETURN_IF_ERROR(runtime_.sleeper.SleepUntil(due, context_.stop));
    const Status status = Pass(delivery::PassReason::kInterval);
    // Delivered it is: a later check that fails is no reason to fail.
    if (!status.ok())
      runtime_.logger->Warning("a later check failed", {{"error", status.message()}});
    return OkStatus();
  }

  Runtime& runtime_;
  delivery::Pipeline& pipeline_;
  StateKeeper* const keeper_;  // null when there is no place for the state
  CallContext context_;
};

Status RunOnce(Setup& setup, const Options& options) {
  Runtime& runtime = *setup.runtime;
  const MonoTime deadline = runtime.clock.MonoNow() + setup.timing.deadline;
  StateKeeper keeper(*runtime.file_system, *runtime.logger,
                     StateDirectory(options.state_dir, setup.plan));
  const Status prepared = keeper.Prepare();
  if (!prepared.ok()) runtime.logger->Warning("no state kept", {{"error", prepared.message()}});
  auto pipeline = CreatePipeline(runtime, std::move(setup.plan), setup.timing, false);
  if (!pipeline.ok()) {
    if (prepared.ok())
      keeper.Keep(MakeState({}, pipeline.status().message(), runtime.clock.WallNow()));
    return pipeline.status();
  }
  OneDelivery delivery(runtime, **pipeline, prepared.ok() ? &keeper : nullptr, deadline);
  KEYTURN_RETURN_IF_ERROR(delivery.Deliver());
  return delivery.Finish();
}

}  // namespace

int OnceCommand(const Options& options) {
  Result<Setup> setup = SetUp(options);
  if (!setup.ok()) return Fail(kExitUsage, setup.status());
  const Status status = RunOnce(*setup, options);
  return status.ok() ? kExitOk : Fail(kExitFailed, status);
}

}  // namespace keyturn::agent
