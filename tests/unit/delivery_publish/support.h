// Volumes on tmpfs, payloads, and a check of what is published that shares no code with the writer.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "lib/delivery/atomic_writer.h"
#include "lib/delivery/wiper.h"
#include "lib/fs/file_system.h"
#include "lib/metrics/registry.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_logger.h"
#include "tests/fakes/fake_random.h"

namespace keyturn::testing {

struct FileSpec {
  std::string path;
  std::string content;
  uint32_t mode = 0444;
  std::optional<uint32_t> uid = std::nullopt;
  std::optional<uint32_t> gid = std::nullopt;
};

using Payload = std::vector<FileSpec>;

std::vector<delivery::RenderedFile> Render(const Payload& payload);

// An empty directory of its own on tmpfs (/dev/shm), removed with everything in it.
class TmpfsDirectory {
 public:
  TmpfsDirectory();
  ~TmpfsDirectory();
  TmpfsDirectory(const TmpfsDirectory&) = delete;
  TmpfsDirectory& operator=(const TmpfsDirectory&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Everything that an AtomicWriter needs, over any FileSystem.
class Publisher {
 public:
  explicit Publisher(fs::FileSystem& file_system, uint64_t seed = 1,
                     delivery::Wiper::Options options = {});

  // Without `sleeper` the fake clock is the sleeper: it counts waits and takes no time.
  Result<std::unique_ptr<delivery::AtomicWriter>> Create(const std::string& target,
                                                         bool allow_disk = false,
                                                         Sleeper* sleeper = nullptr);

  FakeClock& clock() { return clock_; }

  FakeLogger& logger() { return logger_; }

  delivery::Wiper& wiper() { return *wiper_; }

  // keyturn_wipe_files_total{result=…}.
  double wiped(const std::string& result);

 private:
  fs::FileSystem& fs_;
  FakeClock clock_;
  FakeRandom random_;
  FakeLogger logger_;
  metrics::Registry metrics_;
  std::unique_ptr<delivery::Wiper> wiper_;
};

// Create and Publish with a fresh writer on the real file system.
Result<delivery::PublishResult> PublishOnce(const std::string& target, const Payload& payload,
                                            uint64_t seed = 1);

// The whole of a file by plain system calls; "<errno: …>" when it cannot be read.
std::string Slurp(const std::string& path);
void Spill(const std::string& path, const std::string& content);
std::set<std::string> Names(const std::string& directory);
std::string LinkTextOf(const std::string& path);

// What differs between the published generation (below ..data) and `payload`, in names, types,
// bytes, modes and owners; empty when nothing does.
std::string DiffGeneration(const std::string& target, const Payload& payload);

// What is wrong with the visible names of `payload`; empty when each reads completely.
std::string DiffVisible(const std::string& target, const Payload& payload);

// Everything: generation, visible names, and that the target holds nothing else but `extra`.
std::string DiffVolume(const std::string& target, const Payload& payload,
                       const std::set<std::string>& extra = {});

// Before and after of one publication, for sweeps. `before` is empty for the first write.
struct Scenario {
  const char* name;
  std::optional<Payload> before;
  Payload after;
};

const std::vector<Scenario>& Scenarios();

}  // namespace keyturn::testing
