// SPDX-License-Identifier: Apache-2.0
#include "lib/delivery/pipeline_target.h"

#include <algorithm>

#include "lib/base/strings.h"

namespace keyturn::delivery {
namespace {

// Readers are other users; the files inside have their own modes.
constexpr mode_t kTargetMode = 0755;
// Of a log line: a target may have a thousand files.
constexpr size_t kMaxLoggedFiles = 20;

Status EnsureDirectory(fs::FileSystem& fs, const std::string& path) {
  const auto info = fs.Stat(path);
  if (info.ok() || info.status().code() != StatusCode::kNotFound) return info.status();
  const Status made = fs.MakeDirectory(path, kTargetMode);
  if (made.code() == StatusCode::kAlreadyExists) return OkStatus();
  KEYTURN_RETURN_IF_ERROR(made);
  return fs.Chmod(path, kTargetMode);  // whatever the umask is
}

std::map<std::string, FetchKey> InputsOf(const plan::File& file, const plan::Plan& plan) {
  std::map<std::string, FetchKey> inputs;
  if (file.from) inputs.emplace("", KeyOf(*file.from, plan));
  for (const auto& [name, source] : file.with) inputs.emplace(name, KeyOf(source, plan));
  return inputs;
}

// Each distinct text once, in order.
std::string JoinDistinct(const std::vector<std::string>& parts) {
  std::vector<std::string> distinct;
  for (const std::string& part : parts) {
    const bool known = std::find(distinct.begin(), distinct.end(), part) != distinct.end();
    if (!known && !part.empty()) distinct.push_back(part);
  }
  return Join(distinct, ", ");
}

FileState NewState(const std::string& target, const plan::File& file, const plan::Plan& plan) {
  FileState state;
  state.inputs = InputsOf(file, plan);
  state.status.target = target;
  state.status.path = file.path;
  std::vector<std::string> ids;
  std::vector<std::string> stages;
  for (const auto& [name, key] : state.inputs) {
    ids.push_back(key.id);
    stages.push_back(key.stage);
  }
  state.status.secret = JoinDistinct(ids);
  state.status.stage = JoinDistinct(stages);
  return state;
}

std::string VersionsText(const std::map<FetchKey, std::string>& versions) {
  std::vector<std::string> texts;
  for (const auto& [key, version] : versions) texts.push_back(version);
  return JoinDistinct(texts);
}

}  // namespace

std::string DescribeKey(const FetchKey& key) {
  if (key.kind == SourceKind::kParameter) return StrCat("parameter ", key.id);
  if (!key.version_id.empty()) return StrCat("secret ", key.id, " (version ", key.version_id, ")");
  if (key.stage == plan::kStageCurrent) return StrCat("secret ", key.id);
  return StrCat("secret ", key.id, " (", key.stage, ")");
}

Result<std::unique_ptr<TargetPublisher>> TargetPublisher::Create(
    const PipelineDependencies& dependencies, Wiper& wiper, const plan::Plan& plan,
    const plan::Target& target) {
  const std::string what = StrCat("target ", target.path);
  const Status ensured = EnsureDirectory(*dependencies.file_system, target.path);
  if (!ensured.ok()) return AnnotateStatus(ensured, what);
  auto writer =
      AtomicWriter::Create({dependencies.file_system, dependencies.clock, dependencies.random,
                            dependencies.logger, &wiper, dependencies.sleeper},
                           {target.path, target.allow_disk});
  if (!writer.ok()) return AnnotateStatus(writer.status(), what);
  std::unique_ptr<TargetPublisher> publisher(
      new TargetPublisher(dependencies, std::move(writer).value()));
  publisher->Configure(plan, target);
  return publisher;
}

TargetPublisher::TargetPublisher(const PipelineDependencies& dependencies,
                                 std::unique_ptr<AtomicWriter> writer)
    : dependencies_(dependencies), writer_(std::move(writer)) {
  status_.complete = writer_->HasCompleteGeneration();
}

void TargetPublisher::Configure(const plan::Plan& plan, const plan::Target& target) {
  std::map<std::string, FileState> known;
  for (FileState& file : files_) known.emplace(file.status.path, std::move(file));
  files_.clear();
  keys_.clear();
  target_ = target;
  status_.path = target.path;
  for (const plan::File& file : target.files) {
    FileState state = NewState(target.path, file, plan);
    state.fresh_at = dependencies_.clock->MonoNow();
    const auto old = known.find(file.path);
    if (old != known.end() && old->second.inputs == state.inputs) state = std::move(old->second);
    for (const auto& [name, key] : state.inputs) keys_.insert(key);
    files_.push_back(std::move(state));
  }
}

Status TargetPublisher::CheckForm(const plan::Target& target) const {
  if (target.allow_disk || !target_.allow_disk) return OkStatus();
  // The writer looked at this only once, when disks were allowed.
  KEYTURN_ASSIGN_OR_RETURN(const bool memory,
                           dependencies_.file_system->IsMemoryBacked(target.path));
  if (memory) return OkStatus();
  return FailedPreconditionError(
      StrCat("target ", target.path, " is not on a memory-backed file system (tmpfs)"));
}

TargetPublisher::Draft TargetPublisher::MakeDraft(size_t index, const FetchResults& results,
                                                  const std::set<FetchKey>& revoked,
                                                  std::vector<RenderedFile>& payload) const {
  const plan::File& file = target_.files[index];
  Draft draft;
  RenderInputs inputs;
  for (const auto& [name, key] : files_[index].inputs) {
    const Result<FetchedPtr>& result = results.at(key);
    if (!result.ok()) {
      const Status& cause = result.status();
      const bool missing = file.optional && IsGone(cause);
      // A generation without it is only a successor, never a start: a Plan that was never
      // fulfilled must not look as if it were.
      draft.left_out = missing || (status_.complete && revoked.contains(key));
      draft.status = Status(cause.code(), StrCat(DescribeKey(key), ": ", cause.ToString()));
      draft.versions.clear();
      return draft;
    }
    draft.versions[key] = (*result)->version_id;
    draft.arns.push_back((*result)->arn.empty() ? key.id : (*result)->arn);
    inputs[name] = *result;
  }
  auto rendered = RenderFile(file, inputs);
  if (!rendered.ok()) {
    draft.status = rendered.status();
    draft.left_out = file.optional && draft.status.code() == StatusCode::kNotFound;
    return draft;
  }
  for (RenderedFile& part : *rendered) payload.push_back(std::move(part));
  return draft;
}

TargetPublisher::Outcome TargetPublisher::Publish(const FetchResults& results,
                                                  const std::set<FetchKey>& revoked) {
  Outcome outcome;
  std::vector<Draft> drafts;
  std::vector<RenderedFile> payload;
  for (size_t i = 0; i < files_.size(); ++i) {
    drafts.push_back(MakeDraft(i, results, revoked, payload));
    const Draft& draft = drafts.back();
    NoteDraft(files_[i], draft);
    if (draft.status.ok() || draft.left_out) continue;
    if (outcome.failures++ == 0) outcome.status = draft.status;
  }
  if (!outcome.status.ok()) {
    NoteFailed(drafts, outcome);
    return outcome;
  }
  auto published = writer_->Publish(std::move(payload));
  if (published.ok()) {
    NotePublished(drafts, *published, outcome);
  } else {
    outcome.status = AnnotateStatus(published.status(), StrCat("target ", target_.path));
    outcome.failures = 1;
    NoteFailed(drafts, outcome);
  }
  return outcome;
}

void TargetPublisher::NoteDraft(FileState& file, const Draft& draft) const {
  file.status.error = draft.status.code();
  file.status.error_message = draft.status.message();
  if (!draft.arns.empty() && draft.arns.size() == file.inputs.size()) {
    file.status.secret = JoinDistinct(draft.arns);
  }
}

void TargetPublisher::NoteFresh(FileState& file) const {
  file.status.last_check = dependencies_.clock->WallNow();
  file.fresh_at = dependencies_.clock->MonoNow();
}

// The target stays as it is: files whose versions it shows are current all the same.
void TargetPublisher::NoteFailed(const std::vector<Draft>& drafts, Outcome& outcome) {
  for (size_t i = 0; i < files_.size(); ++i) {
    const bool shown = drafts[i].status.ok() && drafts[i].versions == files_[i].published;
    if (shown) NoteFresh(files_[i]);
  }
  status_.last_error = outcome.status;
  status_.complete = writer_->HasCompleteGeneration();
}

void TargetPublisher::NotePublished(const std::vector<Draft>& drafts, const PublishResult& result,
                                    Outcome& outcome) {
  outcome.changed = result.changed;
  outcome.first = result.changed && !status_.complete;
  status_.generation = result.generation;
  status_.complete = true;
  status_.last_error = OkStatus();
  for (size_t i = 0; i < files_.size(); ++i) {
    FileState& file = files_[i];
    NoteFresh(file);
    if (drafts[i].left_out) {
      file.published.clear();
      file.status.version_id.clear();
      file.status.rendered_at.reset();
      continue;
    }
    if (file.published != drafts[i].versions || !file.status.rendered_at) {
      file.status.rendered_at = file.status.last_check;
    }
    file.published = drafts[i].versions;
    file.status.version_id = VersionsText(file.published);
  }
  if (result.changed) LogChange();
}

void TargetPublisher::LogChange() const {
  std::vector<std::string> texts;
  for (const FileState& file : files_) {
    if (texts.size() == kMaxLoggedFiles) {
      texts.push_back(StrCat("and ", files_.size() - kMaxLoggedFiles, " more"));
      break;
    }
    const std::string& version = file.status.version_id;
    texts.push_back(StrCat(file.status.path, "=", version.empty() ? "left out" : version));
  }
  dependencies_.logger->Info(
      "published",
      {{"target", target_.path}, {"generation", status_.generation}, {"files", Join(texts, ", ")}});
}

Status TargetPublisher::Clear() {
  const auto cleared = writer_->Publish({});
  if (!cleared.ok()) return AnnotateStatus(cleared.status(), StrCat("target ", target_.path));
  return OkStatus();
}

}  // namespace keyturn::delivery
