// Pipeline: executes one Plan: fetch, render, publish, notify; and knows when to do it again.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/call_context.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/random.h"
#include "lib/base/result.h"
#include "lib/base/sleeper.h"
#include "lib/base/snapshot.h"
#include "lib/delivery/fetch.h"
#include "lib/delivery/notify.h"
#include "lib/delivery/wiper.h"
#include "lib/fs/file_system.h"
#include "lib/metrics/registry.h"
#include "lib/net/http_transport.h"
#include "lib/plan/plan.h"

namespace keyturn::delivery {

// The state of one file of the Plan. SECURITY: names, ids and codes; never a value.
struct FileStatus {
  std::string target;
  std::string path;
  std::string secret;  // ARN when known, else the id as the Plan wrote it; several joined with ", "
  std::string version_id;  // published
  std::string stage;
  std::optional<WallTime> rendered_at;  // when the published content was rendered
  std::optional<WallTime> last_check;   // last successful comparison with the service
  StatusCode error = StatusCode::kOk;   // of the last attempt
  std::string error_message;
};

struct TargetStatus {
  std::string path;
  std::string generation;  // published directory's name; empty before the first
  bool complete = false;
  Status last_error;
};

struct PipelineStatus {
  bool ready = false;  // every target shows a complete generation
  bool stale = false;  // the oldest last_check is older than maxStaleness
  std::vector<TargetStatus> targets;
  std::vector<FileStatus> files;
};

// All REQUIRED; outlive the Pipeline.
struct PipelineDependencies {
  Clock* clock = nullptr;
  Sleeper* sleeper = nullptr;
  Random* random = nullptr;
  Logger* logger = nullptr;
  metrics::Registry* metrics = nullptr;
  fs::FileSystem* file_system = nullptr;
  net::HttpTransport* notify_transport = nullptr;  // for HTTP notifications; no proxy
  // Makes the clients of a Plan, without any network call: CreateAwsClientPool. Called by Create
  // and Reconfigure.
  std::function<Result<std::shared_ptr<ClientPool>>(const plan::Plan&)> make_clients;
};

struct PipelineOptions {
  NotifyOptions notify;
  std::chrono::milliseconds fetch_timeout{30'000};  // of one pass's calls
  // Backoff between passes while something fails: min doubles up to max (then the interval rules).
  std::chrono::milliseconds retry_min{1'000};
  std::chrono::milliseconds retry_max{60'000};
  // onRevoked: remove acts only when deletion or denial was answered throughout this period.
  std::chrono::milliseconds revocation_grace{std::chrono::minutes(5)};
  // Ask DescribeSecret for rotation schedules, so that rotations are seen soon: in the Run after a
  // pass, which is due at once, so that the pass itself ends without waiting for it.
  bool watch_rotations = true;
  // Of the DescribeSecret calls after a pass; what does not fit is asked after the next.
  std::chrono::milliseconds describe_timeout{10'000};
  Wiper::Options wiper;
  std::string proc_root = "/proc";
};

enum class PassReason { kStart, kInterval, kHint, kForced, kPlanChanged };

// A state machine without a thread: its owner (the agent's worker, the CSI driver) calls Run() when
// NextDue() passes or something happened.
//
// What a pass guarantees per target: it shows one complete generation, rendered from one set of
// values, or what it showed before.
//   - A file that fails keeps the whole target at its last generation; other targets go on. The
//     failing targets alone are retried with back-off, besides the full pass at every interval.
//   - An optional file whose secret, version or key is missing is left out, also when it was
//     published before.
//   - onRevoked remove: a secret that is gone (IsGone) or denied at every attempt throughout
//     revocation_grace has its files taken out of targets that were published before; they come
//     back when the secret does. A target's first generation is never published without them.
//   - A change is notified, unless it is a target's first generation: whoever reads it for the
//     first time has nothing to reload. A generation left by an earlier process counts as one.
//   - A target directory that does not exist is created with mode 0755 if its parent exists.
//
// Metrics: keyturn_ready, keyturn_staleness_seconds (of the stalest file, as of the last Run),
// keyturn_pass_duration_seconds, keyturn_target_generation_changes_total{target},
// keyturn_secret_last_check_timestamp_seconds{secret,region,stage}; and the Fetcher's, Wiper's and
// Notifier's. Failures are logged when they begin, when they change and every 10 minutes.
// THREAD: one call at a time, except status(), which any thread may call.
class Pipeline {
 public:
  // Opens the targets; makes no network call. ERRORS: those of make_clients, CreateNotifyChannel
  // and AtomicWriter::Create (a target that cannot be published into).
  static Result<std::unique_ptr<Pipeline>> Create(const PipelineDependencies& dependencies,
                                                  plan::Plan plan, PipelineOptions options);
  virtual ~Pipeline() = default;

  // Executes another Plan from now on; a full pass is due at once. Targets of both Plans keep
  // their content until that pass; a target that is no longer named is emptied: its links are
  // removed and its files wiped (the directory stays, since containers may have it mounted).
  // On error the old Plan stays in force and nothing was touched. ERRORS: as Create.
  virtual Status Reconfigure(plan::Plan plan) = 0;

  // Does what is due: fetches and publishes (all keys when `reason` is not kInterval), delivers
  // notifications, retries wipes. OK when every target is complete and fresh; else the first
  // failure, naming the secret: "secret prod/db: PERMISSION_DENIED: …". CANCELLED on a stop
  // request, with nothing published.
  virtual Status Run(PassReason reason, const CallContext& context) = 0;
  virtual MonoTime NextDue() const = 0;
  // The parts of NextDue() that finish what was published: when a notification is to be delivered,
  // and when files that readers still held open are tried again. Empty when nothing is pending.
  // For an owner that is about to end.
  virtual std::optional<MonoTime> NotifyDue() const = 0;
  virtual std::optional<MonoTime> WipeDue() const = 0;
  virtual std::shared_ptr<const PipelineStatus> status() const = 0;
  // What a push watcher waits for: per FetchKey of a secret without fixed version the version that
  // is published ("" for none).
  virtual std::map<FetchKey, std::string> KnownVersions() const = 0;
  virtual const plan::Plan& plan() const = 0;
  // The clients of plan(), for a push watcher.
  virtual std::shared_ptr<ClientPool> clients() const = 0;
};

}  // namespace keyturn::delivery
