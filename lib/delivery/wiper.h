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
// unlink nobody can open the file and read zeros; the lease says that nobody has it open or mapped.
// A refused lease is retried by RetryPending until `grace` has passed, then the descriptor is
// closed without wiping and counted. Where leases are not supported the file is unlinked without
// wiping. REQUIRES: SIGIO is ignored by the process. THREAD: one call at a time.
class Wiper {
 public:
  struct Options {
    std::chrono::milliseconds grace{60'000};
    size_t max_pending = 256;  // descriptors held open; beyond it files are closed unwiped
  };

  virtual ~Wiper() = default;
  // Unlinks and wipes every file below `directory`, then removes it. What is missing counts as
  // done.
  virtual Status RemoveTree(const std::string& directory) = 0;
  // Unlinks and wipes one file.
  virtual Status RemoveFile(const std::string& path) = 0;
  // Tries refused files again; the number that is still waiting.
  virtual size_t RetryPending() = 0;
};

std::unique_ptr<Wiper> CreateWiper(fs::FileSystem& fs, Clock& clock, Logger& logger,
                                   metrics::Registry& metrics, Wiper::Options options);

}  // namespace keyturn::delivery
