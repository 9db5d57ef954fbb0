// SPDX-License-Identifier: Apache-2.0
#include "lib/delivery/wiper.h"

#include <utility>
#include <vector>

#include "lib/base/strings.h"

namespace keyturn::delivery {
namespace {

bool Failed(const Status& status) {
  return !status.ok() && status.code() != StatusCode::kNotFound;
}

class LeaseWiper final : public Wiper {
 public:
  LeaseWiper(fs::FileSystem& fs, Clock& clock, Logger& logger, metrics::Registry& metrics,
             Options options)
      : fs_(fs), clock_(clock), logger_(logger), metrics_(metrics), options_(options) {}

  ~LeaseWiper() override {
    RetryPending();
    for (size_t i = 0; i < pending_.size(); ++i) GiveUp("in_use");
  }

  Status RemoveTree(const std::string& directory) override {
    const Result<fs::FileInfo> info = fs_.Stat(directory);
    if (!info.ok()) return Failed(info.status()) ? info.status() : OkStatus();
    if (info->type != fs::FileType::kDirectory) return RemoveKnown(directory, info->type);
    const Result<std::vector<std::string>> names = fs_.List(directory);
    Status first;
    if (names.ok()) {
      for (const std::string& name : *names) Keep(first, RemoveTree(StrCat(directory, "/", name)));
    } else {
      Keep(first, names.status());
    }
    Keep(first, fs_.RemoveDirectory(directory));
    return first;
  }

  Status RemoveFile(const std::string& path) override {
    const Result<fs::FileInfo> info = fs_.Stat(path);
    if (!info.ok()) return Failed(info.status()) ? info.status() : OkStatus();
    return RemoveKnown(path, info->type);
  }

  size_t RetryPending() override {
    std::vector<Pending> waiting = std::exchange(pending_, {});
    for (Pending& pending : waiting) Wipe(std::move(pending));
    ShowPending();
    return pending_.size();
  }

 private:
  struct Pending {
    std::unique_ptr<fs::File> file;
    MonoTime give_up;
  };

  static void Keep(Status& first, const Status& status) {
    if (first.ok() && Failed(status)) first = status;
  }

  Status RemoveKnown(const std::string& path, fs::FileType type) {
    if (type != fs::FileType::kRegular) return Unlink(path);
    Result<std::unique_ptr<fs::File>> file = fs_.OpenExisting(path);
    KEYTURN_RETURN_IF_ERROR(Unlink(path));
    if (!file.ok()) {
      if (Failed(file.status())) GiveUp("error");
      return OkStatus();
    }
    Wipe({std::move(file).value(), clock_.MonoNow() + options_.grace});
    ShowPending();
    return OkStatus();
  }

  Status Unlink(const std::string& path) {
    const Status status = fs_.Unlink(path);
    return Failed(status) ? status : OkStatus();
  }

  void Wipe(Pending pending) {
    const Status lease = pending.file->TryWriteLease();
    if (lease.code() == StatusCode::kUnavailable) return Postpone(std::move(pending));
    if (lease.code() == StatusCode::kUnimplemented) return GiveUp("unsupported");
    if (!lease.ok() || !pending.file->Overwrite().ok()) return GiveUp("error");
    Count("wiped");
  }

  void Postpone(Pending pending) {
    const bool full = pending_.size() >= options_.max_pending;
    if (full || clock_.MonoNow() >= pending.give_up) return GiveUp("in_use");
    pending_.push_back(std::move(pending));
  }

  // The file is unlinked: its memory is freed, unwiped, when the last reader closes it.
  void GiveUp(std::string_view result) {
    Count(result);
    logger_.Debug("removed a file without wiping it", {{"reason", result}});
  }

  void Count(std::string_view result) {
    metrics_
        .GetCounter("keyturn_wipe_files_total", "Removed files by what became of their bytes.",
                    {{"result", std::string(result)}})
        .Increment();
  }

  void ShowPending() {
    metrics_
        .GetGauge("keyturn_wipe_pending_files",
                  "Removed files that a reader still holds open and that wait to be wiped.")
        .Set(static_cast<double>(pending_.size()));
  }

  fs::FileSystem& fs_;
  Clock& clock_;
  Logger& logger_;
  metrics::Registry& metrics_;
  const Options options_;
  std::vector<Pending> pending_;
};

}  // namespace

std::unique_ptr<Wiper> CreateWiper(fs::FileSystem& fs, Clock& clock, Logger& logger,
                                   metrics::Registry& metrics, Wiper::Options options) {
  return std::make_unique<LeaseWiper>(fs, clock, logger, metrics, options);
}

}  // namespace keyturn::delivery
