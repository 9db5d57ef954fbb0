// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "lib/base/strings.h"
#include "lib/base/unique_fd.h"
#include "lib/fs/file_system.h"
#include "lib/fs/posix_file.h"

namespace keyturn::fs {
namespace {

constexpr mode_t kPermissionBits = 07777;
// First buffer for files whose size is not known beforehand (/proc).
constexpr size_t kFirstRead = 4096;

Status Outcome(int result, std::string_view call, const std::string& path) {
  if (result != 0) return ErrnoStatus(call, path);
  return OkStatus();
}

FileType TypeOf(mode_t mode) {
  if (S_ISREG(mode)) return FileType::kRegular;
  if (S_ISDIR(mode)) return FileType::kDirectory;
  if (S_ISLNK(mode)) return FileType::kSymlink;
  return FileType::kOther;
}

FileInfo ToFileInfo(const struct stat& from) {
  FileInfo info;
  info.type = TypeOf(from.st_mode);
  info.mode = from.st_mode & kPermissionBits;
  info.uid = from.st_uid;
  info.gid = from.st_gid;
  info.size = static_cast<uint64_t>(from.st_size);
  info.device = from.st_dev;
  info.inode = from.st_ino;
  info.change_time_ns = int64_t{from.st_ctim.tv_sec} * 1'000'000'000 + from.st_ctim.tv_nsec;
  return info;
}

Result<FileInfo> StatAt(const std::string& path, int flags) {
  struct stat info {};

  if (::fstatat(AT_FDCWD, path.c_str(), &info, flags) != 0) return ErrnoStatus("stat", path);
  return ToFileInfo(info);
}

Result<UniqueFd> Open(const std::string& path, int flags, mode_t mode = 0) {
  UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC, mode));
  if (!fd.valid()) return ErrnoStatus("open", path);
  return fd;
}

Status RequireRegular(const UniqueFd& fd, const std::string& path, struct stat& info) {
  if (::fstat(fd.get(), &info) != 0) return ErrnoStatus("fstat", path);
  if (S_ISREG(info.st_mode)) return OkStatus();
  return FailedPreconditionError(
      StrCat("open ", QuoteForMessage(path, 512), ": not a regular file"));
}

Result<size_t> ReadSome(const UniqueFd& fd, char* at, size_t count, const std::string& path) {
  ssize_t got = -1;
  do {
    got = ::read(fd.get(), at, count);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return ErrnoStatus("read", path);
  return static_cast<size_t>(got);
}

SecretBytes Resized(const SecretBytes& from, size_t used, size_t size) {
  SecretBytes to(size);
  if (used > 0) {
    std::memcpy(to.MutableReveal(InsecureSecretAccess::Get()),
                from.Reveal(InsecureSecretAccess::Get()).data(), used);
  }
  return to;
}

// Reads to the end of the file; the size from stat(2) is only a hint, since it is 0 in /proc.
Result<SecretBytes> ReadAll(const UniqueFd& fd, size_t hint, size_t max_size,
                            const std::string& path) {
  // One more byte than allowed shows that there are more.
  const size_t limit = std::max(max_size, max_size + 1);
  SecretBytes buffer(std::min(limit, hint > 0 ? hint + 1 : kFirstRead));
  size_t used = 0;
  while (true) {
    char* at = buffer.MutableReveal(InsecureSecretAccess::Get()) + used;
    KEYTURN_ASSIGN_OR_RETURN(const size_t got, ReadSome(fd, at, buffer.size() - used, path));
    used += got;
    if (used > max_size) {
      return ResourceExhaustedError(
          StrCat("read ", QuoteForMessage(path, 512), ": larger than ", max_size, " bytes"));
    }
    if (got == 0) return Resized(buffer, used, used);
    if (used == buffer.size()) buffer = Resized(buffer, used, std::min(limit, used * 2));
  }
}

struct DirectoryCloser {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

bool IsDotOrDotDot(const char* name) {
  return std::strcmp(name, ".") == 0 || std::strcmp(name, "..") == 0;
}

// flock(2) belongs to the open file; closing the descriptor releases it.
class PosixFileLock final : public FileLock {
 public:
  explicit PosixFileLock(UniqueFd fd) : fd_(std::move(fd)) {}

 private:
  const UniqueFd fd_;
};

class PosixFileSystem final : public FileSystem {
 public:
  Result<FileInfo> Stat(const std::string& path) override {
    return StatAt(path, AT_SYMLINK_NOFOLLOW);
  }

  Result<FileInfo> StatFollow(const std::string& path) override { return StatAt(path, 0); }

  Result<std::vector<std::string>> List(const std::string& path) override {
    KEYTURN_ASSIGN_OR_RETURN(UniqueFd fd, Open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    const std::unique_ptr<DIR, DirectoryCloser> directory(::fdopendir(fd.get()));
    if (directory == nullptr) return ErrnoStatus("opendir", path);
    (void)fd.Release();  // closedir owns it now
    std::vector<std::string> names;
    while (true) {
      errno = 0;
      const dirent* entry = ::readdir(directory.get());
      if (entry == nullptr && errno != 0) return ErrnoStatus("readdir", path);
      if (entry == nullptr) return names;
      if (!IsDotOrDotDot(entry->d_name)) names.emplace_back(entry->d_name);
    }
  }

  Result<std::string> ReadLink(const std::string& path) override {
    std::array<char, PATH_MAX> buffer{};
    const ssize_t size = ::readlink(path.c_str(), buffer.data(), buffer.size());
    if (size < 0) return ErrnoStatus("readlink", path);
    return std::string(buffer.data(), static_cast<size_t>(size));
  }

  Result<SecretBytes> ReadFile(const std::string& path, size_t max_size) override {
    KEYTURN_ASSIGN_OR_RETURN(const UniqueFd fd, Open(path, O_RDONLY | O_NONBLOCK));

    struct stat info {};

    KEYTURN_RETURN_IF_ERROR(RequireRegular(fd, path, info));
    return ReadAll(fd, static_cast<size_t>(info.st_size), max_size, path);
  }

  Status MakeDirectory(const std::string& path, mode_t mode) override {
    return Outcome(::mkdir(path.c_str(), mode), "mkdir", path);
  }

  Result<std::unique_ptr<File>> CreateFile(const std::string& path, mode_t mode) override {
    constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
    KEYTURN_ASSIGN_OR_RETURN(UniqueFd fd, Open(path, kFlags, mode));
    return MakePosixFile(std::move(fd), path, Access::kWritable);
  }

  Result<std::unique_ptr<File>> OpenExisting(const std::string& path) override {
    Access access = Access::kWritable;
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!fd.valid() && errno == EACCES) {
      access = Access::kPathOnly;
      fd.Reset(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    }
    if (!fd.valid()) return ErrnoStatus("open", path);

    struct stat info {};

    KEYTURN_RETURN_IF_ERROR(RequireRegular(fd, path, info));
    return MakePosixFile(std::move(fd), path, access);
  }

  Status Chmod(const std::string& path, mode_t mode) override {
    return Outcome(::fchmodat(AT_FDCWD, path.c_str(), mode, AT_SYMLINK_NOFOLLOW), "chmod", path);
  }

  Status Chown(const std::string& path, uid_t uid, gid_t gid) override {
    return Outcome(::lchown(path.c_str(), uid, gid), "chown", path);
  }

  Status Symlink(const std::string& target, const std::string& path) override {
    return Outcome(::symlink(target.c_str(), path.c_str()), "symlink", path);
  }

  Status Rename(const std::string& from, const std::string& to) override {
    return Outcome(::rename(from.c_str(), to.c_str()), "rename", to);
  }

  Status Unlink(const std::string& path) override {
    return Outcome(::unlink(path.c_str()), "unlink", path);
  }

  Status RemoveDirectory(const std::string& path) override {
    return Outcome(::rmdir(path.c_str()), "rmdir", path);
  }

  Result<bool> IsMemoryBacked(const std::string& path) override {
    struct statfs info {};

    if (::statfs(path.c_str(), &info) != 0) return ErrnoStatus("statfs", path);
    // f_type is signed on some architectures; the magic numbers are 32 bits wide.
    const auto type = static_cast<uint32_t>(info.f_type);
    return type == TMPFS_MAGIC || type == RAMFS_MAGIC;
  }

  Result<std::unique_ptr<FileLock>> TryLock(const std::string& path) override {
    KEYTURN_ASSIGN_OR_RETURN(UniqueFd fd, Open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW));
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) {
        return UnavailableError(StrCat("lock ", QuoteForMessage(path, 512), ": held by another"));
      }
      return ErrnoStatus("flock", path);
    }
    return std::unique_ptr<FileLock>(std::make_unique<PosixFileLock>(std::move(fd)));
  }
};

}  // namespace

std::unique_ptr<FileSystem> CreatePosixFileSystem() {
  return std::make_unique<PosixFileSystem>();
}

}  // namespace keyturn::fs
