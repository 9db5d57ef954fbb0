// Pipeline: executes one Plan: fetch, render, publish, notify; and knows when to do it again.
// SPDX-License-Identifier: Apache-2.0
#pragma once

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
};

struct PipelineOptions {
  NotifyOptions notify;
  std::chrono::milliseconds fetch_timeout{30'000};  // of one pass's calls
  // Backoff between passes while something fails: min doubles up to max (then the interval rules).
  std::chrono::milliseconds retry_min{1'000};
  std::chrono::milliseconds retry_max{60'000};
  // onRevoked: remove acts only when deletion or denial was answered throughout this period.
  std::chrono::milliseconds revocation_grace{std::chrono::minutes(5)};
  std::string proc_root = "/proc";
};

enum class PassReason { kStart, kInterval, kHint, kForced, kPlanChanged };

// A state machine without a thread: its owner (the agent's worker, the CSI driver) calls Run() when
// NextDue() passes or something happened. THREAD: one call at a time, except status(), which any
// thread may call.
class Pipeline {
 public:
  // ERRORS: those of AtomicWriter::Create (a target that cannot be published into).
  static Result<std::unique_ptr<Pipeline>> Create(const PipelineDependencies& dependencies,
                                                  plan::Plan plan,
                                                  std::shared_ptr<ClientPool> clients,
                                                  PipelineOptions options);
  virtual ~Pipeline() = default;

  // Does what is due: fetches and publishes (all keys when `reason` is not kInterval), delivers
  // notifications, retries wipes. OK when every target is complete and fresh; else the first
  // failure, naming the secret.
  virtual Status Run(PassReason reason, const CallContext& context) = 0;
  virtual MonoTime NextDue() const = 0;
  virtual std::shared_ptr<const PipelineStatus> status() const = 0;
  // What a push watcher waits for: per FetchKey of a secret the version that is published ("" for
  // none).
  virtual std::map<FetchKey, std::string> KnownVersions() const = 0;
  virtual const plan::Plan& plan() const = 0;
};

}  // namespace keyturn::delivery
