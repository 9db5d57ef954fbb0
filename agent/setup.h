// Setup: what `run` and `once` begin with.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>

#include "agent/options.h"
#include "agent/plan_source.h"
#include "agent/runtime.h"
#include "lib/base/result.h"
#include "lib/delivery/pipeline.h"
#include "lib/plan/plan.h"

namespace keyturn::agent {

// The durations of the command line, parsed.
struct Timing {
  std::chrono::milliseconds deadline{};
  std::chrono::milliseconds plan_check{};
  std::chrono::milliseconds revocation_grace{};
  delivery::NotifyOptions notify;
};

struct Setup {
  std::unique_ptr<Runtime> runtime;
  std::unique_ptr<PlanSource> source;
  Timing timing;
  plan::Plan plan;
};

// ERRORS: those of the flags and of PlanSource::Load: trying again does not help.
Result<Setup> SetUp(const Options& options);

// `keep_running`: rotation schedules are asked for. ERRORS: those of Pipeline::Create.
Result<std::unique_ptr<delivery::Pipeline>> CreatePipeline(Runtime& runtime, plan::Plan plan,
                                                           const Timing& timing, bool keep_running);

// Prints the failure to stderr and returns `code`.
int Fail(int code, const Status& status);

}  // namespace keyturn::agent
