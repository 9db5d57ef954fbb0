// AtomicWriter: publishes a set of files as one generation, in kubelet's layout and order.
//
//   <target>/..2026_11_23_10_00_00.a1b2c3/   the files of one generation
//   <target>/..data -> ..2026_11_23_10_00_00.a1b2c3
//   <target>/password -> ..data/password
//
// Source: kubernetes pkg/volume/util/atomic_writer.go (layout and order); docs/publishing.md (what
// differs). SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/random.h"
#include "lib/base/result.h"
#include "lib/delivery/render.h"
#include "lib/delivery/wiper.h"
#include "lib/fs/file_system.h"

namespace keyturn::delivery {

struct AtomicWriterOptions {
  std::string target;       // an existing directory, absolute
  bool allow_disk = false;  // publish although the target is not memory-backed
};

struct PublishResult {
  bool changed = false;    // false: nothing was touched
  std::string generation;  // name of the published directory
};

// Cleans and checks the paths of a payload: not empty, not absolute, ≤ 4096 bytes, components ≤ 255
// bytes, no
// "..", first component not starting with "..", no duplicates, no file that is also a directory.
// The cleaned paths are written back.
Status ValidatePayload(std::vector<RenderedFile>& files);

// THREAD: one call at a time. One writer per target, enforced by a lock for this object's life.
class AtomicWriter {
 public:
  // All pointers are REQUIRED and outlive the writer. Takes the lock and collects what earlier
  // crashes left.
  struct Dependencies {
    fs::FileSystem* file_system = nullptr;
    Clock* clock = nullptr;
    Random* random = nullptr;
    Logger* logger = nullptr;
    Wiper* wiper = nullptr;
  };

  // ERRORS: NOT_FOUND when the target does not exist, FAILED_PRECONDITION when it is not
  // memory-backed and allow_disk is off, or not a directory, or its own mode makes links unreadable
  // to others (sticky and world-writable with links of ours); UNAVAILABLE when another process
  // publishes there.
  static Result<std::unique_ptr<AtomicWriter>> Create(const Dependencies& dependencies,
                                                      AtomicWriterOptions options);

  virtual ~AtomicWriter() = default;

  // Publishes exactly `files`: after OK the target shows these and nothing else of ours. Compares
  // content, mode, uid and gid with the published generation and touches nothing when they agree.
  // On error the last generation stays published and complete and the unfinished one is removed.
  // ERRORS: INVALID_ARGUMENT for paths, RESOURCE_EXHAUSTED for a full file system, ALREADY_EXISTS
  // when a foreign file occupies a visible name.
  virtual Result<PublishResult> Publish(std::vector<RenderedFile> files) = 0;

  // True when "..data" names a directory and every visible link of ours resolves.
  virtual bool HasCompleteGeneration() = 0;
};

}  // namespace keyturn::delivery
