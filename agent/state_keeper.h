// StateKeeper: where the agent's newest state is found by its probes and its listener.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "agent/state_file.h"
#include "lib/base/log.h"
#include "lib/base/snapshot.h"
#include "lib/base/status.h"
#include "lib/fs/file_system.h"

namespace keyturn::agent {

// Keeps the state in memory for the listener and in `directory`/state.json (0600) for `ready` and
// `status`. One process at a time writes there: the directory is locked while the keeper lives.
// THREAD: one call at a time, except snapshot().
class StateKeeper {
 public:
  // `file_system` and `logger` outlive the keeper.
  StateKeeper(fs::FileSystem& file_system, Logger& logger, std::string directory);

  // Makes and locks the directory. SECURITY: it may lie in a volume where everybody may create
  // names, so it is used only if it is a real directory of our own that nobody else may write to; a
  // ".keyturn", which is the agent's own, gets mode 0700. Other names may be a directory with other
  // uses, whose mode is left alone. ERRORS: FAILED_PRECONDITION with the remedy, UNAVAILABLE when
  // another process keeps its state there, and those of mkdir(2).
  Status Prepare();

  // Changes the directory, before there is a state worth keeping. Prepare() comes next.
  void MoveTo(std::string directory);

  // Shows `state` from now on; the snapshot always, the file if the directory can be used. When a
  // state that is not ready cannot be written, an older file is removed: better none than a wrong
  // one. Failures are logged.
  void Keep(const AgentState& state);

  const Snapshot<AgentState>& snapshot() const { return snapshot_; }

 private:
  Status Verify() const;
  Status Write(const AgentState& state);
  std::string FilePath() const;

  fs::FileSystem& file_system_;
  Logger& logger_;
  std::string directory_;
  std::unique_ptr<fs::FileLock> lock_;  // empty until Prepare succeeds
  Snapshot<AgentState> snapshot_;
};

}  // namespace keyturn::agent
