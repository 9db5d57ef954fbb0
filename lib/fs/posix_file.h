// The File of PosixFileSystem. Internal to lib/fs.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "lib/base/unique_fd.h"
#include "lib/fs/file_system.h"

namespace keyturn::fs {

// Whether the descriptor can already be written, or is O_PATH and has to be reopened first.
enum class Access { kWritable, kPathOnly };

// `path` is for messages only.
std::unique_ptr<File> MakePosixFile(UniqueFd fd, std::string path, Access access);

// "call path: strerror(errno)".
Status ErrnoStatus(std::string_view call, const std::string& path);

}  // namespace keyturn::fs
