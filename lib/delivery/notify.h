// Notifier: tells the application that its files changed.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "lib/base/call_context.h"
#include "lib/base/log.h"
#include "lib/base/random.h"
#include "lib/base/sleeper.h"
#include "lib/fs/file_system.h"
#include "lib/metrics/registry.h"
#include "lib/net/http_transport.h"
#include "lib/plan/plan.h"

namespace keyturn::delivery {

struct NotifyOptions {
  std::chrono::milliseconds debounce{1'000};  // several changes within it become one notification
  std::chrono::milliseconds splay{
      0};  // plus a random delay, so that a fleet does not reload at once
  std::chrono::milliseconds timeout{10'000};  // of one attempt
  int attempts = 3;
  std::chrono::milliseconds backoff{1'000};  // before the second attempt; doubles
};

// One way of telling. Implementations: HTTP POST, sentinel file, signal, exec.
class NotifyChannel {
 public:
  virtual ~NotifyChannel() = default;
  // "http", "sentinel", "signal", "exec": a metric label.
  virtual std::string kind() const = 0;
  // One attempt.
  virtual Status Deliver(const std::string& change_id, const CallContext& context) = 0;
};

struct NotifyDependencies {
  fs::FileSystem* file_system = nullptr;
  net::HttpTransport* transport = nullptr;
  Clock* clock = nullptr;
  Logger* logger = nullptr;
  std::string proc_root = "/proc";
};

// Sentinels are written into every directory of `targets`.
Result<std::unique_ptr<NotifyChannel>> CreateNotifyChannel(const plan::Notify& spec,
                                                           const std::vector<std::string>& targets,
                                                           const NotifyDependencies& dependencies);

// A state machine without a thread: the owner calls Changed() on publication and Run() when
// NextDue() passes. A failing channel never delays another channel or the next publication for
// longer than `timeout` per attempt. Metrics: keyturn_notify_total{kind,result}. THREAD: one call
// at a time.
class Notifier {
 public:
  Notifier(std::vector<std::unique_ptr<NotifyChannel>> channels, Clock& clock, Random& random,
           Logger& logger, metrics::Registry& metrics, NotifyOptions options);
  ~Notifier();

  // A generation was published. Starts or extends the debounce (by at most 10 × debounce in all).
  void Changed(const std::string& change_id);
  // When Run() has work; empty when nothing is pending.
  std::optional<MonoTime> NextDue() const;
  // Delivers what is due; failed channels are due again after back-off, at most `attempts` times.
  void Run(const CallContext& context);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace keyturn::delivery
