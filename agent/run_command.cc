// `run` and `once`: wiring of the Pipeline, the worker, signals and the opt-in listener.
// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <iterator>
#include <utility>

#include "agent/admin_server.h"
#include "agent/commands.h"
#include "agent/plan_source.h"
#include "agent/runtime.h"
#include "agent/state_file.h"
#include "agent/worker.h"
#include "lib/base/event_loop.h"
#include "lib/base/strings.h"
#include "lib/config/units.h"

namespace keyturn::agent {
namespace {

// The time that running requests of the listener get at the end; the kubelet's grace is 30 s.
constexpr std::chrono::milliseconds kDrainGrace{1'000};

constexpr int kHandledSignals[] = {SIGTERM, SIGINT, SIGHUP};

int Fail(int code, const Status& status) {
  std::fprintf(stderr, "keyturn-agent: %s\n", status.message().c_str());
  return code;
}

// The durations of the command line, parsed.
struct Timing {
  std::chrono::milliseconds deadline{};
  std::chrono::milliseconds plan_check{};
  std::chrono::milliseconds revocation_grace{};
  delivery::NotifyOptions notify;
};

Result<Timing> ParseTiming(const Options& options) {
  Timing timing;
  KEYTURN_ASSIGN_OR_RETURN(timing.deadline, config::ParseDuration(options.deadline));
  KEYTURN_ASSIGN_OR_RETURN(timing.plan_check, config::ParseDuration(options.plan_check));
  KEYTURN_ASSIGN_OR_RETURN(timing.revocation_grace,
                           config::ParseDuration(options.revocation_grace));
  KEYTURN_ASSIGN_OR_RETURN(timing.notify.debounce, config::ParseDuration(options.notify_debounce));
  KEYTURN_ASSIGN_OR_RETURN(timing.notify.splay, config::ParseDuration(options.notify_splay));
  if (timing.plan_check < std::chrono::milliseconds(100)) {
    return InvalidArgumentError("--plan-check: at least 100ms");
  }
  return timing;
}

Result<std::unique_ptr<delivery::Pipeline>> CreatePipeline(Runtime& runtime, plan::Plan plan,
                                                           const Timing& timing,
                                                           bool keep_running) {
  delivery::PipelineOptions options;
  options.notify = timing.notify;
  options.revocation_grace = timing.revocation_grace;
  options.watch_rotations = keep_running;
  return delivery::Pipeline::Create(runtime.PipelineDeps(), std::move(plan), std::move(options));
}

// Keeps the newest state where the listener and the exec probes find it.
class StateKeeper {
 public:
  StateKeeper(Runtime& runtime, std::string directory)
      : runtime_(runtime), directory_(std::move(directory)) {}

  Status Prepare() {
    const Status made = runtime_.file_system->MakeDirectory(directory_, 0700);
    return made.code() == StatusCode::kAlreadyExists ? OkStatus()
                                                     : AnnotateStatus(made, "state directory");
  }

  void Keep(const AgentState& state) {
    snapshot_.Set(std::make_shared<const AgentState>(state));
    const std::string path = StrCat(directory_, "/", kStateFileName);
    const std::string text = FormatState(state);
    Status written = fs::ReplaceFile(*runtime_.file_system, path, text, 0600);
    // Whoever cleaned the volume up must not leave the probes without an answer for ever.
    if (written.code() == StatusCode::kNotFound && Prepare().ok()) {
      written = fs::ReplaceFile(*runtime_.file_system, path, text, 0600);
    }
    if (!written.ok())
      runtime_.logger->Warning("state file not written", {{"error", written.message()}});
  }

  const Snapshot<AgentState>& snapshot() const { return snapshot_; }

 private:
  Runtime& runtime_;
  const std::string directory_;
  Snapshot<AgentState> snapshot_;
};

// Looks at the Plan file again and again for the life of the loop.
class PlanWatch {
 public:
  PlanWatch(Runtime& runtime, EventLoop& loop, PlanSource& source, Worker& worker,
            std::chrono::milliseconds every)
      : runtime_(runtime), loop_(loop), source_(source), worker_(worker), every_(every) {}

  void Arm() {
    loop_.At(runtime_.clock.MonoNow() + every_, [this] {
      Check();
      Arm();
    });
  }

  void Check() {
    std::optional<Result<plan::Plan>> changed = source_.Poll();
    if (!changed) return;
    if (changed->ok()) {
      worker_.ReplacePlan(std::move(*changed).value());
      return;
    }
    runtime_.logger->Error("new plan not valid, the last one stays in use",
                           {{"error", changed->status().message()}});
    worker_.ReportPlanError(changed->status().message());
  }

 private:
  Runtime& runtime_;
  EventLoop& loop_;
  PlanSource& source_;
  Worker& worker_;
  const std::chrono::milliseconds every_;
};

Status RunUntilSignal(Runtime& runtime, const Options& options, const Timing& timing,
                      PlanSource& source, plan::Plan plan) {
  KEYTURN_ASSIGN_OR_RETURN(std::unique_ptr<EventLoop> loop, CreateEventLoop(runtime.clock));
  StateKeeper keeper(runtime, StateDirectory(options.state_dir, plan));
  KEYTURN_RETURN_IF_ERROR(keeper.Prepare());
  KEYTURN_ASSIGN_OR_RETURN(auto pipeline, CreatePipeline(runtime, std::move(plan), timing, true));
  Worker worker(runtime, std::move(pipeline),
                [&keeper](const AgentState& state) { keeper.Keep(state); });
  PlanWatch watch(runtime, *loop, source, worker, timing.plan_check);
  // Before any thread starts: threads inherit the mask.
  KEYTURN_RETURN_IF_ERROR(
      loop->OnSignals({std::begin(kHandledSignals), std::end(kHandledSignals)}, [&](int signal) {
        if (signal != SIGHUP) return loop->Stop();
        runtime.logger->Info("SIGHUP: checking every secret now");
        watch.Check();
        worker.Wake(delivery::PassReason::kForced);
      }));
  std::unique_ptr<net::HttpServer> admin;
  if (!options.listen.empty()) {
    const AdminSources sources{&keeper.snapshot(), &runtime.metrics, options.unready_when_stale};
    KEYTURN_ASSIGN_OR_RETURN(admin, StartAdminServer(options.listen, sources, *runtime.logger));
    runtime.logger->Info("listening", {{"address", admin->address()}});
  }
  worker.Start();
  watch.Arm();
  loop->Run();
  runtime.logger->Info("stopping; published files stay");
  worker.Stop();
  if (admin != nullptr) admin->Drain(kDrainGrace);
  return OkStatus();
}

// From the first instruction on: a SIGHUP that comes before the loop listens must wait, not end the
// program.
void HoldSignals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : kHandledSignals) ::sigaddset(&set, signal);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
}

// Passes until one succeeds or the deadline comes.
Status DeliverOnce(Runtime& runtime, delivery::Pipeline& pipeline, MonoTime deadline) {
  CallContext context;
  context.deadline = deadline;
  delivery::PassReason reason = delivery::PassReason::kStart;
  while (true) {
    const Status status = pipeline.Run(reason, context);
    if (status.ok()) return status;
    const MonoTime next = pipeline.NextDue();
    if (next >= deadline) return AnnotateStatus(status, "gave up at the deadline");
    runtime.logger->Warning("not delivered yet, trying again", {{"error", status.message()}});
    KEYTURN_RETURN_IF_ERROR(runtime.sleeper.SleepUntil(next, context.stop));
    reason = delivery::PassReason::kForced;
  }
}

// What both commands begin with.
struct Setup {
  std::unique_ptr<Runtime> runtime;
  std::unique_ptr<PlanSource> source;
  Timing timing;
  plan::Plan plan;
};

Result<Setup> SetUp(const Options& options) {
  Setup setup;
  KEYTURN_ASSIGN_OR_RETURN(setup.runtime, CreateRuntime(options.log_level));
  HardenProcess(*setup.runtime->logger);
  KEYTURN_ASSIGN_OR_RETURN(setup.timing, ParseTiming(options));
  setup.source = std::make_unique<PlanSource>(*setup.runtime->file_system, options.plan_file,
                                              options.plan_json);
  KEYTURN_ASSIGN_OR_RETURN(setup.plan, setup.source->Load());
  return setup;
}

}  // namespace

int RunCommand(const Options& options) {
  HoldSignals();
  Result<Setup> setup = SetUp(options);
  if (!setup.ok()) return Fail(kExitUsage, setup.status());
  const Status status = RunUntilSignal(*setup->runtime, options, setup->timing, *setup->source,
                                       std::move(setup->plan));
  return status.ok() ? kExitOk : Fail(kExitFailed, status);
}

int OnceCommand(const Options& options) {
  Result<Setup> setup = SetUp(options);
  if (!setup.ok()) return Fail(kExitUsage, setup.status());
  Runtime& runtime = *setup->runtime;
  auto pipeline = CreatePipeline(runtime, std::move(setup->plan), setup->timing, false);
  if (!pipeline.ok()) return Fail(kExitFailed, pipeline.status());
  const Status status =
      DeliverOnce(runtime, **pipeline, runtime.clock.MonoNow() + setup->timing.deadline);
  return status.ok() ? kExitOk : Fail(kExitFailed, status);
}

}  // namespace keyturn::agent
