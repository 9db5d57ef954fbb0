// Wiper: removes files so that their bytes are overwritten once nobody reads them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/fs/file_system.h"
#include "lib/metrics/registry.h"

namespace keyturn::delivery {

// Per file: open, unlink, take a write lease on the open descriptor, overwrite, close. After the
// unlink nobody can open the file and read zeros; the lease says that nobody has it open or mapped,
// so that a reader who opened it before reads the complete old bytes. A refused lease is retried by
// RetryPending until `grace` has passed, then the descriptor is closed without wiping and counted.
// Where leases are not supported the file is unlinked without wiping.
// Metrics: keyturn_wipe_files_total{result="wiped"|"in_use"|"unsupported"|"error"},
// keyturn_wipe_pending_files. REQUIRES: SIGIO is ignored by the process (opening a leased file
// signals its holder). THREAD: one call at a time.
class Wiper {
 public:
  struct Options {
    std::chrono::milliseconds grace{60'000};
    size_t max_pending = 256;  // descriptors held open; beyond it files are closed unwiped
  };

  virtual ~Wiper() = default;
  // Unlinks and wipes every file below `directory`, then removes it; anything else than a directory
  // is removed like RemoveFile does. What is missing counts as done. Goes on after an error and
  // returns the first; a file that could not be wiped but is gone is not an error.
  virtual Status RemoveTree(const std::string& directory) = 0;
  // Unlinks and wipes one file; a symlink or special file is only unlinked.
  virtual Status RemoveFile(const std::string& path) = 0;
  // Tries refused files again; the number that is still waiting.
  virtual size_t RetryPending() = 0;
};

std::unique_ptr<Wiper> CreateWiper(fs::FileSystem& fs, Clock& clock, Logger& logger,
                                   metrics::Registry& metrics, Wiper::Options options);

}  // namespace keyturn::delivery
