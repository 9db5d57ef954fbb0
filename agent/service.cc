// SPDX-License-Identifier: Apache-2.0
#include "agent/service.h"

#include <signal.h>

#include <algorithm>
#include <utility>

#include "agent/admin_server.h"

namespace keyturn::agent {
namespace {

constexpr std::chrono::milliseconds kFirstRetry{1'000};
constexpr std::chrono::milliseconds kLongestRetry{30'000};
// The time that running requests of the listener get at the end; the kubelet's grace is 30 s.
constexpr std::chrono::milliseconds kDrainGrace{1'000};

// Restarting would change as little as waiting: somebody has to change the configuration.
bool IsFinal(StatusCode code) {
  return code == StatusCode::kInvalidArgument || code == StatusCode::kFailedPrecondition;
}

}  // namespace

Service::Service(Setup& setup, const Options& options, EventLoop& loop)
    : runtime_(*setup.runtime),
      options_(options),
      timing_(setup.timing),
      source_(*setup.source),
      loop_(loop),
      keeper_(*runtime_.file_system, *runtime_.logger,
              StateDirectory(options.state_dir, setup.plan)),
      plan_(std::move(setup.plan)),
      backoff_(kFirstRetry) {}

Status Service::Run() {
  // Before any thread starts: threads inherit the mask.
  KEYTURN_RETURN_IF_ERROR(
      loop_.OnSignals({SIGTERM, SIGINT, SIGHUP}, [this](int signal) { OnSignal(signal); }));
  loop_.Post([this] { AttemptStart(); });
  WatchPlan();
  loop_.Run();
  Shutdown();
  return outcome_;
}

void Service::OnSignal(int signal) {
  if (signal != SIGHUP) return loop_.Stop();
  runtime_.logger->Info("SIGHUP: checking every secret now");
  CheckPlan();
  if (worker_) {
    worker_->Wake(delivery::PassReason::kForced);
  } else {
    AttemptStart();
  }
}

void Service::AttemptStart() {
  if (worker_ || !outcome_.ok()) return;
  loop_.Cancel(retry_);
  const Status status = Start();
  if (status.ok()) return;
  KeepStarting(status.message());
  if (!IsFinal(status.code())) return RetryLater(status);
  outcome_ = status;
  loop_.Stop();
}

Status Service::Start() {
  KEYTURN_RETURN_IF_ERROR(keeper_.Prepare());
  // What an earlier process said is not true until this one has looked at the targets.
  KeepStarting(start_error_);
  KEYTURN_RETURN_IF_ERROR(StartListener());
  KEYTURN_ASSIGN_OR_RETURN(auto pipeline, CreatePipeline(runtime_, plan_, timing_, true));
  worker_.emplace(runtime_, std::move(pipeline),
                  [this](const AgentState& state) { keeper_.Keep(state); });
  // The pipeline holds the last Plan that was valid; the file may have got worse since.
  if (!plan_error_.empty()) worker_->ReportPlanError(plan_error_);
  worker_->Start();
  return OkStatus();
}

Status Service::StartListener() {
  if (options_.listen.empty() || listener_ != nullptr) return OkStatus();
  const AdminSources sources{&keeper_.snapshot(), &runtime_.metrics, options_.unready_when_stale};
  KEYTURN_ASSIGN_OR_RETURN(listener_, StartAdminServer(options_.listen, sources, *runtime_.logger));
  runtime_.logger->Info("listening", {{"address", listener_->address()}});
  return OkStatus();
}

void Service::RetryLater(const Status& status) {
  runtime_.logger->Warning("cannot start yet, trying again",
                           {{"error", status.message()}, {"milliseconds", backoff_.count()}});
  retry_ = loop_.At(runtime_.clock.MonoNow() + backoff_, [this] { AttemptStart(); });
  backoff_ = std::min(backoff_ * 2, kLongestRetry);
}

void Service::KeepStarting(std::string why) {
  start_error_ = std::move(why);
  AgentState state = MakeState({}, start_error_, runtime_.clock.WallNow());
  state.plan_error = plan_error_;
  keeper_.Keep(state);
}

void Service::WatchPlan() {
  loop_.At(runtime_.clock.MonoNow() + timing_.plan_check, [this] {
    CheckPlan();
    WatchPlan();
  });
}

void Service::CheckPlan() {
  std::optional<Result<plan::Plan>> changed = source_.Poll();
  if (!changed) return;
  if (changed->ok()) {
    TakePlan(std::move(*changed).value());
  } else {
    ReportPlanError(changed->status());
  }
}

void Service::TakePlan(plan::Plan plan) {
  if (worker_) return worker_->ReplacePlan(std::move(plan));
  plan_ = std::move(plan);
  plan_error_.clear();
  start_error_.clear();
  backoff_ = kFirstRetry;
  keeper_.MoveTo(StateDirectory(options_.state_dir, plan_));
  AttemptStart();
}

void Service::ReportPlanError(const Status& status) {
  runtime_.logger->Error("new plan not valid, the last one stays in use",
                         {{"error", status.message()}});
  if (worker_) return worker_->ReportPlanError(status.message());
  plan_error_ = status.message();
  KeepStarting(start_error_);
}

void Service::Shutdown() {
  if (outcome_.ok()) runtime_.logger->Info("stopping; published files stay");
  if (worker_) worker_->Stop();
  if (listener_ != nullptr) listener_->Drain(kDrainGrace);
}

}  // namespace keyturn::agent
