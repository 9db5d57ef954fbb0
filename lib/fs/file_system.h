// FileSystem: the system calls that publishing needs, one virtual function each, so that tests can
// fail or stop at the n-th call. SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"
#include "lib/base/secret_bytes.h"

namespace keyturn::fs {

enum class FileType { kRegular, kDirectory, kSymlink, kOther };

struct FileInfo {
  FileType type = FileType::kOther;
  mode_t mode = 0;  // permission bits with setuid, setgid and sticky: st_mode & 07777
  uid_t uid = 0;
  gid_t gid = 0;
  uint64_t size = 0;
  uint64_t device = 0;
  uint64_t inode = 0;
};

// An open file. Closed by its destructor.
class File {
 public:
  virtual ~File() = default;
  // Writes all of `bytes` at the current position.
  virtual Status Write(std::string_view bytes) = 0;
  virtual Status Chmod(mode_t mode) = 0;
  // -1 leaves a part as it is.
  virtual Status Chown(uid_t uid, gid_t gid) = 0;
  // F_SETLEASE F_WRLCK: succeeds when nobody else has the file open or mapped, UNAVAILABLE when
  // somebody has, UNIMPLEMENTED where leases are not supported. Source: fcntl(2), "Leases".
  virtual Status TryWriteLease() = 0;
  // Overwrites the whole content with zeros, in place.
  virtual Status Overwrite() = 0;
};

// Whether flock(2) is held; released by its destructor.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

// Paths are absolute. No call follows a symlink in the last component unless it says so.
// Status codes come from ErrnoToStatus, messages name the call and the path.
// THREAD: safe, as system calls are; a FileSystem keeps no state of its own.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // lstat(2).
  virtual Result<FileInfo> Stat(const std::string& path) = 0;
  // stat(2): follows symlinks.
  virtual Result<FileInfo> StatFollow(const std::string& path) = 0;
  // Names without "." and "..", in no particular order.
  virtual Result<std::vector<std::string>> List(const std::string& path) = 0;
  virtual Result<std::string> ReadLink(const std::string& path) = 0;
  // Reads at most `max_size` bytes; RESOURCE_EXHAUSTED when there are more. Follows symlinks.
  virtual Result<SecretBytes> ReadFile(const std::string& path, size_t max_size) = 0;

  virtual Status MakeDirectory(const std::string& path, mode_t mode) = 0;
  // O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, for writing.
  virtual Result<std::unique_ptr<File>> CreateFile(const std::string& path, mode_t mode) = 0;
  // O_RDWR | O_NOFOLLOW | O_CLOEXEC of an existing regular file (for wiping).
  virtual Result<std::unique_ptr<File>> OpenExisting(const std::string& path) = 0;
  virtual Status Chmod(const std::string& path, mode_t mode) = 0;
  virtual Status Chown(const std::string& path, uid_t uid, gid_t gid) = 0;
  virtual Status Symlink(const std::string& target, const std::string& path) = 0;
  virtual Status Rename(const std::string& from, const std::string& to) = 0;
  virtual Status Unlink(const std::string& path) = 0;
  virtual Status RemoveDirectory(const std::string& path) = 0;
  // True when the path lies on tmpfs or ramfs (statfs(2) f_type).
  virtual Result<bool> IsMemoryBacked(const std::string& path) = 0;
  // flock(2) LOCK_EX | LOCK_NB on `path`, created with mode 0600 if missing. UNAVAILABLE when
  // another process holds it.
  virtual Result<std::unique_ptr<FileLock>> TryLock(const std::string& path) = 0;
};

std::unique_ptr<FileSystem> CreatePosixFileSystem();

// Writes `bytes` to a temporary name beside `path`, with `mode`, and renames it over `path`:
// readers see the old or the new content, never a part. Not durable (no fsync): meant for state on
// tmpfs.
Status ReplaceFile(FileSystem& fs, const std::string& path, std::string_view bytes, mode_t mode);

}  // namespace keyturn::fs
