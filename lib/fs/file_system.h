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
  // st_ctim in nanoseconds: equal to an earlier value only when nothing changed since (to the
  // granularity of the file system's clock).
  int64_t change_time_ns = 0;

  friend bool operator==(const FileInfo&, const FileInfo&) = default;
};

// An open file. Closed by its destructor. THREAD: one call at a time.
class File {
 public:
  virtual ~File() = default;
  // Writes all of `bytes` at the current position.
  virtual Status Write(std::string_view bytes) = 0;
  virtual Status Chmod(mode_t mode) = 0;
  // -1 leaves a part as it is.
  virtual Status Chown(uid_t uid, gid_t gid) = 0;
  // F_SETLEASE F_WRLCK: succeeds when nobody else has the file open or mapped. REQUIRES: SIGIO is
  // ignored; for a file of OpenExisting: it is unlinked, because its mode may have to become 0600
  // to make it writable. ERRORS: UNAVAILABLE when somebody has it open, UNIMPLEMENTED where leases
  // are not supported, PERMISSION_DENIED when the file is not ours. Source: fcntl(2), "Leases".
  virtual Status TryWriteLease() = 0;
  // Overwrites the whole content with zeros, in place. REQUIRES: a granted lease, or a file of
  // CreateFile.
  virtual Status Overwrite() = 0;
};

// flock(2) is held; released by its destructor.
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
  // Reads the whole of a regular file. Follows symlinks. ERRORS: RESOURCE_EXHAUSTED when it holds
  // more than `max_size` bytes, FAILED_PRECONDITION for anything else than a regular file (so that
  // a FIFO never blocks the caller).
  virtual Result<SecretBytes> ReadFile(const std::string& path, size_t max_size) = 0;

  virtual Status MakeDirectory(const std::string& path, mode_t mode) = 0;
  // O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, for writing.
  virtual Result<std::unique_ptr<File>> CreateFile(const std::string& path, mode_t mode) = 0;
  // Opens an existing regular file for wiping, also when its mode lets nobody write (0444, the
  // default): then the descriptor is O_PATH and becomes writable in TryWriteLease.
  virtual Result<std::unique_ptr<File>> OpenExisting(const std::string& path) = 0;
  virtual Status Chmod(const std::string& path, mode_t mode) = 0;
  virtual Status Chown(const std::string& path, uid_t uid, gid_t gid) = 0;
  virtual Status Symlink(const std::string& target, const std::string& path) = 0;
  virtual Status Rename(const std::string& from, const std::string& to) = 0;
  virtual Status Unlink(const std::string& path) = 0;
  virtual Status RemoveDirectory(const std::string& path) = 0;
  // True when the path lies on tmpfs or ramfs (statfs(2) f_type).
  virtual Result<bool> IsMemoryBacked(const std::string& path) = 0;
  // flock(2) LOCK_EX | LOCK_NB on an existing file or directory; creates nothing, so that a watched
  // directory stays silent but for an OPEN. ERRORS: UNAVAILABLE when another holder exists, in this
  // process or another.
  virtual Result<std::unique_ptr<FileLock>> TryLock(const std::string& path) = 0;
};

std::unique_ptr<FileSystem> CreatePosixFileSystem();

// Writes `bytes` to a temporary name beside `path`, with `mode` whatever the umask, and renames it
// over `path`: create, write, chmod, rename. Readers see the old or the new content, never a part;
// on error the old file stays and the temporary one is removed. A temporary file that a crash left
// is replaced. Not durable (no fsync): meant for state on tmpfs. REQUIRES: one writer per path.
Status ReplaceFile(FileSystem& fs, const std::string& path, std::string_view bytes, mode_t mode);

}  // namespace keyturn::fs
