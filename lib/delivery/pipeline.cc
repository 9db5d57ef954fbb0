// SPDX-License-Identifier: Apache-2.0
#include "lib/delivery/pipeline.h"

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/delivery/await_watcher.h"
#include "lib/delivery/pipeline_failure.h"
#include "lib/delivery/pipeline_target.h"
#include "lib/delivery/refresh_schedule.h"

namespace keyturn::delivery {
namespace {

using std::chrono::duration;
using std::chrono::duration_cast;
using std::chrono::milliseconds;

// Files that readers still held open: often enough to wipe them within the Wiper's grace.
constexpr std::chrono::seconds kWipeRetry{5};

using Targets = std::vector<std::unique_ptr<TargetPublisher>>;

double Seconds(MonoTime::duration span) {
  return duration_cast<duration<double>>(span).count();
}

// Everything that a Plan needs, made before the Plan takes effect.
struct Prepared {
  std::shared_ptr<ClientPool> clients;
  std::unique_ptr<Notifier> notifier;
  Targets new_targets;  // of paths that the old Plan does not have
};

class PlanPipeline final : public Pipeline {
 public:
  PlanPipeline(const PipelineDependencies& dependencies, PipelineOptions options)
      : dependencies_(dependencies),
        options_(std::move(options)),
        clock_(*dependencies.clock),
        wiper_(CreateWiper(*dependencies.file_system, clock_, *dependencies.logger,
                           *dependencies.metrics, options_.wiper)),
        schedule_(clock_, *dependencies.random,
                  {milliseconds(std::chrono::minutes(10)), options_.retry_min, options_.retry_max}),
        failures_(clock_, *dependencies.logger),
        revocations_(clock_, options_.revocation_grace) {}

  Status Reconfigure(plan::Plan plan) override {
    KEYTURN_ASSIGN_OR_RETURN(Prepared prepared, Prepare(plan));
    Adopt(std::move(plan), std::move(prepared));
    return OkStatus();
  }

  Status Run(PassReason reason, const CallContext& context) override;
  MonoTime NextDue() const override;

  std::optional<MonoTime> NotifyDue() const override { return notifier_->NextDue(); }

  std::optional<MonoTime> WipeDue() const override { return wipe_due_; }

  std::shared_ptr<const PipelineStatus> status() const override { return snapshot_.Get(); }

  std::map<FetchKey, std::string> KnownVersions() const override;

  const plan::Plan& plan() const override { return plan_; }

  std::shared_ptr<ClientPool> clients() const override { return clients_; }

 private:
  Result<Prepared> Prepare(const plan::Plan& plan);
  void Adopt(plan::Plan plan, Prepared prepared);
  void DropTargets(Targets& dropped);
  TargetPublisher* Find(const std::string& path) const;

  Status RunDue(PassReason reason, const CallContext& context);
  Status Pass(const std::vector<TargetPublisher*>& targets, const CallContext& context);
  Status PublishAll(const std::vector<TargetPublisher*>& targets, const FetchResults& results);
  Status Probe(const CallContext& context);
  FetchResults Fetch(const std::set<FetchKey>& keys, const CallContext& context);
  void NoteFetched(const FetchResults& results);
  void NoteOutcome(const TargetPublisher& target, const TargetPublisher::Outcome& outcome);
  void AskSchedules(const CallContext& context);
  void Deliver(const CallContext& context);
  Status Standing() const;
  void UpdateStatus();
  bool UpdateStaleness();
  bool IsOnlyOptional(const FetchKey& key) const;
  void ForgetLastCheck(const FetchKey& key);
  std::vector<TargetPublisher*> AllTargets() const;

  static metrics::Labels LastCheckLabels(const FetchKey& key) {
    return {{"secret", key.id}, {"region", key.region}, {"stage", key.stage}};
  }

  const PipelineDependencies dependencies_;
  const PipelineOptions options_;
  Clock& clock_;
  const std::unique_ptr<Wiper> wiper_;
  RefreshSchedule schedule_;
  FailureLog failures_;
  RevocationTracker revocations_;

  plan::Plan plan_;
  std::set<FetchKey> keys_;
  std::set<FetchKey> required_keys_;  // of at least one file that is not optional
  std::shared_ptr<ClientPool> clients_;
  std::unique_ptr<Fetcher> fetcher_;
  std::unique_ptr<Notifier> notifier_;
  std::string last_change_;  // the id last given to the notifier
  Targets targets_;
  std::map<FetchKey, std::string> seen_;  // the version last answered
  std::optional<MonoTime> wipe_due_;
  std::optional<MonoTime> describes_due_;  // after a pass that succeeded
  bool stale_ = false;
  Snapshot<PipelineStatus> snapshot_;
};

TargetPublisher* PlanPipeline::Find(const std::string& path) const {
  const auto found = std::find_if(targets_.begin(), targets_.end(),
                                  [&](const auto& target) { return target->path() == path; });
  return found == targets_.end() ? nullptr : found->get();
}

Result<Prepared> PlanPipeline::Prepare(const plan::Plan& plan) {
  Prepared prepared;
  KEYTURN_ASSIGN_OR_RETURN(prepared.clients, dependencies_.make_clients(plan));
  std::vector<std::string> paths;
  for (const plan::Target& target : plan.targets) paths.push_back(target.path);
  NotifyDependencies notify;
  notify.file_system = dependencies_.file_system;
  notify.transport = dependencies_.notify_transport;
  notify.clock = dependencies_.clock;
  notify.logger = dependencies_.logger;
  notify.proc_root = options_.proc_root;
  std::vector<std::unique_ptr<NotifyChannel>> channels;
  for (const plan::Notify& spec : plan.notify) {
    KEYTURN_ASSIGN_OR_RETURN(auto channel, CreateNotifyChannel(spec, paths, notify));
    channels.push_back(std::move(channel));
  }
  prepared.notifier =
      std::make_unique<Notifier>(std::move(channels), clock_, *dependencies_.random,
                                 *dependencies_.logger, *dependencies_.metrics, options_.notify);
  for (const plan::Target& target : plan.targets) {
    if (const TargetPublisher* known = Find(target.path)) {
      KEYTURN_RETURN_IF_ERROR(known->CheckForm(target));
      continue;
    }
    KEYTURN_ASSIGN_OR_RETURN(auto made,
                             TargetPublisher::Create(dependencies_, *wiper_, plan, target));
    prepared.new_targets.push_back(std::move(made));
  }
  return prepared;
}

void PlanPipeline::Adopt(plan::Plan plan, Prepared prepared) {
  plan_ = std::move(plan);
  Targets old = std::move(targets_);
  targets_.clear();
  for (const plan::Target& target : plan_.targets) {
    const auto is_it = [&](const auto& candidate) {
      return candidate && candidate->path() == target.path;
    };
    auto found = std::find_if(old.begin(), old.end(), is_it);
    if (found != old.end()) {
      (*found)->Configure(plan_, target);
    } else {
      found = std::find_if(prepared.new_targets.begin(), prepared.new_targets.end(), is_it);
    }
    targets_.push_back(std::move(*found));
  }
  DropTargets(old);
  clients_ = std::move(prepared.clients);
  fetcher_ =
      std::make_unique<Fetcher>(*clients_, clock_, *dependencies_.logger, *dependencies_.metrics);
  // What the old Plan's application was to be told, the new one's is told.
  const bool pending = notifier_ && notifier_->NextDue().has_value();
  notifier_ = std::move(prepared.notifier);
  if (pending) notifier_->Changed(last_change_);
  const std::set<FetchKey> old_keys = std::move(keys_);
  keys_ = KeysOf(plan_);
  required_keys_.clear();
  for (const plan::Target& target : plan_.targets) {
    for (const plan::File& file : target.files) {
      if (file.optional) continue;
      if (file.from) required_keys_.insert(KeyOf(*file.from, plan_));
      for (const auto& [name, source] : file.with) required_keys_.insert(KeyOf(source, plan_));
    }
  }
  for (const FetchKey& key : old_keys) {
    if (!keys_.contains(key)) ForgetLastCheck(key);
  }
  std::erase_if(seen_, [&](const auto& entry) { return !keys_.contains(entry.first); });
  revocations_.Keep(keys_);
  std::set<std::string> subjects;
  for (const FetchKey& key : keys_) subjects.insert(DescribeKey(key));
  for (const auto& target : targets_) subjects.insert(StrCat("target ", target->path()));
  failures_.Keep(subjects);
  schedule_.Restart(plan_.refresh.interval);
  schedule_.Track(keys_);
  UpdateStatus();
}

// Targets that the new Plan does not name hold secrets that nobody asked for any more.
void PlanPipeline::DropTargets(Targets& dropped) {
  for (const auto& target : dropped) {
    if (!target) continue;
    const Status cleared = target->Clear();
    if (cleared.ok()) {
      dependencies_.logger->Info("target left the plan and was emptied",
                                 {{"target", target->path()}});
    } else {
      dependencies_.logger->Error("target left the plan and cannot be emptied",
                                  {{"target", target->path()}, {"error", cleared.ToString()}});
    }
  }
}

void PlanPipeline::ForgetLastCheck(const FetchKey& key) {
  dependencies_.metrics->RemoveGauge("keyturn_secret_last_check_timestamp_seconds",
                                     LastCheckLabels(key));
}

Status PlanPipeline::Run(PassReason reason, const CallContext& context) {
  // Asked for by an earlier pass, so that its owner could show its outcome first.
  if (reason == PassReason::kInterval && describes_due_ && clock_.MonoNow() >= *describes_due_) {
    AskSchedules(context);
  }
  Status status = RunDue(reason, context);
  UpdateStatus();
  if (context.stop.stop_requested()) return CancelledError("pass interrupted by a stop request");
  Deliver(context);
  if (wiper_->RetryPending() > 0) {
    wipe_due_ = clock_.MonoNow() + kWipeRetry;
  } else {
    wipe_due_.reset();
  }
  return status;
}

Status PlanPipeline::RunDue(PassReason reason, const CallContext& context) {
  using Action = RefreshSchedule::Action;
  const Action action = reason == PassReason::kInterval ? schedule_.Due() : Action::kFullPass;
  switch (action) {
    case Action::kNothing:
      return Standing();
    case Action::kProbe:
      return Probe(context);
    case Action::kRetry: {
      std::vector<TargetPublisher*> failing;
      for (const auto& target : targets_) {
        if (target->failing()) failing.push_back(target.get());
      }
      return Pass(failing, context);
    }
    case Action::kFullPass:
      schedule_.FullPassStarted();
      return Pass(AllTargets(), context);
  }
  return InternalError("unknown action");
}

std::vector<TargetPublisher*> PlanPipeline::AllTargets() const {
  std::vector<TargetPublisher*> all;
  for (const auto& target : targets_) all.push_back(target.get());
  return all;
}

// What the last attempts left: the answer when nothing was due.
Status PlanPipeline::Standing() const {
  for (const auto& target : targets_) {
    if (target->failing()) return target->status().last_error;
  }
  return OkStatus();
}

FetchResults PlanPipeline::Fetch(const std::set<FetchKey>& keys, const CallContext& context) {
  const MonoTime limit = clock_.MonoNow() + options_.fetch_timeout;
  return fetcher_->Fetch(keys, {std::min(context.deadline, limit), context.stop});
}

Status PlanPipeline::Pass(const std::vector<TargetPublisher*>& targets,
                          const CallContext& context) {
  const MonoTime begin = clock_.MonoNow();
  std::set<FetchKey> keys;
  for (const TargetPublisher* target : targets) {
    keys.insert(target->keys().begin(), target->keys().end());
  }
  const FetchResults results = Fetch(keys, context);
  if (context.stop.stop_requested()) {
    // The failures are ours: they say nothing about the secrets. Whoever goes on starts anew.
    schedule_.Restart(plan_.refresh.interval);
    return CancelledError("pass interrupted by a stop request");
  }
  NoteFetched(results);
  Status status = PublishAll(targets, results);
  const bool succeeded = Standing().ok();
  schedule_.PassEnded(succeeded);
  const bool ask = succeeded && options_.watch_rotations && !schedule_.DescribesDue().empty();
  if (ask) describes_due_ = clock_.MonoNow();
  dependencies_.metrics
      ->GetHistogram("keyturn_pass_duration_seconds", "Time to fetch and publish.",
                     {0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30})
      .Observe(Seconds(clock_.MonoNow() - begin));
  // A retry that succeeds leaves nothing else failing: every failing target was part of it.
  return status;
}

Status PlanPipeline::PublishAll(const std::vector<TargetPublisher*>& targets,
                                const FetchResults& results) {
  const bool remove = plan_.refresh.on_revoked == plan::OnRevoked::kRemove;
  const std::set<FetchKey> revoked = remove ? revocations_.Revoked() : std::set<FetchKey>();
  Status first;
  size_t failures = 0;
  std::string change;
  for (TargetPublisher* target : targets) {
    const TargetPublisher::Outcome outcome = target->Publish(results, revoked);
    NoteOutcome(*target, outcome);
    failures += outcome.failures;
    if (first.ok()) first = outcome.status;
    if (outcome.changed && !outcome.first) change = target->status().generation;
  }
  if (!change.empty()) {
    last_change_ = change;
    notifier_->Changed(change);
  }
  if (failures <= 1) return first;
  return Status(first.code(), StrCat(first.message(), " (and ", failures - 1, " more)"));
}

void PlanPipeline::NoteFetched(const FetchResults& results) {
  for (const auto& [key, result] : results) {
    const std::string subject = DescribeKey(key);
    revocations_.Observe(key, result.status());
    if (!result.ok()) {
      const bool expected = IsOnlyOptional(key) && IsGone(result.status());
      failures_.Report(expected ? LogLevel::kInfo : LogLevel::kWarning, subject, result.status());
      continue;
    }
    failures_.Resolved(subject);
    const auto wall = clock_.WallNow().time_since_epoch();
    dependencies_.metrics
        ->GetGauge("keyturn_secret_last_check_timestamp_seconds",
                   "When the secret was last read, in seconds since the epoch.",
                   LastCheckLabels(key))
        .Set(duration_cast<duration<double>>(wall).count());
    std::string& seen = seen_[key];
    if (!seen.empty() && seen != (*result)->version_id) schedule_.Changed(key);
    seen = (*result)->version_id;
  }
}

bool PlanPipeline::IsOnlyOptional(const FetchKey& key) const {
  return !required_keys_.contains(key);
}

void PlanPipeline::NoteOutcome(const TargetPublisher& target,
                               const TargetPublisher::Outcome& outcome) {
  const std::string subject = StrCat("target ", target.path());
  if (outcome.status.ok()) {
    failures_.Resolved(subject);
  } else {
    failures_.Report(LogLevel::kWarning, subject, outcome.status);
  }
  if (!outcome.changed) return;
  dependencies_.metrics
      ->GetCounter("keyturn_target_generation_changes_total", "Publications of new content.",
                   {{"target", target.path()}})
      .Increment();
}

// Reads the secrets that are about to rotate; a new version is a reason for a full pass.
Status PlanPipeline::Probe(const CallContext& context) {
  const std::vector<FetchKey> due = schedule_.ProbesDue();
  const FetchResults results = Fetch({due.begin(), due.end()}, context);
  bool changed = false;
  for (const FetchKey& key : due) {
    schedule_.Probed(key);
    const auto& result = results.at(key);
    // A failed probe is no news: the pass at the interval is the judge.
    changed = changed || (result.ok() && seen_[key] != (*result)->version_id);
  }
  if (!changed || context.stop.stop_requested()) return Standing();
  schedule_.FullPassStarted();
  return Pass(AllTargets(), context);
}

void PlanPipeline::AskSchedules(const CallContext& context) {
  describes_due_.reset();  // what does not fit now is asked after the next pass
  const MonoTime deadline =
      std::min(context.deadline, clock_.MonoNow() + options_.describe_timeout);
  const auto awaits = SelectAwaits(*clients_, plan_.refresh, KnownVersions());
  for (const FetchKey& key : schedule_.DescribesDue()) {
    if (context.stop.stop_requested() || clock_.MonoNow() >= deadline) return;
    const auto client = clients_->SecretsManager(key.identity, key.region);
    if (!client.ok()) continue;
    // Where the service itself pushes changes, dates are of no use. Not every secret is awaited,
    // though, and a hint service alone may miss a change.
    const auto share = awaits.find({key.identity, key.region});
    const bool awaited = share != awaits.end() && share->second.known.contains(key);
    if (awaited && (*client)->OffersAwait()) continue;
    const auto description = (*client)->DescribeSecret(key.id, {deadline, context.stop});
    if (context.stop.stop_requested()) return;
    schedule_.Described(key, description);
  }
}

void PlanPipeline::Deliver(const CallContext& context) {
  const auto due = notifier_->NextDue();
  if (due && *due <= clock_.MonoNow()) notifier_->Run(context);
}

MonoTime PlanPipeline::NextDue() const {
  MonoTime due = schedule_.NextDue();
  if (const auto notify = notifier_->NextDue()) due = std::min(due, *notify);
  if (wipe_due_) due = std::min(due, *wipe_due_);
  if (describes_due_) due = std::min(due, *describes_due_);
  return due;
}

std::map<FetchKey, std::string> PlanPipeline::KnownVersions() const {
  std::map<FetchKey, std::string> known;
  for (const FetchKey& key : keys_) {
    const bool can_change = key.kind == SourceKind::kSecret && key.version_id.empty();
    if (can_change) known[key];
  }
  for (const auto& target : targets_) {
    for (const FileState& file : target->files()) {
      for (const auto& [key, version] : file.published) {
        const auto entry = known.find(key);
        if (entry == known.end()) continue;
        // When files disagree (a target failed), the outdated one counts: it still has to change.
        const auto seen = seen_.find(key);
        const bool outdated = seen != seen_.end() && seen->second != version;
        if (entry->second.empty() || outdated) entry->second = version;
      }
    }
  }
  return known;
}

bool PlanPipeline::UpdateStaleness() {
  const MonoTime now = clock_.MonoNow();
  MonoTime oldest = now;
  std::string stalest;
  for (const auto& target : targets_) {
    for (const FileState& file : target->files()) {
      if (file.fresh_at >= oldest) continue;
      oldest = file.fresh_at;
      stalest = StrCat(file.status.target, "/", file.status.path);
    }
  }
  dependencies_.metrics
      ->GetGauge("keyturn_staleness_seconds",
                 "Time since the stalest file was last known to be current.")
      .Set(Seconds(now - oldest));
  const bool stale = now - oldest > plan_.refresh.max_staleness;
  if (stale && !stale_) {
    dependencies_.logger->Error(
        "secrets are stale",
        {{"file", stalest},
         {"seconds", std::chrono::duration_cast<std::chrono::seconds>(now - oldest).count()}});
  }
  if (!stale && stale_) dependencies_.logger->Info("secrets are fresh again");
  stale_ = stale;
  return stale;
}

void PlanPipeline::UpdateStatus() {
  auto status = std::make_shared<PipelineStatus>();
  status->stale = UpdateStaleness();
  status->ready = true;
  for (const auto& target : targets_) {
    status->ready = status->ready && target->status().complete;
    status->targets.push_back(target->status());
    for (const FileState& file : target->files()) status->files.push_back(file.status);
  }
  dependencies_.metrics
      ->GetGauge("keyturn_ready", "1 when every target shows a complete generation.")
      .Set(status->ready ? 1 : 0);
  snapshot_.Set(std::move(status));
}

}  // namespace

Result<std::unique_ptr<Pipeline>> Pipeline::Create(const PipelineDependencies& dependencies,
                                                   plan::Plan plan, PipelineOptions options) {
  KEYTURN_CHECK(dependencies.clock != nullptr && dependencies.random != nullptr &&
                dependencies.logger != nullptr && dependencies.metrics != nullptr &&
                dependencies.file_system != nullptr && dependencies.make_clients != nullptr);
  auto pipeline = std::make_unique<PlanPipeline>(dependencies, std::move(options));
  KEYTURN_RETURN_IF_ERROR(pipeline->Reconfigure(std::move(plan)));
  return std::unique_ptr<Pipeline>(std::move(pipeline));
}

}  // namespace keyturn::delivery
