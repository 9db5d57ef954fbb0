// Worker: the one thread that runs the Pipeline.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "agent/runtime.h"
#include "agent/state_file.h"
#include "lib/base/mutex.h"
#include "lib/base/result.h"
#include "lib/delivery/await_watcher.h"
#include "lib/delivery/pipeline.h"
#include "lib/plan/plan.h"

namespace keyturn::agent {

// Runs a pass whenever the Pipeline is due, a hint arrives, somebody forces one or the Plan
// changed. THREAD: Wake, ReplacePlan and ReportPlanError from any thread; the rest from the
// owner's.
class Worker {
 public:
  // Called on the worker's thread after every pass and at the start.
  using StateSink = std::function<void(const AgentState&)>;

  Worker(Runtime& runtime, std::unique_ptr<delivery::Pipeline> pipeline, StateSink sink);
  ~Worker();

  void Start();
  // Runs a pass soon; of several waiting reasons the strongest wins.
  void Wake(delivery::PassReason reason);
  // Hands over a new valid Plan. One that the Pipeline refuses is the state's plan error and is
  // tried again every kRefusedPlanRetry and at every wake: what it needs (a mount, another
  // process's lock) may come later.
  void ReplacePlan(plan::Plan plan);
  void ReportPlanError(std::string message);
  // Interrupts whatever is running and joins.
  void Stop();

 private:
  struct Work {
    std::optional<delivery::PassReason> reason;
    std::optional<plan::Plan> plan;
    std::optional<std::string> plan_error;
  };

  void Loop(const std::stop_token& stop);
  // Waits until something is to be done; an empty reason means that only the Plan's error changed.
  Work WaitForWork(const std::stop_token& stop);
  void Adopt(Work& work);
  bool RetryDue(delivery::PassReason reason) const;
  void TryPlan(plan::Plan plan);
  void Publish();

  Runtime& runtime_;
  const std::unique_ptr<delivery::Pipeline> pipeline_;
  const StateSink sink_;
  delivery::AwaitWatcher watcher_;  // worker thread, and Stop after its end
  std::string plan_error_;          // worker thread only
  std::string last_error_;          // worker thread only
  // The newest Plan while the Pipeline refuses it; worker thread only.
  std::optional<plan::Plan> refused_plan_;
  MonoTime refused_retry_ = MonoTime::max();

  Mutex mutex_;
  CondVar changed_;
  Work pending_ KEYTURN_GUARDED_BY(mutex_);
  std::jthread thread_;
};

}  // namespace keyturn::agent
