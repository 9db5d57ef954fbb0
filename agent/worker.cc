// SPDX-License-Identifier: Apache-2.0
#include "agent/worker.h"

#include <algorithm>
#include <utility>

namespace keyturn::agent {

using delivery::PassReason;

namespace {

// A refused Plan costs a few system calls to try again.
constexpr std::chrono::seconds kRefusedPlanRetry{5};

}  // namespace

Worker::Worker(Runtime& runtime, std::unique_ptr<delivery::Pipeline> pipeline, StateSink sink)
    : runtime_(runtime),
      pipeline_(std::move(pipeline)),
      sink_(std::move(sink)),
      watcher_({&runtime.clock, &runtime.sleeper, &runtime.random, runtime.logger.get(),
                &runtime.metrics},
               [this] { Wake(PassReason::kHint); }) {}

Worker::~Worker() {
  Stop();
}

void Worker::Start() {
  Publish();  // a complete generation from before a restart makes `ready` pass at once
  thread_ = std::jthread([this](const std::stop_token& stop) { Loop(stop); });
}

void Worker::Wake(PassReason reason) {
  MutexLock lock(mutex_);
  // Interval < hint < forced < plan changed: the enumerators are in that order.
  if (!pending_.reason || *pending_.reason < reason) pending_.reason = reason;
  changed_.NotifyAll();
}

void Worker::ReplacePlan(plan::Plan plan) {
  {
    MutexLock lock(mutex_);
    pending_.plan = std::move(plan);
    pending_.plan_error.reset();  // of an older text
  }
  Wake(PassReason::kPlanChanged);
}

void Worker::ReportPlanError(std::string message) {
  MutexLock lock(mutex_);
  pending_.plan_error = std::move(message);
  changed_.NotifyAll();
}

void Worker::Stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  {
    MutexLock lock(mutex_);
    changed_.NotifyAll();
  }
  thread_.join();
  watcher_.Stop();
}

Worker::Work Worker::WaitForWork(const std::stop_token& stop) {
  MutexLock lock(mutex_);
  while (!stop.stop_requested() && !pending_.reason && !pending_.plan_error) {
    const MonoTime due = std::min(pipeline_->NextDue(), refused_retry_);
    if (due <= runtime_.clock.MonoNow()) {
      pending_.reason = PassReason::kInterval;
      break;
    }
    changed_.WaitUntil(mutex_, due);
  }
  return std::exchange(pending_, Work{});
}

void Worker::Adopt(Work& work) {
  if (work.plan) {
    TryPlan(*std::move(work.plan));
  } else if (refused_plan_ && work.reason && RetryDue(*work.reason)) {
    TryPlan(*std::exchange(refused_plan_, std::nullopt));
  }
  if (!work.plan_error) return;
  // Newer than any Plan handed over: what the source holds now cannot be used at all.
  plan_error_ = *std::move(work.plan_error);
  refused_plan_.reset();
  refused_retry_ = MonoTime::max();
}

bool Worker::RetryDue(PassReason reason) const {
  return reason == PassReason::kForced || runtime_.clock.MonoNow() >= refused_retry_;
}

void Worker::TryPlan(plan::Plan plan) {
  const Status status = pipeline_->Reconfigure(plan);
  if (status.ok()) {
    runtime_.logger->Info("new plan in use");
    refused_plan_.reset();
    refused_retry_ = MonoTime::max();
  } else {
    if (plan_error_ != status.message()) {
      runtime_.logger->Error("new plan refused, the last one stays in use until it is acceptable",
                             {{"error", status.message()}});
    }
    refused_plan_ = std::move(plan);
    refused_retry_ = runtime_.clock.MonoNow() + kRefusedPlanRetry;
  }
  plan_error_ = status.message();
}

void Worker::Publish() {
  AgentState state = MakeState(*pipeline_->status(), last_error_, runtime_.clock.WallNow());
  state.plan_error = plan_error_;
  sink_(state);
}

void Worker::Loop(const std::stop_token& stop) {
  PassReason reason = PassReason::kStart;
  while (!stop.stop_requested()) {
    CallContext context;
    context.stop = stop;
    last_error_ = pipeline_->Run(reason, context).message();
    Publish();
    watcher_.Watch(pipeline_->clients(), pipeline_->plan().refresh, pipeline_->KnownVersions());
    ReleaseUnusedMemory();
    Work work = WaitForWork(stop);
    Adopt(work);
    reason = work.reason.value_or(PassReason::kInterval);
  }
}

}  // namespace keyturn::agent
