// SPDX-License-Identifier: Apache-2.0
#include "lib/fs/posix_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "lib/base/strings.h"

namespace keyturn::fs {
namespace {

// F_SETLEASE and O_PATH need _GNU_SOURCE, which g++ and clang++ define for C++ on Linux.
class PosixFile final : public File {
 public:
  PosixFile(UniqueFd fd, std::string path, Access access)
      : fd_(std::move(fd)), path_(std::move(path)), access_(access) {}

  Status Write(std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t written = ::write(fd_.get(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return ErrnoStatus("write", path_);
      bytes.remove_prefix(static_cast<size_t>(written));
    }
    return OkStatus();
  }

  Status Chmod(mode_t mode) override {
    if (::fchmod(fd_.get(), mode) != 0) return ErrnoStatus("fchmod", path_);
    return OkStatus();
  }

  Status Chown(uid_t uid, gid_t gid) override {
    if (::fchown(fd_.get(), uid, gid) != 0) return ErrnoStatus("fchown", path_);
    return OkStatus();
  }

  Status TryWriteLease() override {
    KEYTURN_RETURN_IF_ERROR(MakeWritable());
    if (::fcntl(fd_.get(), F_SETLEASE, F_WRLCK) == 0) return OkStatus();
    // EINVAL: not a file or file system that leases; ENOTTY, ENOSYS: sandboxes.
    if (errno == EINVAL || errno == ENOTTY) errno = EOPNOTSUPP;
    return ErrnoStatus("fcntl F_SETLEASE", path_);
  }

  Status Overwrite() override {
    struct stat info {};

    if (::fstat(fd_.get(), &info) != 0) return ErrnoStatus("fstat", path_);
    static constexpr std::array<char, 4096>
        kZeros{};  // a page: more would only sit in every agent's memory
    off_t at = 0;
    while (at < info.st_size) {
      const size_t count = std::min(kZeros.size(), static_cast<size_t>(info.st_size - at));
      const ssize_t written = ::pwrite(fd_.get(), kZeros.data(), count, at);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return ErrnoStatus("pwrite", path_);
      at += written;
    }
    return OkStatus();
  }

 private:
  // Reopens an O_PATH descriptor for writing. The mode is changed only now, when the unlinked file
  // has no name left under which somebody could notice. Magic links of one's own process work even
  // when it is not dumpable.
  Status MakeWritable() {
    if (access_ == Access::kWritable) return OkStatus();
    const std::string self = StrCat("/proc/self/fd/", fd_.get());
    if (::chmod(self.c_str(), 0600) != 0) return ErrnoStatus("chmod", path_);
    UniqueFd writable(::open(self.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));
    if (!writable.valid()) return ErrnoStatus("reopen", path_);
    fd_ = std::move(writable);
    access_ = Access::kWritable;
    return OkStatus();
  }

  UniqueFd fd_;
  const std::string path_;
  Access access_;
};

}  // namespace

std::unique_ptr<File> MakePosixFile(UniqueFd fd, std::string path, Access access) {
  return std::make_unique<PosixFile>(std::move(fd), std::move(path), access);
}

Status ErrnoStatus(std::string_view call, const std::string& path) {
  const int error_number = errno;
  return ErrnoToStatus(error_number, StrCat(call, " ", QuoteForMessage(path, 512)));
}

}  // namespace keyturn::fs
