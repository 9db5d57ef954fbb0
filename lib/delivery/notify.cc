// SPDX-License-Identifier: Apache-2.0
#include "lib/delivery/notify.h"

#include <algorithm>
#include <utility>

#include "lib/delivery/notify_channels.h"

namespace keyturn::delivery {
namespace {

using std::chrono::milliseconds;

// Changes that keep coming may put a notification off by this many debounce times.
constexpr int kMaxDebounceFactor = 10;
// Doubling stops here; a plan has few attempts anyway.
constexpr milliseconds kMaxBackoff{std::chrono::minutes(5)};

struct Creator {
  const std::vector<std::string>& targets;
  const NotifyDependencies& dependencies;

  auto operator()(const plan::HttpNotify& spec) const {
    return CreateHttpChannel(spec, dependencies);
  }

  auto operator()(const plan::SentinelNotify& spec) const {
    return CreateSentinelChannel(spec, targets, dependencies);
  }

  auto operator()(const plan::SignalNotify& spec) const {
    return CreateSignalChannel(spec, dependencies);
  }

  auto operator()(const plan::ExecNotify& spec) const {
    return CreateExecChannel(spec, dependencies);
  }
};

// A channel and where its present notification stands.
struct Entry {
  std::unique_ptr<NotifyChannel> channel;
  std::string kind;
  std::optional<MonoTime> due;  // empty: nothing to deliver
  int failed_attempts = 0;
  metrics::Counter* success = nullptr;
  metrics::Counter* retry = nullptr;
  metrics::Counter* failure = nullptr;
  metrics::Gauge* last_success = nullptr;
};

// Changes that are not yet handed to the channels.
struct Debounce {
  MonoTime due;
  MonoTime limit;
  milliseconds splay{0};
  std::string change_id;
};

Entry MakeEntry(std::unique_ptr<NotifyChannel> channel, metrics::Registry& metrics) {
  Entry entry;
  entry.kind = channel->kind();
  const auto counter = [&](const char* result) {
    return &metrics.GetCounter("keyturn_notify_total", "Notifications of changes, by outcome.",
                               {{"kind", entry.kind}, {"result", result}});
  };
  entry.success = counter("success");
  entry.retry = counter("retry");
  entry.failure = counter("failure");
  entry.last_success = &metrics.GetGauge("keyturn_notify_last_success_timestamp_seconds",
                                         "Unix time of the last notification that succeeded.",
                                         {{"kind", entry.kind}});
  entry.channel = std::move(channel);
  return entry;
}

}  // namespace

Result<std::unique_ptr<NotifyChannel>> CreateNotifyChannel(const plan::Notify& spec,
                                                           const std::vector<std::string>& targets,
                                                           const NotifyDependencies& dependencies) {
  return std::visit(Creator{targets, dependencies}, spec);
}

struct Notifier::State {
  Clock& clock;
  Random& random;
  Logger& logger;
  const NotifyOptions options;
  std::vector<Entry> entries;
  std::optional<Debounce> debounce;
  std::string change_id;  // of the notification that the channels deliver

  void StartDelivery() {
    if (!debounce || debounce->due > clock.MonoNow()) return;
    change_id = debounce->change_id;
    for (Entry& entry : entries) {
      entry.due = debounce->due;
      entry.failed_attempts = 0;
    }
    debounce.reset();
  }

  void Attempt(Entry& entry, const CallContext& context) {
    const MonoTime limit = clock.MonoNow() + options.timeout;
    const Status status =
        entry.channel->Deliver(change_id, {std::min(context.deadline, limit), context.stop});
    if (status.ok()) return NoteSuccess(entry);
    // A program that ends has not found out anything about the channel.
    if (context.stop.stop_requested()) return;
    ++entry.failed_attempts;
    if (entry.failed_attempts >= options.attempts) return GiveUp(entry, status);
    ScheduleRetry(entry, status);
  }

  void NoteSuccess(Entry& entry) {
    entry.due.reset();
    entry.success->Increment();
    const auto now = std::chrono::duration<double>(clock.WallNow().time_since_epoch());
    entry.last_success->Set(now.count());
    logger.Info("notified", {{"kind", entry.kind}, {"change", change_id}});
  }

  void GiveUp(Entry& entry, const Status& status) {
    entry.due.reset();
    entry.failure->Increment();
    logger.Error("notification failed, giving up until the next change",
                 {{"kind", entry.kind},
                  {"change", change_id},
                  {"attempts", entry.failed_attempts},
                  {"error", status.ToString()}});
  }

  void ScheduleRetry(Entry& entry, const Status& status) {
    milliseconds backoff = std::min(options.backoff, kMaxBackoff);
    for (int i = 1; i < entry.failed_attempts && backoff < kMaxBackoff; ++i) backoff *= 2;
    backoff = std::min(backoff, kMaxBackoff);
    entry.due = clock.MonoNow() + backoff;
    entry.retry->Increment();
    logger.Warning("notification failed, trying again", {{"kind", entry.kind},
                                                         {"change", change_id},
                                                         {"retry_in_ms", backoff.count()},
                                                         {"error", status.ToString()}});
  }
};

Notifier::Notifier(std::vector<std::unique_ptr<NotifyChannel>> channels, Clock& clock,
                   Random& random, Logger& logger, metrics::Registry& metrics,
                   NotifyOptions options)
    : state_(new State{clock, random, logger, options, {}, std::nullopt, ""}) {
  for (auto& channel : channels) {
    state_->entries.push_back(MakeEntry(std::move(channel), metrics));
  }
}

Notifier::~Notifier() = default;

void Notifier::Changed(const std::string& change_id) {
  State& state = *state_;
  if (state.entries.empty()) return;
  const MonoTime now = state.clock.MonoNow();
  if (!state.debounce) {
    Debounce debounce;
    debounce.limit = now + kMaxDebounceFactor * state.options.debounce;
    debounce.splay = milliseconds(static_cast<int64_t>(
        static_cast<double>(state.options.splay.count()) * state.random.NextDouble()));
    state.debounce = debounce;
  }
  Debounce& debounce = *state.debounce;
  debounce.change_id = change_id;
  debounce.due = std::min(now + state.options.debounce, debounce.limit) + debounce.splay;
  // Nobody needs to hear of the older change any more.
  for (Entry& entry : state.entries) entry.due.reset();
}

std::optional<MonoTime> Notifier::NextDue() const {
  std::optional<MonoTime> next;
  if (state_->debounce) next = state_->debounce->due;
  for (const Entry& entry : state_->entries) {
    if (entry.due && (!next || *entry.due < *next)) next = entry.due;
  }
  return next;
}

void Notifier::Run(const CallContext& context) {
  State& state = *state_;
  state.StartDelivery();
  for (Entry& entry : state.entries) {
    const MonoTime now = state.clock.MonoNow();
    // Without time left an attempt would be counted that was none.
    if (context.stop.stop_requested() || now >= context.deadline) return;
    if (entry.due && *entry.due <= now) state.Attempt(entry, context);
  }
}

}  // namespace keyturn::delivery
