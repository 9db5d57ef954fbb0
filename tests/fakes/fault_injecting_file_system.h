// FaultInjectingFileSystem: fails, stops or kills the process at the n-th call, and keeps a trace.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <errno.h>
#include <signal.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/strings.h"
#include "lib/fs/file_system.h"

namespace keyturn::testing {

enum class Fault {
  kNone,
  kFailOnce,  // call n fails with an errno
  kDead,      // call n and all later ones fail without effect: nothing can be cleaned up
  kKill,      // the process gets SIGKILL just before call n takes effect
};

// A failing Write stores half of its bytes first, as a full file system does. Calls of files count
// too. THREAD: one call at a time.
class FaultInjectingFileSystem final : public fs::FileSystem {
 public:
  explicit FaultInjectingFileSystem(fs::FileSystem& base) : base_(base) {}

  // Counts from 1 and starts anew.
  void Arm(Fault fault, int at, int error_number = EIO) {
    fault_ = fault;
    at_ = at;
    error_number_ = error_number;
    calls_ = 0;
    trace_.clear();
  }

  void Disarm() { fault_ = Fault::kNone; }

  // True when call n was reached since Arm.
  bool fired() const { return fault_ != Fault::kNone && calls_ >= at_; }

  int calls() const { return calls_; }

  // "call name" per call since Arm; the name is the last component of the path.
  const std::vector<std::string>& trace() const { return trace_; }

  Result<fs::FileInfo> Stat(const std::string& path) override {
    KEYTURN_RETURN_IF_ERROR(Before("stat", path));
    return base_.Stat(path);
  }

  Result<fs::FileInfo> StatFollow(const std::string& path) override {
    KEYTURN_RETURN_IF_ERROR(Before("stat_follow", path));
    return base_.StatFollow(path);
  }

  Result<std::vector<std::string>> List(const std::string& path) override {
    KEYTURN_RETURN_IF_ERROR(Before("list", path));
    return base_.List(path);
  }

  Result<std::string> ReadLink(const std::string& path) override {
    KEYTURN_RETURN_IF_ERROR(Before("readlink", path));
    return base_.ReadLink(path);
  }

  Result<SecretBytes> ReadFile(const std::string& path, size_t max_size) override {
    KEYTURN_RETURN_IF_ERROR(Before("read", path));
    return base_.ReadFile(path, max_size);
  }

  Status MakeDirectory(const std::string& path, mode_t mode) override {
    KEYTURN_RETURN_IF_ERROR(Before("mkdir", path));
    return base_.MakeDirectory(path, mode);
  }

  Result<std::unique_ptr<fs::File>> CreateFile(const std::string& path, mode_t mode) override {
    KEYTURN_RETURN_IF_ERROR(Before("create", path));
    return Wrap(base_.CreateFile(path, mode), path);
  }

  Result<std::unique_ptr<fs::File>> OpenExisting(const std::string& path) override {
    KEYTURN_RETURN_IF_ERROR(Before("open", path));
    return Wrap(base_.OpenExisting(path), path);
  }

  Status Chmod(const std::string& path, mode_t mode) override {
    KEYTURN_RETURN_IF_ERROR(Before("chmod", path));
    return base_.Chmod(path, mode);
  }

  Status Chown(const std::string& path, uid_t uid, gid_t gid) override {
    KEYTURN_RETURN_IF_ERROR(Before("chown", path));
    return base_.Chown(path, uid, gid);
  }

  Status Symlink(const std::string& target, const std::string& path) override {
    KEYTURN_RETURN_IF_ERROR(Before("symlink", path));
    return base_.Symlink(target, path);
  }

  Status Rename(const std::string& from, const std::string& to) override {
    KEYTURN_RETURN_IF_ERROR(Before("rename", to));
    return base_.Rename(from, to);
  }

  Status Unlink(const std::string& path) override {
    KEYTURN_RETURN_IF_ERROR(Before("unlink", path));
    return base_.Unlink(path);
  }

  Status RemoveDirectory(const std::string& path) override {
    KEYTURN_RETURN_IF_ERROR(Before("rmdir", path));
    return base_.RemoveDirectory(path);
  }

  Result<bool> IsMemoryBacked(const std::string& path) override {
    KEYTURN_RETURN_IF_ERROR(Before("statfs", path));
    return base_.IsMemoryBacked(path);
  }

  Result<std::unique_ptr<fs::FileLock>> TryLock(const std::string& path) override {
    KEYTURN_RETURN_IF_ERROR(Before("lock", path));
    return base_.TryLock(path);
  }

 private:
  class InjectingFile final : public fs::File {
   public:
    InjectingFile(FaultInjectingFileSystem& owner, std::unique_ptr<fs::File> base, std::string path)
        : owner_(owner), base_(std::move(base)), path_(std::move(path)) {}

    Status Write(std::string_view bytes) override {
      if (owner_.WillFire()) (void)base_->Write(bytes.substr(0, bytes.size() / 2));
      KEYTURN_RETURN_IF_ERROR(owner_.Before("write", path_));
      return base_->Write(bytes);
    }

    Status Chmod(mode_t mode) override {
      KEYTURN_RETURN_IF_ERROR(owner_.Before("fchmod", path_));
      return base_->Chmod(mode);
    }

    Status Chown(uid_t uid, gid_t gid) override {
      KEYTURN_RETURN_IF_ERROR(owner_.Before("fchown", path_));
      return base_->Chown(uid, gid);
    }

    Status TryWriteLease() override {
      KEYTURN_RETURN_IF_ERROR(owner_.Before("lease", path_));
      return base_->TryWriteLease();
    }

    Status Overwrite() override {
      KEYTURN_RETURN_IF_ERROR(owner_.Before("overwrite", path_));
      return base_->Overwrite();
    }

   private:
    FaultInjectingFileSystem& owner_;
    const std::unique_ptr<fs::File> base_;
    const std::string path_;
  };

  bool WillFire() const { return fault_ != Fault::kNone && calls_ + 1 == at_; }

  Status Before(std::string_view call, const std::string& path) {
    ++calls_;
    trace_.push_back(StrCat(call, " ", path.substr(path.rfind('/') + 1)));
    if (fault_ == Fault::kKill && calls_ == at_) (void)::raise(SIGKILL);
    const bool fail = fault_ == Fault::kFailOnce && calls_ == at_;
    const bool dead = fault_ == Fault::kDead && calls_ >= at_;
    if (!fail && !dead) return OkStatus();
    return ErrnoToStatus(error_number_, StrCat("injected fault in ", call, " ", path));
  }

  Result<std::unique_ptr<fs::File>> Wrap(Result<std::unique_ptr<fs::File>> file,
                                         const std::string& path) {
    if (!file.ok()) return file;
    return std::unique_ptr<fs::File>(
        std::make_unique<InjectingFile>(*this, std::move(file).value(), path));
  }

  fs::FileSystem& base_;
  Fault fault_ = Fault::kNone;
  int at_ = 0;
  int error_number_ = EIO;
  int calls_ = 0;
  std::vector<std::string> trace_;
};

}  // namespace keyturn::testing
