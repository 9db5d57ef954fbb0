// SPDX-License-Identifier: Apache-2.0
#include "lib/delivery/atomic_writer.h"

#include <limits.h>
#include <sys/stat.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "lib/base/strings.h"
#include "lib/crypto/digest.h"
#include "lib/delivery/atomic_writer_generation.h"
#include "lib/delivery/atomic_writer_target.h"

namespace keyturn::delivery {
namespace {

using internal::kDataLink;
using internal::kTemporaryLink;
using internal::TargetScan;

// Names collide only when the clock jumps back or the generator repeats itself.
constexpr int kNameAttempts = 16;

// What one file of the last publication was, without its bytes.
struct FileRecord {
  std::string path;
  uint32_t mode = 0;
  std::optional<uint32_t> uid;
  std::optional<uint32_t> gid;
  crypto::Sha256Digest digest{};

  friend bool operator==(const FileRecord&, const FileRecord&) = default;
};

// What was found right after the last successful Publish. While the disk still looks like this, an
// equal payload needs no file to be opened.
struct Memory {
  std::string generation;
  std::vector<FileRecord> files;
  std::set<std::string> links;
  std::vector<std::pair<std::string, fs::FileInfo>> infos;  // absolute paths
};

std::vector<FileRecord> RecordsOf(const std::vector<RenderedFile>& files) {
  std::vector<FileRecord> records;
  records.reserve(files.size());
  for (const RenderedFile& file : files) {
    const std::string_view bytes = file.content.Reveal(InsecureSecretAccess::Get());
    records.push_back({file.path, file.mode, file.uid, file.gid, crypto::Sha256(bytes)});
  }
  return records;
}

class LinkFlipWriter final : public AtomicWriter {
 public:
  LinkFlipWriter(const Dependencies& dependencies, std::string target, fs::FileInfo identity,
                 std::unique_ptr<fs::FileLock> lock, std::chrono::milliseconds linger)
      : fs_(*dependencies.file_system),
        clock_(*dependencies.clock),
        random_(*dependencies.random),
        logger_(*dependencies.logger),
        wiper_(*dependencies.wiper),
        sleeper_(dependencies.sleeper),
        linger_(linger),
        target_(std::move(target)),
        identity_(identity),
        lock_(std::move(lock)) {}

  // Finishes what a crash interrupted. Fails only when the target cannot be read: everything else
  // is tried again by Publish.
  Status Recover() {
    KEYTURN_ASSIGN_OR_RETURN(const TargetScan scan, internal::ScanTarget(fs_, target_));
    Collect(scan);
    if (!scan.current) return OkStatus();
    const Result<bool> repaired = RepairLinks(scan);
    if (repaired.ok()) {
      unreported_change_ = *repaired;
    } else {
      Warn("cannot repair links", repaired.status());
    }
    return OkStatus();
  }

  Result<PublishResult> Publish(std::vector<RenderedFile> files) override {
    KEYTURN_RETURN_IF_ERROR(ValidatePayload(files));
    KEYTURN_RETURN_IF_ERROR(CheckLengths(files));
    std::sort(files.begin(), files.end(),
              [](const RenderedFile& a, const RenderedFile& b) { return a.path < b.path; });
    std::vector<FileRecord> records = RecordsOf(files);
    if (memory_ && memory_->files == records && DiskIsAsRemembered()) {
      return PublishResult{false, memory_->generation};
    }
    memory_.reset();
    KEYTURN_ASSIGN_OR_RETURN(std::string generation, PublishSlowly(files));
    Remember(generation, std::move(records), files);
    return PublishResult{std::exchange(unreported_change_, false), std::move(generation)};
  }

  bool HasCompleteGeneration() override {
    if (memory_ && DiskIsAsRemembered()) return true;
    const Result<TargetScan> scan = internal::ScanTarget(fs_, target_);
    if (!scan.ok() || !scan->current) return false;
    const Result<std::vector<std::string>> names = fs_.List(Path(*scan->current));
    if (!names.ok() || names->size() != scan->links.size()) return false;
    return std::all_of(names->begin(), names->end(), [&](const std::string& name) {
      const auto found = scan->links.find(name);
      return found != scan->links.end() && found->second == internal::LinkText(name);
    });
  }

 private:
  std::string Path(const std::string& name) const { return StrCat(target_, "/", name); }

  // Before anything is touched: the kernel would refuse such a path half-way.
  Status CheckLengths(const std::vector<RenderedFile>& files) const {
    const size_t around = target_.size() + 1 + internal::kGenerationNameSize + 1;
    for (const RenderedFile& file : files) {
      if (around + file.path.size() < PATH_MAX) continue;
      return InvalidArgumentError(StrCat("file path \"", QuoteForMessage(file.path),
                                         "\": too long below ", target_, " (", PATH_MAX,
                                         " bytes in all)"));
    }
    return OkStatus();
  }

  // A replaced target is another volume: the lock is on the old one, and mounts show the old one.
  Status CheckTarget() {
    KEYTURN_ASSIGN_OR_RETURN(const fs::FileInfo info, fs_.Stat(target_));
    if (info.device == identity_.device && info.inode == identity_.inode) return OkStatus();
    return FailedPreconditionError(
        StrCat("publish into ", target_, ": the directory was replaced since the start"));
  }

  // The full comparison, and the publication if it finds a difference. The published name.
  Result<std::string> PublishSlowly(const std::vector<RenderedFile>& files) {
    KEYTURN_RETURN_IF_ERROR(CheckTarget());
    KEYTURN_ASSIGN_OR_RETURN(const TargetScan scan, internal::ScanTarget(fs_, target_));
    const std::set<std::string> names = internal::VisibleNames(files);
    KEYTURN_RETURN_IF_ERROR(internal::CheckNamesAreFree(scan, target_, names));
    Collect(scan);
    const bool same = scan.current && internal::GenerationHolds(fs_, Path(*scan.current), files);
    std::string generation;
    if (same) {
      generation = *scan.current;
    } else {
      KEYTURN_ASSIGN_OR_RETURN(generation, MakeGeneration(files));
      KEYTURN_RETURN_IF_ERROR(Flip(generation));
    }
    KEYTURN_ASSIGN_OR_RETURN(const bool fixed, internal::FixLinks(fs_, scan, target_, names));
    unreported_change_ = unreported_change_ || fixed;
    if (!same && scan.current) {
      Linger();
      RemoveLeftover(*scan.current);
    }
    return generation;
  }

  // Lets readers that have just followed ..data find what they are looking for.
  void Linger() {
    if (sleeper_ == nullptr || linger_.count() <= 0) return;
    (void)sleeper_->SleepUntil(clock_.MonoNow() + linger_, std::stop_token());
  }

  // Builds an unpublished generation; removes it on error.
  Result<std::string> MakeGeneration(const std::vector<RenderedFile>& files) {
    KEYTURN_ASSIGN_OR_RETURN(std::string name, MakeGenerationDirectory());
    const Status written = internal::WriteGeneration(fs_, Path(name), files);
    if (written.ok()) return name;
    Discard(name);
    return written;
  }

  Result<std::string> MakeGenerationDirectory() {
    Status status;
    for (int attempt = 0; attempt < kNameAttempts; ++attempt) {
      std::string name = internal::MakeGenerationName(clock_.WallNow(), random_);
      status = fs_.MakeDirectory(Path(name), internal::kUnpublishedDirectoryMode);
      if (status.ok()) return name;
      if (status.code() != StatusCode::kAlreadyExists) return status;
    }
    return status;
  }

  // The point of publication.
  Status Flip(const std::string& generation) {
    Status status = fs_.Symlink(generation, Path(kTemporaryLink));
    if (status.ok()) status = fs_.Rename(Path(kTemporaryLink), Path(kDataLink));
    if (status.ok()) {
      unreported_change_ = true;  // stays set until a Publish succeeds, whatever happens next
    } else {
      Discard(generation);
    }
    return status;
  }

  // After a failure before publication. If ..data cannot be read, everything stays for the next
  // Publish to collect: what is published must never be removed.
  void Discard(const std::string& generation) {
    const Result<std::string> current = fs_.ReadLink(Path(kDataLink));
    if (current.ok() && *current == generation) {
      unreported_change_ = true;  // the rename took effect although it reported a failure
      return;
    }
    if (!current.ok() && current.status().code() != StatusCode::kNotFound) return;
    RemoveLeftover(kTemporaryLink);
    RemoveLeftover(generation);
  }

  // Removes what crashes and failures left: every generation but the published one.
  void Collect(const TargetScan& scan) {
    if (scan.has_temporary) RemoveLeftover(kTemporaryLink);
    for (const std::string& name : scan.generations) {
      if (name != scan.current) RemoveLeftover(name);
    }
  }

  // Best effort: what stays is found again by the next scan.
  void RemoveLeftover(const std::string& name) {
    const Status status = wiper_.RemoveTree(Path(name));
    if (status.ok()) return;
    leftovers_ = true;
    Warn("cannot remove an unused generation", status);
  }

  // Links of the published generation, without knowing the payload.
  Result<bool> RepairLinks(const TargetScan& scan) {
    KEYTURN_ASSIGN_OR_RETURN(const std::vector<std::string> list, fs_.List(Path(*scan.current)));
    const std::set<std::string> names(list.begin(), list.end());
    KEYTURN_RETURN_IF_ERROR(internal::CheckNamesAreFree(scan, target_, names));
    return internal::FixLinks(fs_, scan, target_, names);
  }

  // Not remembering is always safe: it makes the next Publish compare in full.
  void Remember(const std::string& generation, std::vector<FileRecord> records,
                const std::vector<RenderedFile>& files) {
    if (std::exchange(leftovers_, false)) return;
    Memory memory{generation, std::move(records), internal::VisibleNames(files), {}};
    std::vector<std::string> paths = {target_, Path(generation)};
    for (const std::string& name : internal::DirectoriesOf(files)) {
      paths.push_back(StrCat(Path(generation), "/", name));
    }
    for (const RenderedFile& file : files) {
      paths.push_back(StrCat(Path(generation), "/", file.path));
    }
    for (std::string& path : paths) {
      const Result<fs::FileInfo> info = fs_.Stat(path);
      if (!info.ok()) return;
      memory.infos.emplace_back(std::move(path), *info);
    }
    memory_ = std::move(memory);
  }

  // By lstat and readlink only, which no watch reports. Links are read although the target's change
  // time covers them, because that is as coarse as a timer tick on older kernels.
  bool DiskIsAsRemembered() {
    for (const auto& [path, expected] : memory_->infos) {
      const Result<fs::FileInfo> info = fs_.Stat(path);
      if (!info.ok() || *info != expected) return false;
    }
    if (!LinkIs(kDataLink, memory_->generation)) return false;
    return std::all_of(memory_->links.begin(), memory_->links.end(), [&](const std::string& name) {
      return LinkIs(name, internal::LinkText(name));
    });
  }

  bool LinkIs(const std::string& name, const std::string& text) {
    const Result<std::string> found = fs_.ReadLink(Path(name));
    return found.ok() && *found == text;
  }

  void Warn(std::string_view what, const Status& status) {
    logger_.Warning(what, {{"target", target_}, {"error", status.ToString()}});
  }

  fs::FileSystem& fs_;
  Clock& clock_;
  Random& random_;
  Logger& logger_;
  Wiper& wiper_;
  Sleeper* const sleeper_;
  const std::chrono::milliseconds linger_;
  const std::string target_;
  const fs::FileInfo identity_;
  const std::unique_ptr<fs::FileLock> lock_;

  std::optional<Memory> memory_;
  bool unreported_change_ = false;  // something changed and no Publish has said so yet
  bool leftovers_ = false;          // something could not be removed
};

Status CheckKind(const fs::FileInfo& info, const std::string& target) {
  if (info.type != fs::FileType::kDirectory) {
    return FailedPreconditionError(StrCat("target ", target, " is not a directory"));
  }
  if ((info.mode & S_ISVTX) == 0 || (info.mode & S_IWOTH) == 0) return OkStatus();
  return FailedPreconditionError(StrCat(
      "target ", target,
      " is sticky and world-writable: with fs.protected_symlinks=1 other users cannot follow "
      "links in it; publish into a directory below it"));
}

Status CheckMemoryBacked(fs::FileSystem& fs, const AtomicWriterOptions& options,
                         const std::string& target) {
  if (options.allow_disk) return OkStatus();
  KEYTURN_ASSIGN_OR_RETURN(const bool memory, fs.IsMemoryBacked(target));
  if (memory) return OkStatus();
  return FailedPreconditionError(
      StrCat("target ", target,
             " is not on a memory-backed file system (tmpfs): mount one there, or set allowDisk, "
             "knowing that overwriting does not erase a disk"));
}

Result<std::string> NormalTarget(std::string target) {
  if (target.empty() || target.front() != '/') {
    return InvalidArgumentError(
        StrCat("target \"", QuoteForMessage(target), "\" is not an absolute path"));
  }
  // lstat(2) would follow a link that is written with a trailing slash.
  while (target.size() > 1 && target.back() == '/') target.pop_back();
  return target;
}

}  // namespace

Result<std::unique_ptr<AtomicWriter>> AtomicWriter::Create(const Dependencies& dependencies,
                                                           AtomicWriterOptions options) {
  KEYTURN_CHECK(dependencies.file_system != nullptr && dependencies.clock != nullptr &&
                dependencies.random != nullptr && dependencies.logger != nullptr &&
                dependencies.wiper != nullptr);
  fs::FileSystem& fs = *dependencies.file_system;
  KEYTURN_ASSIGN_OR_RETURN(std::string target, NormalTarget(options.target));
  KEYTURN_ASSIGN_OR_RETURN(const fs::FileInfo info, fs.Stat(target));
  KEYTURN_RETURN_IF_ERROR(CheckKind(info, target));
  KEYTURN_RETURN_IF_ERROR(CheckMemoryBacked(fs, options, target));
  Result<std::unique_ptr<fs::FileLock>> lock = fs.TryLock(target);
  if (!lock.ok())
    return AnnotateStatus(lock.status(),
                          "another process publishes there; stop it or use another target");
  auto writer = std::make_unique<LinkFlipWriter>(dependencies, std::move(target), info,
                                                 std::move(lock).value(), options.linger);
  KEYTURN_RETURN_IF_ERROR(writer->Recover());
  return std::unique_ptr<AtomicWriter>(std::move(writer));
}

}  // namespace keyturn::delivery
