// SPDX-License-Identifier: Apache-2.0
#include "agent/setup.h"

#include <cstdio>
#include <utility>

#include "lib/config/units.h"

namespace keyturn::agent {
namespace {

Result<Timing> ParseTiming(const Options& options) {
  Timing timing;
  KEYTURN_ASSIGN_OR_RETURN(timing.deadline, config::ParseDuration(options.deadline));
  KEYTURN_ASSIGN_OR_RETURN(timing.plan_check, config::ParseDuration(options.plan_check));
  KEYTURN_ASSIGN_OR_RETURN(timing.revocation_grace,
                           config::ParseDuration(options.revocation_grace));
  KEYTURN_ASSIGN_OR_RETURN(timing.notify.debounce, config::ParseDuration(options.notify_debounce));
  KEYTURN_ASSIGN_OR_RETURN(timing.notify.splay, config::ParseDuration(options.notify_splay));
  if (timing.plan_check < std::chrono::milliseconds(100)) {
    return InvalidArgumentError("--plan-check: at least 100ms");
  }
  return timing;
}

}  // namespace

Result<Setup> SetUp(const Options& options) {
  Setup setup;
  KEYTURN_ASSIGN_OR_RETURN(setup.runtime, CreateRuntime(options.log_level));
  HardenProcess(*setup.runtime->logger);
  KEYTURN_ASSIGN_OR_RETURN(setup.timing, ParseTiming(options));
  setup.source = std::make_unique<PlanSource>(*setup.runtime->file_system, options.plan_file,
                                              options.plan_json);
  KEYTURN_ASSIGN_OR_RETURN(setup.plan, setup.source->Load());
  return setup;
}

Result<std::unique_ptr<delivery::Pipeline>> CreatePipeline(Runtime& runtime, plan::Plan plan,
                                                           const Timing& timing,
                                                           bool keep_running) {
  delivery::PipelineOptions options;
  options.notify = timing.notify;
  options.revocation_grace = timing.revocation_grace;
  options.watch_rotations = keep_running;
  return delivery::Pipeline::Create(runtime.PipelineDeps(), std::move(plan), std::move(options));
}

int Fail(int code, const Status& status) {
  std::fprintf(stderr, "keyturn-agent: %s\n", status.message().c_str());
  return code;
}

}  // namespace keyturn::agent
