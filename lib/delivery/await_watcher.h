// AwaitWatcher: waits at the service for changes of secrets, where the service offers it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "lib/aws/await_protocol.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/random.h"
#include "lib/base/sleeper.h"
#include "lib/delivery/fetch.h"
#include "lib/metrics/registry.h"
#include "lib/plan/plan.h"

namespace keyturn::delivery {

// Threads of a watcher, one per endpoint. What does not fit is polled.
inline constexpr size_t kMaxAwaitEndpoints = 4;

// What is awaited at one endpoint.
struct AwaitShare {
  aws::SecretsManager* client = nullptr;  // of the endpoint, or of the hint service
  std::map<FetchKey, std::string> known;  // 1 to aws::kMaxAwaitEntries keys, each with its version
};

// Which of `known` are awaited: of the first 4 endpoints that offer it (with a hintUrl: of the
// first 4), the first 100 secrets each. The watcher awaits these and nobody watches the others for
// changes, so the pipeline asks for the rotation schedules of those.
std::map<Endpoint, AwaitShare> SelectAwaits(ClientPool& clients, const plan::Refresh& refresh,
                                            const std::map<FetchKey, std::string>& known);

struct AwaitWatcherOptions {
  std::chrono::seconds wait = aws::kMaxAwaitWait;
  // On top of `wait` before an await counts as lost.
  std::chrono::seconds answer_margin{15};
  // Back-off after a failure, and between awaits whose news the owner has not taken up yet.
  std::chrono::milliseconds retry_min{1'000};
  std::chrono::milliseconds retry_max{60'000};
  // An endpoint that does not know the operation, and a secret that the server reports as failed
  // (its failure would end every await at once), are left alone for so long; polling sees them.
  std::chrono::milliseconds pause{std::chrono::minutes(10)};
};

// One thread per endpoint (identity and region) whose client has learnt that the server offers the
// await protocol, or for every endpoint when the Plan names a hintUrl. Other endpoints are never
// asked: AWS would count it as an unknown operation. SelectAwaits() says what is awaited.
//
// The protocol is level-triggered, so nothing is lost between two awaits; a version is reported
// once, and reported again only if yet another one appears.
//
// THREAD: Watch and Stop from one thread, and not from `on_change`. `on_change` is called from the
// watcher's threads, possibly several at a time.
class AwaitWatcher {
 public:
  // All REQUIRED; outlive the watcher.
  struct Dependencies {
    Clock* clock = nullptr;
    Sleeper* sleeper = nullptr;
    Random* random = nullptr;
    Logger* logger = nullptr;
    metrics::Registry* metrics = nullptr;  // keyturn_await_total{result}
  };

  AwaitWatcher(const Dependencies& dependencies, std::function<void()> on_change,
               AwaitWatcherOptions options = {});
  ~AwaitWatcher();

  // What is to be watched from now on: after every pass, with Pipeline::clients(), its Plan's
  // refresh and Pipeline::KnownVersions(). Starts and ends threads; an await in flight whose
  // entries are outdated is given up and sent anew. Returns once ended threads have gone.
  void Watch(std::shared_ptr<ClientPool> clients, const plan::Refresh& refresh,
             const std::map<FetchKey, std::string>& known);
  // Ends every thread. Watch may be called again.
  void Stop();

  // Endpoints with a thread.
  size_t active() const { return groups_.size(); }

 private:
  class Group;
  const Dependencies dependencies_;
  const std::function<void()> on_change_;
  const AwaitWatcherOptions options_;
  std::map<Endpoint, std::unique_ptr<Group>> groups_;
};

}  // namespace keyturn::delivery
