// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "lib/base/strings.h"
#include "lib/delivery/notify_channels.h"

namespace keyturn::delivery {
namespace {

constexpr size_t kMaxPathSize = 1024;
constexpr size_t kMaxComponentSize = 200;  // leaves room for the name while it is being replaced
constexpr mode_t kSentinelMode = 0444;     // every reader of the files may watch it
constexpr mode_t kDirectoryMode = 0755;

bool IsGoodComponent(std::string_view component) {
  return !component.empty() && component.size() <= kMaxComponentSize && component != "." &&
         !component.starts_with("..");  // names like "..data" are the publisher's
}

Status ValidatePath(std::string_view path) {
  const std::vector<std::string_view> components = Split(path, '/');
  const bool good = path.size() <= kMaxPathSize && path.find('\0') == std::string_view::npos &&
                    std::all_of(components.begin(), components.end(), IsGoodComponent);
  if (good) return OkStatus();
  return InvalidArgumentError(
      StrCat("sentinel notification: path '", QuoteForMessage(path),
             "' must be relative to the target, without empty components, '.' or names that "
             "begin with '..'"));
}

class SentinelChannel final : public NotifyChannel {
 public:
  SentinelChannel(std::string path, std::vector<std::string> targets, fs::FileSystem& file_system)
      : path_(std::move(path)), targets_(std::move(targets)), fs_(file_system) {}

  std::string kind() const override { return "sentinel"; }

  // Every target is tried, so that one that fails does not silence the others.
  Status Deliver(const std::string& change_id, const CallContext&) override {
    Status first;
    for (const std::string& target : targets_) {
      const Status status = WriteSentinel(target, change_id);
      if (first.ok()) first = status;
    }
    return AnnotateStatus(first, "writing sentinel");
  }

 private:
  Status WriteSentinel(const std::string& target, const std::string& change_id) {
    KEYTURN_RETURN_IF_ERROR(PrepareParents(target));
    const std::string path = StrCat(target, "/", path_);
    const auto info = fs_.Stat(path);
    if (info.ok() && info->type != fs::FileType::kRegular) {
      return AlreadyExistsError(
          StrCat(QuoteForMessage(path, 512), ": the name belongs to a published file"));
    }
    if (!info.ok() && info.status().code() != StatusCode::kNotFound) return info.status();
    return fs::ReplaceFile(fs_, path, change_id + "\n", kSentinelMode);
  }

  // The directories between target and file. A symlink there leads into a published generation,
  // which must not change.
  Status PrepareParents(const std::string& target) {
    for (size_t slash = path_.find('/'); slash != std::string::npos;
         slash = path_.find('/', slash + 1)) {
      const std::string directory = StrCat(target, "/", path_.substr(0, slash));
      const auto info = fs_.Stat(directory);
      if (info.status().code() == StatusCode::kNotFound) {
        KEYTURN_RETURN_IF_ERROR(fs_.MakeDirectory(directory, kDirectoryMode));
      } else if (!info.ok()) {
        return info.status();
      } else if (info->type != fs::FileType::kDirectory) {
        return AlreadyExistsError(
            StrCat(QuoteForMessage(directory, 512), ": the name belongs to published files"));
      }
    }
    return OkStatus();
  }

  const std::string path_;
  const std::vector<std::string> targets_;
  fs::FileSystem& fs_;
};

}  // namespace

Result<std::unique_ptr<NotifyChannel>> CreateSentinelChannel(
    const plan::SentinelNotify& spec, const std::vector<std::string>& targets,
    const NotifyDependencies& dependencies) {
  KEYTURN_RETURN_IF_ERROR(ValidatePath(spec.path));
  return std::unique_ptr<NotifyChannel>(
      std::make_unique<SentinelChannel>(spec.path, targets, *dependencies.file_system));
}

}  // namespace keyturn::delivery
