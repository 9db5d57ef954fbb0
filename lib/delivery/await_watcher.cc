// SPDX-License-Identifier: Apache-2.0
#include "lib/delivery/await_watcher.h"

#include <algorithm>
#include <set>
#include <stop_token>
#include <thread>
#include <vector>

#include "lib/base/mutex.h"

namespace keyturn::delivery {
namespace {

using Known = std::map<FetchKey, std::string>;

// An await that ends sooner without news did not wait: the server is broken or overloaded.
constexpr std::chrono::seconds kMinimumWait{1};

// The answers of a server that does not know the operation.
bool IsUnsupported(StatusCode code) {
  return code == StatusCode::kUnimplemented || code == StatusCode::kInvalidArgument ||
         code == StatusCode::kNotFound;
}

}  // namespace

// The thread of one endpoint.
class AwaitWatcher::Group {
 public:
  Group(const AwaitWatcher& owner, std::shared_ptr<ClientPool> clients, aws::SecretsManager& client,
        Endpoint endpoint, Known known)
      : owner_(owner),
        clients_(std::move(clients)),
        client_(client),
        endpoint_(std::move(endpoint)),
        known_(std::move(known)),
        thread_([this](const std::stop_token& stop) { Loop(stop); }) {}

  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;
  ~Group() = default;  // thread_, the last member, stops and joins first

  void RequestStop() { thread_.request_stop(); }

  bool Uses(const aws::SecretsManager* client) const { return client == &client_; }

  void Update(const Known& known) KEYTURN_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    if (known == known_) return;
    known_ = known;
    interrupt_.request_stop();
  }

 private:
  // What one await is about.
  struct Round {
    Known known;                        // without the paused ones
    std::stop_source interrupt;         // by the thread's end or by new entries
    std::stop_token stop;               // by the thread's end only
    MonoTime resume = MonoTime::max();  // of the first paused entry
  };

  struct Pause {
    std::string known;  // a new known version ends it
    MonoTime until;
  };

  struct News {
    bool fresh = false;        // something that was not reported before
    bool outstanding = false;  // a difference, reported now or before
  };

  Round BeginRound(const std::stop_token& stop) KEYTURN_EXCLUDES(mutex_);
  void Loop(const std::stop_token& stop);
  void Await(Round& round);
  void OnFailure(const Status& status, Round& round);
  News Compare(const aws::AwaitAnswer& answer, const Round& round);
  bool CompareFailed(const FetchKey& key, const aws::AwaitEntryState& state, const Round& round);
  void BackOff(Round& round);
  void Count(std::string_view result);

  const AwaitWatcher& owner_;
  const std::shared_ptr<ClientPool> clients_;  // keeps client_ alive
  aws::SecretsManager& client_;
  const Endpoint endpoint_;
  Mutex mutex_;
  Known known_ KEYTURN_GUARDED_BY(mutex_);
  std::stop_source interrupt_ KEYTURN_GUARDED_BY(mutex_);  // of the round in progress
  // The thread's own.
  Known reported_;                    // the version last reported, while it differs from the known
  std::map<FetchKey, Pause> paused_;  // entries that the server reports as failed
  int failures_ = 0;                  // doubles the back-off
  StatusCode last_failure_ = StatusCode::kOk;
  std::jthread thread_;
};

AwaitWatcher::Group::Round AwaitWatcher::Group::BeginRound(const std::stop_token& stop) {
  Round round;
  round.stop = stop;
  {
    MutexLock lock(mutex_);
    interrupt_ = round.interrupt;
    round.known = known_;
  }
  const MonoTime now = owner_.dependencies_.clock->MonoNow();
  std::erase_if(reported_, [&](const auto& entry) {
    const auto known = round.known.find(entry.first);
    return known == round.known.end() || known->second == entry.second;
  });
  std::erase_if(paused_, [&](const auto& entry) {
    const auto known = round.known.find(entry.first);
    return known == round.known.end() || known->second != entry.second.known ||
           now >= entry.second.until;
  });
  for (const auto& [key, pause] : paused_) {
    round.known.erase(key);
    round.resume = std::min(round.resume, pause.until);
  }
  return round;
}

void AwaitWatcher::Group::Loop(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    Round round = BeginRound(stop);
    // One token ends a call or a nap for both reasons: the thread's end and outdated entries.
    const std::stop_callback forward(stop, [&round] { round.interrupt.request_stop(); });
    if (round.known.empty()) {
      (void)owner_.dependencies_.sleeper->SleepUntil(round.resume, round.interrupt.get_token());
    } else {
      Await(round);
    }
  }
}

void AwaitWatcher::Group::Await(Round& round) {
  const Clock& clock = *owner_.dependencies_.clock;
  aws::AwaitRequest request;
  request.wait = owner_.options_.wait;
  for (const auto& [key, version] : round.known) {
    request.entries.push_back({key.id, key.stage, version});
  }
  const MonoTime begin = clock.MonoNow();
  const CallContext context{begin + request.wait + owner_.options_.answer_margin,
                            round.interrupt.get_token()};
  const auto answer = client_.AwaitSecretChange(request, context);
  if (!answer.ok()) {
    if (!round.interrupt.stop_requested()) OnFailure(answer.status(), round);
    return;
  }
  last_failure_ = StatusCode::kOk;
  const News news = Compare(*answer, round);
  Count(news.fresh ? "changed" : "unchanged");
  if (news.fresh) {
    failures_ = 0;
    owner_.on_change_();
  }
  // Until the owner has taken the news up, the server would answer the same at once.
  const bool in_vain = !news.fresh && clock.MonoNow() - begin < kMinimumWait;
  if (news.outstanding || in_vain) {
    BackOff(round);
  } else {
    failures_ = 0;
  }
}

void AwaitWatcher::Group::OnFailure(const Status& status, Round& round) {
  const auto& dependencies = owner_.dependencies_;
  Count("error");
  if (status.code() != last_failure_) {
    dependencies.logger->Warning("waiting for changes failed; polling goes on",
                                 {{"identity", endpoint_.identity},
                                  {"region", endpoint_.region},
                                  {"error", status.ToString()}});
  }
  last_failure_ = status.code();
  if (!IsUnsupported(status.code())) return BackOff(round);
  const MonoTime until = dependencies.clock->MonoNow() + owner_.options_.pause;
  // Not interrupted by new entries, only by the thread's end: the endpoint is what is wrong.
  (void)dependencies.sleeper->SleepUntil(until, round.stop);
}

AwaitWatcher::Group::News AwaitWatcher::Group::Compare(const aws::AwaitAnswer& answer,
                                                       const Round& round) {
  News news;
  for (const aws::AwaitEntryState& state : answer.entries) {
    const FetchKey key{endpoint_.identity, endpoint_.region,    SourceKind::kSecret,
                       state.secret_id,    state.version_stage, ""};
    const auto known = round.known.find(key);
    if (known == round.known.end()) continue;
    if (!state.error_code.empty()) {
      news.fresh |= CompareFailed(key, state, round);
      continue;
    }
    if (state.version_id == known->second) continue;
    news.outstanding = true;
    std::string& reported = reported_[key];
    news.fresh |= reported != state.version_id;
    reported = state.version_id;
  }
  return news;
}

// A failed entry is news if a version is known: the secret was deleted or access to it was revoked.
bool AwaitWatcher::Group::CompareFailed(const FetchKey& key, const aws::AwaitEntryState& state,
                                        const Round& round) {
  const std::string& known = round.known.at(key);
  const MonoTime until = owner_.dependencies_.clock->MonoNow() + owner_.options_.pause;
  paused_[key] = {known, until};
  const std::string failure = "!" + state.error_code;
  std::string& reported = reported_[key];
  const bool fresh = !known.empty() && reported != failure;
  reported = failure;
  return fresh;
}

void AwaitWatcher::Group::BackOff(Round& round) {
  const auto& options = owner_.options_;
  auto cap = options.retry_min;
  for (int i = 0; i < failures_ && cap < options.retry_max; ++i) cap *= 2;
  cap = std::min(cap, options.retry_max);
  ++failures_;
  // Between half and all of the cap: spread, yet never a busy loop.
  const double factor = 0.5 + 0.5 * owner_.dependencies_.random->NextDouble();
  const auto delay = std::chrono::milliseconds(
      static_cast<std::chrono::milliseconds::rep>(static_cast<double>(cap.count()) * factor));
  (void)owner_.dependencies_.sleeper->SleepUntil(owner_.dependencies_.clock->MonoNow() + delay,
                                                 round.interrupt.get_token());
}

void AwaitWatcher::Group::Count(std::string_view result) {
  owner_.dependencies_.metrics
      ->GetCounter("keyturn_await_total", "Awaits of secret changes by how they ended.",
                   {{"result", std::string(result)}})
      .Increment();
}

AwaitWatcher::AwaitWatcher(const Dependencies& dependencies, std::function<void()> on_change,
                           AwaitWatcherOptions options)
    : dependencies_(dependencies), on_change_(std::move(on_change)), options_(options) {}

AwaitWatcher::~AwaitWatcher() {
  Stop();
}

std::map<Endpoint, AwaitShare> SelectAwaits(ClientPool& clients, const plan::Refresh& refresh,
                                            const Known& known) {
  std::map<Endpoint, Known> wanted;
  for (const auto& [key, version] : known) {
    const bool can_change = key.kind == SourceKind::kSecret && key.version_id.empty();
    if (!can_change || refresh.push != plan::Push::kAuto) continue;
    Known& entries = wanted[{key.identity, key.region}];
    if (entries.size() < aws::kMaxAwaitEntries) entries[key] = version;
  }
  std::map<Endpoint, AwaitShare> selected;
  const bool hint = !refresh.hint_url.empty();
  for (auto& [endpoint, entries] : wanted) {
    if (selected.size() == kMaxAwaitEndpoints) break;
    const auto client = hint ? clients.Hint(endpoint.identity, endpoint.region)
                             : clients.SecretsManager(endpoint.identity, endpoint.region);
    if (!client.ok() || (!hint && !(*client)->OffersAwait())) continue;
    selected[endpoint] = {*client, std::move(entries)};
  }
  return selected;
}

void AwaitWatcher::Watch(std::shared_ptr<ClientPool> clients, const plan::Refresh& refresh,
                         const Known& known) {
  const std::map<Endpoint, AwaitShare> selected = SelectAwaits(*clients, refresh, known);
  // First ask all that go to stop, then wait for them: their ends overlap.
  std::vector<std::unique_ptr<Group>> ending;
  for (auto it = groups_.begin(); it != groups_.end();) {
    const auto share = selected.find(it->first);
    if (share != selected.end() && it->second->Uses(share->second.client)) {
      ++it;
      continue;
    }
    it->second->RequestStop();
    ending.push_back(std::move(it->second));
    it = groups_.erase(it);
  }
  ending.clear();
  for (const auto& [endpoint, share] : selected) {
    auto& group = groups_[endpoint];
    if (group) {
      group->Update(share.known);
    } else {
      group = std::make_unique<Group>(*this, clients, *share.client, endpoint, share.known);
    }
  }
}

void AwaitWatcher::Stop() {
  for (auto& [endpoint, group] : groups_) group->RequestStop();
  groups_.clear();
}

}  // namespace keyturn::delivery
