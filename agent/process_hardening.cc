// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "agent/runtime.h"
#include "lib/base/strings.h"

namespace keyturn::agent {
namespace {

void NoteFailure(Logger& logger, std::string_view what) {
  logger.Debug(ErrnoToStatus(errno, StrCat("not hardened: ", what)).message());
}

// Only where no limit could turn a later allocation into a failure: MCL_FUTURE counts every mapping
// against RLIMIT_MEMLOCK. ONFAULT locks pages as they are touched, so that the binary's unused
// pages stay on disk.
void LockMemory(Logger& logger) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur != RLIM_INFINITY) {
    logger.Debug("memory is not locked: RLIMIT_MEMLOCK is limited");
    return;
  }
  if (::mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0) NoteFailure(logger, "lock memory");
}

}  // namespace

void HardenProcess(Logger& logger) {
  // One heap for all threads: a second arena would cost each pod 130 KiB, and threads here rarely
  // allocate at once.
  ::mallopt(M_ARENA_MAX, 1);
  const rlimit none{0, 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0) NoteFailure(logger, "core dumps off");
  // Not dumpable also closes /proc/<pid>/mem and ptrace to processes of the same uid.
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) NoteFailure(logger, "not dumpable");
  LockMemory(logger);
  // A peer that closes early is an error code, not the end of the program.
  ::signal(SIGPIPE, SIG_IGN);
  // Somebody opening a leased file while it is wiped; the default action would end the program.
  ::signal(SIGIO, SIG_IGN);
}

void ReleaseUnusedMemory() {
  ::malloc_trim(0);
}

}  // namespace keyturn::agent
