// `run`: delivers until a signal.
// SPDX-License-Identifier: Apache-2.0
#include <signal.h>

#include "agent/commands.h"
#include "agent/service.h"
#include "agent/setup.h"
#include "lib/base/event_loop.h"

namespace keyturn::agent {
namespace {

// From the first instruction on: a SIGHUP that comes before the loop listens must wait, not end the
// program.
void HoldSignals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&set, signal);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
}

Status Serve(Setup& setup, const Options& options) {
  KEYTURN_ASSIGN_OR_RETURN(const std::unique_ptr<EventLoop> loop,
                           CreateEventLoop(setup.runtime->clock));
  Service service(setup, options, *loop);
  return service.Run();
}

}  // namespace

int RunCommand(const Options& options) {
  HoldSignals();
  Result<Setup> setup = SetUp(options);
  if (!setup.ok()) return Fail(kExitUsage, setup.status());
  const Status status = Serve(*setup, options);
  return status.ok() ? kExitOk : Fail(kExitFailed, status);
}

}  // namespace keyturn::agent
