// Notifier: tells the application that its files changed.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
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
  // A procfs of the PID namespace that `kill` acts in.
  std::string proc_root = "/proc";
  // 0 or an errno value. Empty: kill(2).
  std::function<int(pid_t pid, int signal)> kill = nullptr;
};

// Sentinels are written into every directory of `targets`.
//
// http: POST {"changeId":"…"} as JSON; 2xx is success, a redirect is not followed.
// sentinel: replaces <target>/<path> (mode 0444) by a file that holds the change id, so that its
//   content and its inode change. A path that a published file or link has is refused.
// signal: every process whose /proc/<pid>/comm is the name (the kernel keeps 15 characters), except
//   this process, zombies, and pid 1, which in a shared namespace is the pause container or an
//   init.
// exec: argv[0] is an absolute path; no shell; own process group, killed as a whole at the
// deadline;
//   /dev/null for all three streams; this process's environment without AWS credentials, and
//   KEYTURN_CHANGE_ID.
// ERRORS: INVALID_ARGUMENT for a URL, path, signal name or argv that can never work.
Result<std::unique_ptr<NotifyChannel>> CreateNotifyChannel(const plan::Notify& spec,
                                                           const std::vector<std::string>& targets,
                                                           const NotifyDependencies& dependencies);

// A state machine without a thread: the owner calls Changed() on publication and Run() when
// NextDue() passes. A failing channel never delays another channel or the next publication for
// longer than `timeout` per attempt. A change that comes while a failed channel waits for its next
// attempt replaces it: attempts start anew with the new change id. Metrics:
// keyturn_notify_total{kind,result} with result "success", "retry" (an attempt failed, another will
// follow) or "failure" (given up); keyturn_notify_last_success_timestamp_seconds{kind}. THREAD: one
// call at a time.
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
