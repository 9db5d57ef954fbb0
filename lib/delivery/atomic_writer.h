// AtomicWriter: publishes a set of files as one generation, in kubelet's layout and order.
//
//   <target>/..2026_11_23_10_00_00.a1b2c3/   the files of one generation
//   <target>/..data -> ..2026_11_23_10_00_00.a1b2c3
//   <target>/password -> ..data/password
//
// Source: kubernetes pkg/volume/util/atomic_writer.go (layout and order); docs/publishing.md (what
// differs). SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/random.h"
#include "lib/base/result.h"
#include "lib/base/sleeper.h"
#include "lib/delivery/render.h"
#include "lib/delivery/wiper.h"
#include "lib/fs/file_system.h"

namespace keyturn::delivery {

struct AtomicWriterOptions {
  std::string target;       // an existing directory, absolute
  bool allow_disk = false;  // publish although the target is not memory-backed
  // How long Publish waits between the flip and the removal of the old generation. A reader that
  // loses the processor between reading "..data" and looking up what it names would otherwise find
  // the name gone (ENOENT; seen in up to 1 of 100 flips on overloaded processors), and one that
  // reads through an open directory needs time for its files. Twice the scheduling period of CPU
  // quotas; not longer, because Publish blocks and the old secret stays readable meanwhile.
  std::chrono::milliseconds linger{200};
};

struct PublishResult {
  // The visible content changed since the last OK: a generation was published, or links were
  // repaired. False: nothing was touched, not even opened, so that no watch of any kind fires
  // (after a restart the first call has to read the files once).
  bool changed = false;
  std::string generation;  // name of the published directory
};

// Cleans and checks the paths of a payload: not empty, not absolute, ≤ 4096 bytes, components ≤ 255
// bytes, no "..", no NUL, first component not starting with "..", no duplicates, no file that is
// also a directory; and modes ≤ 0777. The cleaned paths are written back; on error `files` is
// partly cleaned. ERRORS: INVALID_ARGUMENT naming the path as it was given.
// Source: kubernetes pkg/volume/util/atomic_writer.go, validatePath; unlike there the rules apply
// to the cleaned path.
Status ValidatePayload(std::vector<RenderedFile>& files);

// The order of one publication: build the generation in a 0700 directory; chmod it 0755; symlink
// ..data_tmp; rename it over ..data (the point of publication); create missing links; remove stale
// links; linger; wipe the old generation. No fsync: tmpfs. THREAD: one call at a time. One writer
// per target, enforced by flock(2) on the target directory for this object's life.
class AtomicWriter {
 public:
  // All pointers outlive the writer and, but for the last, are REQUIRED.
  struct Dependencies {
    fs::FileSystem* file_system = nullptr;
    Clock* clock = nullptr;
    Random* random = nullptr;
    Logger* logger = nullptr;
    Wiper* wiper = nullptr;
    Sleeper* sleeper = nullptr;  // not REQUIRED: without it the old generation goes at once
  };

  // Takes the lock, collects what earlier crashes left and repairs the links of the generation that
  // is published, so that readiness does not have to wait for the first Publish.
  // ERRORS: NOT_FOUND when the target does not exist; FAILED_PRECONDITION when it is not a
  // directory (a symlink counts as none), not memory-backed while allow_disk is off, or sticky and
  // world-writable (with fs.protected_symlinks=1 nobody else could follow links in it: docs/
  // publishing.md); UNAVAILABLE when another writer publishes there; INVALID_ARGUMENT for a
  // relative path.
  static Result<std::unique_ptr<AtomicWriter>> Create(const Dependencies& dependencies,
                                                      AtomicWriterOptions options);

  virtual ~AtomicWriter() = default;

  // Publishes exactly `files`: after OK the target shows these and nothing else of ours. Compares
  // content, mode, uid and gid with the published generation and touches nothing when they agree.
  // A file without uid or gid gets those of a new file of this process. On error before the point
  // of publication the last generation stays published and complete and the unfinished one is
  // removed; on error after it (links) the next call finishes the work and reports `changed`.
  // ERRORS: INVALID_ARGUMENT for paths and modes, RESOURCE_EXHAUSTED for a full file system,
  // ALREADY_EXISTS when a foreign file occupies a visible name, NOT_FOUND when the target is gone,
  // FAILED_PRECONDITION when it was replaced, PERMISSION_DENIED for chown and read-only mounts.
  virtual Result<PublishResult> Publish(std::vector<RenderedFile> files) = 0;

  // True when "..data" names a generation of ours, each of its top-level names has its link, and
  // every link of ours resolves.
  virtual bool HasCompleteGeneration() = 0;
};

}  // namespace keyturn::delivery
