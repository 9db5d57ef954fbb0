// What the command line of keyturn-agent says.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>

namespace keyturn::agent {

struct Options {
  // The Plan as a file, or inline ("--plan-json", what a pod's container spec carries).
  std::string plan_file;
  std::string plan_json;
  // Where the agent keeps state.json (0600). Empty: ".keyturn" beside the first target.
  std::string state_dir;
  // "127.0.0.1:9090": serves /metrics, /status, /healthz, /readyz. Empty: no listener at all.
  std::string listen;
  std::string log_level = "info";
  // once: give up after this long.
  std::string deadline = "2m";
  // ready, /readyz: fail when content is staler than refresh.maxStaleness.
  bool unready_when_stale = false;
  // render: print contents, not only names.
  bool show_values = false;
  // status: machine-readable.
  bool json = false;
  // How often the Plan file is looked at.
  std::string plan_check = "5s";
  // onRevoked: remove acts once deletion or denial was answered throughout so long.
  std::string revocation_grace = "5m";
  std::string notify_debounce = "1s";
  std::string notify_splay = "0";
};

// Exit codes, the same for every command.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;    // the work failed: a secret, a target, a deadline
inline constexpr int kExitUsage = 2;     // flags or Plan are wrong: trying again does not help
inline constexpr int kExitNotReady = 3;  // ready: not yet

}  // namespace keyturn::agent
