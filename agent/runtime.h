// Runtime: the real clock, file system, transport, logger and metrics of one agent process.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/random.h"
#include "lib/base/sleeper.h"
#include "lib/config/environment.h"
#include "lib/delivery/pipeline.h"
#include "lib/fs/file_system.h"
#include "lib/metrics/registry.h"
#include "lib/net/http_transport.h"

namespace keyturn::agent {

// Owns what main() wires together. THREAD: the members are safe to use from any thread.
struct Runtime {
  SystemClock clock;
  SystemSleeper sleeper;
  SystemRandom random;
  std::unique_ptr<Logger> logger;
  metrics::Registry metrics;
  std::unique_ptr<fs::FileSystem> file_system;
  config::Environment environment;
  // Without proxy: for notifications.
  std::unique_ptr<net::HttpTransport> direct_transport;

  explicit Runtime(config::Environment environment_in) : environment(std::move(environment_in)) {}

  delivery::PipelineDependencies PipelineDeps();
  // The clients of a Plan. ERRORS: those of CreateAwsClientPool. The Runtime outlives them.
  Result<std::shared_ptr<delivery::ClientPool>> MakeClients(const plan::Plan& plan);
};

// ERRORS: INVALID_ARGUMENT for an unknown log level.
Result<std::unique_ptr<Runtime>> CreateRuntime(const std::string& log_level);

// No core dumps, no ptrace by other processes, memory locked as far as the limits allow, SIGPIPE
// and SIGIO ignored. Best effort: what the platform refuses is logged at debug level.
void HardenProcess(Logger& logger);

// Gives free heap pages back to the kernel: between passes the agent idles for minutes. Costs some
// 0.1 ms.
void ReleaseUnusedMemory();

}  // namespace keyturn::agent
