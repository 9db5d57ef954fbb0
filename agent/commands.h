// The commands of keyturn-agent. Each returns the process's exit code (agent/options.h).
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "agent/options.h"

namespace keyturn::agent {

// Delivers until SIGTERM or SIGINT. SIGHUP forces a check of every secret. Transient errors never
// end it.
int RunCommand(const Options& options);

// Delivers once, retrying until --deadline; for init containers and scripts.
int OnceCommand(const Options& options);

// 0 when every target is complete; else prints why, by secret. Reads the state file only: no
// network.
int ReadyCommand(const Options& options);

// Prints per file the version, when it was rendered and last checked, and the error if any.
int StatusCommand(const Options& options);

// Fetches and renders without publishing; prints names, modes and sizes, with --show-values the
// contents.
int RenderCommand(const Options& options);

}  // namespace keyturn::agent
