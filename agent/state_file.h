// The agent's state as JSON: what `ready`, `status` and /status show. Names, ids and codes; never a
// value. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/delivery/pipeline.h"
#include "lib/fs/file_system.h"
#include "lib/plan/plan.h"

namespace keyturn::agent {

struct AgentState {
  bool ready = false;
  bool stale = false;
  WallTime updated{};
  std::string plan_error;  // why the newest Plan was not taken; empty when it was
  std::string last_error;  // of the last pass; empty when it succeeded
  delivery::PipelineStatus pipeline;
};

// What a pipeline's status says at `now`; `last_error` is the last pass's message.
AgentState MakeState(const delivery::PipelineStatus& pipeline, std::string last_error,
                     WallTime now);

// Looks whether what the state promises is still there: a target whose "..data" leads nowhere is
// not complete, and the state not ready. The agent that wrote the state may be dead.
void VerifyTargets(fs::FileSystem& file_system, AgentState& state);

std::string FormatState(const AgentState& state);
// ERRORS: INVALID_ARGUMENT. Fields that are missing keep their defaults: an older agent may have
// written it.
Result<AgentState> ParseState(std::string_view json);

// Why the agent is not ready, one line per failing secret and cause; for an exec probe's output.
std::string ExplainState(const AgentState& state);

// A table of files for people.
std::string FormatStateForPeople(const AgentState& state);

// `options_state_dir`, else ".keyturn" beside the first target.
std::string StateDirectory(const std::string& options_state_dir, const plan::Plan& plan);

inline constexpr std::string_view kStateFileName = "state.json";

}  // namespace keyturn::agent
