// Service: the running agent, from its first attempt to start until a signal ends it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "agent/setup.h"
#include "agent/state_keeper.h"
#include "agent/worker.h"
#include "lib/base/event_loop.h"
#include "lib/net/http_server.h"

namespace keyturn::agent {

// Owns the loop of signals and timers, the state, the listener and the worker. What a start needs
// and what may come later (a mount, free space, another process's lock) is waited for with
// back-off; the state says what is missing. THREAD: Run on the program's first thread.
class Service {
 public:
  // All outlive the Service.
  Service(Setup& setup, const Options& options, EventLoop& loop);

  // Until SIGTERM or SIGINT. ERRORS: INVALID_ARGUMENT and FAILED_PRECONDITION of a start: only a
  // change of the configuration helps.
  Status Run();

 private:
  void OnSignal(int signal);
  void AttemptStart();
  Status Start();
  Status StartListener();
  void RetryLater(const Status& status);
  void KeepStarting(std::string why);
  void WatchPlan();
  void CheckPlan();
  void TakePlan(plan::Plan plan);
  void ReportPlanError(const Status& status);
  void Shutdown();

  Runtime& runtime_;
  const Options& options_;
  const Timing& timing_;
  PlanSource& source_;
  EventLoop& loop_;
  StateKeeper keeper_;
  std::unique_ptr<net::HttpServer> listener_;
  std::optional<Worker> worker_;  // once the start succeeded

  // Until then:
  plan::Plan plan_;
  std::string plan_error_;
  std::string start_error_;
  std::chrono::milliseconds backoff_;
  TimerId retry_ = 0;
  Status outcome_;
};

}  // namespace keyturn::agent
