// SPDX-License-Identifier: Apache-2.0
#include "agent/state_keeper.h"

#include <unistd.h>

#include <string_view>
#include <utility>

#include "lib/base/strings.h"

namespace keyturn::agent {
namespace {

constexpr mode_t kDirectoryMode = 0700;
constexpr mode_t kOthersMayWrite = 0022;
// Made by agents only, so that its mode is theirs to set.
constexpr std::string_view kOwnName = "/.keyturn";

}  // namespace

StateKeeper::StateKeeper(fs::FileSystem& file_system, Logger& logger, std::string directory)
    : file_system_(file_system), logger_(logger), directory_(std::move(directory)) {}

std::string StateKeeper::FilePath() const {
  return StrCat(directory_, "/", kStateFileName);
}

Status StateKeeper::Verify() const {
  const std::string what = StrCat("state directory ", directory_);
  const Result<fs::FileInfo> info = file_system_.Stat(directory_);
  if (!info.ok()) return AnnotateStatus(info.status(), what);
  if (info->type != fs::FileType::kDirectory) {
    return FailedPreconditionError(
        StrCat(what, " is not a directory (a link is not followed): remove it, or name another ",
               "with --state-dir"));
  }
  if (info->uid != ::geteuid()) {
    return FailedPreconditionError(StrCat(what, " belongs to uid ", info->uid,
                                          ", the agent runs as uid ", ::geteuid(),
                                          ": remove it, or name another with --state-dir"));
  }
  if (info->mode == kDirectoryMode) return OkStatus();
  if (std::string_view(directory_).ends_with(kOwnName)) {
    return AnnotateStatus(file_system_.Chmod(directory_, kDirectoryMode), what);
  }
  if ((info->mode & kOthersMayWrite) == 0) return OkStatus();
  return FailedPreconditionError(
      StrCat(what, " can be written by others: chmod 0700 it, or name a directory below it"));
}

Status StateKeeper::Prepare() {
  lock_.reset();
  const Status made = file_system_.MakeDirectory(directory_, kDirectoryMode);
  if (!made.ok() && made.code() != StatusCode::kAlreadyExists)
    return AnnotateStatus(made, "state directory");
  KEYTURN_RETURN_IF_ERROR(Verify());
  auto lock = file_system_.TryLock(directory_);
  if (lock.status().code() == StatusCode::kUnavailable) {
    return UnavailableError(StrCat("another process keeps its state in ", directory_,
                                   ": end it, or name another with --state-dir"));
  }
  if (!lock.ok()) return AnnotateStatus(lock.status(), "state directory");
  lock_ = std::move(lock).value();
  return OkStatus();
}

void StateKeeper::MoveTo(std::string directory) {
  if (directory == directory_) return;
  lock_.reset();
  directory_ = std::move(directory);
}

Status StateKeeper::Write(const AgentState& state) {
  if (lock_ == nullptr) KEYTURN_RETURN_IF_ERROR(Prepare());
  return fs::ReplaceFile(file_system_, FilePath(), FormatState(state), 0600);
}

void StateKeeper::Keep(const AgentState& state) {
  snapshot_.Set(std::make_shared<const AgentState>(state));
  Status written = Write(state);
  // Whoever cleaned the volume up must not leave the probes without an answer for ever.
  if (written.code() == StatusCode::kNotFound) {
    lock_.reset();
    written = Write(state);
  }
  if (written.ok()) return;
  logger_.Warning("state file not written", {{"error", written.message()}});
  if (lock_ == nullptr || state.ready) return;
  const Status removed = file_system_.Unlink(FilePath());
  if (!removed.ok() && removed.code() != StatusCode::kNotFound)
    logger_.Warning("outdated state file not removed", {{"error", removed.message()}});
}

}  // namespace keyturn::agent
