// TargetPublisher: one target of the Plan: renders its files, publishes them, knows their state.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "lib/delivery/atomic_writer.h"
#include "lib/delivery/pipeline.h"
#include "lib/delivery/wiper.h"

namespace keyturn::delivery {

// "secret prod/db", "secret prod/db (AWSPREVIOUS)", "parameter /prod/feature": for messages.
std::string DescribeKey(const FetchKey& key);

// One file of the Plan and what is published of it.
struct FileState {
  FileStatus status;
  std::map<std::string, FetchKey> inputs;     // as RenderInputs names them
  std::map<FetchKey, std::string> published;  // version of each input; empty: not published
  // The last time that the shown content was known to be current; before that, when the file
  // entered the Plan. Monotonic, because the wall clock may jump.
  MonoTime fresh_at;
};

// THREAD: one call at a time.
class TargetPublisher {
 public:
  // Creates the directory if only that is missing. `dependencies` and `wiper` outlive it.
  static Result<std::unique_ptr<TargetPublisher>> Create(const PipelineDependencies& dependencies,
                                                         Wiper& wiper, const plan::Plan& plan,
                                                         const plan::Target& target);

  // Another form of the same target. What is published stays until the next Publish.
  void Configure(const plan::Plan& plan, const plan::Target& target);
  // Whether Configure may be given that form: a writer is not made again.
  Status CheckForm(const plan::Target& target) const;

  struct Outcome {
    Status status;        // the first failure, naming its secret
    size_t failures = 0;  // files that failed
    bool changed = false;
    bool first = false;  // `changed`, and nothing was published before
  };

  // `results` answers every key of keys(); files of `revoked` keys are left out.
  Outcome Publish(const FetchResults& results, const std::set<FetchKey>& revoked);

  // Takes away everything that was published.
  Status Clear();

  const std::string& path() const { return target_.path; }

  const std::set<FetchKey>& keys() const { return keys_; }

  bool failing() const { return !status_.last_error.ok(); }

  const TargetStatus& status() const { return status_; }

  const std::vector<FileState>& files() const { return files_; }

 private:
  // One file of a generation in the making.
  struct Draft {
    Status status;          // OK, or why the file failed or is left out
    bool left_out = false;  // on purpose: not a failure
    std::map<FetchKey, std::string> versions;
    std::vector<std::string> arns;
  };

  TargetPublisher(const PipelineDependencies& dependencies, std::unique_ptr<AtomicWriter> writer);

  Draft MakeDraft(size_t index, const FetchResults& results, const std::set<FetchKey>& revoked,
                  std::vector<RenderedFile>& payload) const;
  void NoteFailed(const std::vector<Draft>& drafts, Outcome& outcome);
  void NotePublished(const std::vector<Draft>& drafts, const PublishResult& result,
                     Outcome& outcome);
  void NoteDraft(FileState& file, const Draft& draft) const;
  void NoteFresh(FileState& file) const;
  void LogChange() const;

  const PipelineDependencies& dependencies_;
  const std::unique_ptr<AtomicWriter> writer_;
  plan::Target target_;
  std::set<FetchKey> keys_;
  std::vector<FileState> files_;  // in the order of target_.files
  TargetStatus status_;
};

}  // namespace keyturn::delivery
