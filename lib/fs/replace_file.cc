// SPDX-License-Identifier: Apache-2.0
#include "lib/base/strings.h"
#include "lib/fs/file_system.h"

namespace keyturn::fs {
namespace {

// A dot file, so that programs which read "every file" of a directory skip it. The name is fixed: a
// random one would leak a file per crash.
std::string TemporaryName(const std::string& path) {
  const size_t slash = path.rfind('/');
  const size_t base = slash == std::string::npos ? 0 : slash + 1;
  return StrCat(path.substr(0, base), ".", path.substr(base), ".keyturn-tmp");
}

Status WriteTemporary(FileSystem& fs, const std::string& path, std::string_view bytes,
                      mode_t mode) {
  // 0600 until the content is complete: the umask of CreateFile may be wider than `mode`.
  KEYTURN_ASSIGN_OR_RETURN(const std::unique_ptr<File> file, fs.CreateFile(path, 0600));
  KEYTURN_RETURN_IF_ERROR(file->Write(bytes));
  return file->Chmod(mode);
}

}  // namespace

Status ReplaceFile(FileSystem& fs, const std::string& path, std::string_view bytes, mode_t mode) {
  const std::string temporary = TemporaryName(path);
  if (const Status removed = fs.Unlink(temporary);
      !removed.ok() && removed.code() != StatusCode::kNotFound) {
    return removed;
  }
  Status status = WriteTemporary(fs, temporary, bytes, mode);
  if (status.ok()) status = fs.Rename(temporary, path);
  // The first error is the one to report; a file that stays is replaced by the next call.
  if (!status.ok()) (void)fs.Unlink(temporary);
  return status;
}

}  // namespace keyturn::fs
