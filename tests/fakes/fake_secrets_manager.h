// FakeSecretsManager: secrets with versions and stages in memory, scripted failures, counted calls.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "lib/aws/secrets_manager.h"
#include "lib/base/mutex.h"
#include "lib/base/strings.h"

namespace keyturn::testing {

// Stages move as on AWS: the version that loses AWSCURRENT gets AWSPREVIOUS. Awaits block until a
// version differs, the caller stops, or EndWaits() plays the end of WaitSeconds. THREAD: safe.
class FakeSecretsManager final : public aws::SecretsManager {
 public:
  struct Call {
    std::string operation;  // "GetSecretValue", …
    std::vector<std::string> ids;
    std::string stage;
    std::string version_id;
    MonoTime deadline = MonoTime::max();
  };

  // Runs before a call is answered, without the fake's lock: rotates in the middle of a read.
  using Hook = std::function<void(const Call&)>;

  // A new version that gets AWSCURRENT. The answer is its id.
  std::string Put(const std::string& name, std::string_view value) {
    MutexLock lock(mutex_);
    Secret& secret = secrets_[name];
    const std::string version = StrCat("v", ++secret.versions_made);
    secret.versions[version] = SecretBytes(value);
    MoveStage(secret, "AWSCURRENT", version);
    changed_.NotifyAll();
    return version;
  }

  // Attaches `stage` to a version; AWSCURRENT leaves AWSPREVIOUS behind.
  void Stage(const std::string& name, const std::string& stage, const std::string& version) {
    MutexLock lock(mutex_);
    MoveStage(secrets_[name], stage, version);
    changed_.NotifyAll();
  }

  void Remove(const std::string& name) {
    MutexLock lock(mutex_);
    secrets_.erase(name);
    changed_.NotifyAll();
  }

  // Every use of this secret answers `status`, or works again.
  void SetFailure(const std::string& name, std::optional<Status> status) {
    MutexLock lock(mutex_);
    if (status) {
      failures_.insert_or_assign(name, *status);
    } else {
      failures_.erase(name);
    }
    changed_.NotifyAll();
  }

  // Inside a batch only: as a policy that conditions on the stage does.
  void DenyInBatches(const std::string& name) {
    MutexLock lock(mutex_);
    denied_in_batches_.insert(name);
  }

  // The answer of a batch leaves this id out.
  void OmitInBatches(const std::string& name) {
    MutexLock lock(mutex_);
    omitted_in_batches_.insert(name);
  }

  // The next `times` calls of an operation fail as a whole.
  void FailNext(const std::string& operation, const Status& status, int times = 1) {
    MutexLock lock(mutex_);
    for (int i = 0; i < times; ++i) scripted_[operation].push_back(status);
  }

  // All calls of an operation fail as a whole, or work again.
  void SetOperationFailure(const std::string& operation, std::optional<Status> status) {
    MutexLock lock(mutex_);
    if (status) {
      broken_.insert_or_assign(operation, *status);
    } else {
      broken_.erase(operation);
    }
  }

  void SetHook(Hook hook) {
    MutexLock lock(mutex_);
    hook_ = std::move(hook);
  }

  void SetRotation(const std::string& name, std::optional<WallTime> next,
                   std::chrono::hours window) {
    MutexLock lock(mutex_);
    secrets_[name].next_rotation = next;
    secrets_[name].rotation_window = window;
  }

  void OfferAwait(bool offer) {
    MutexLock lock(mutex_);
    offers_await_ = offer;
  }

  // Lets every await that waits now answer that nothing changed.
  void EndWaits() {
    MutexLock lock(mutex_);
    ++wait_epoch_;
    changed_.NotifyAll();
  }

  // Blocks until `count` awaits have been received since the start.
  void WaitForAwaits(size_t count) {
    MutexLock lock(mutex_);
    while (Count("AwaitSecretChange") < count) changed_.Wait(mutex_);
  }

  std::vector<Call> calls() const {
    MutexLock lock(mutex_);
    return calls_;
  }

  size_t CountOf(std::string_view operation) const {
    MutexLock lock(mutex_);
    return Count(operation);
  }

  void ForgetCalls() {
    MutexLock lock(mutex_);
    calls_.clear();
  }

  std::vector<aws::AwaitRequest> awaits() const {
    MutexLock lock(mutex_);
    return awaits_;
  }

  static std::string ArnOf(const std::string& name) {
    return StrCat("arn:aws:secretsmanager:eu-central-1:123456789012:secret:", name, "-AbCdEf");
  }

  Result<aws::SecretValue> GetSecretValue(const aws::GetSecretValueRequest& request,
                                          const CallContext& context) override {
    KEYTURN_RETURN_IF_ERROR(Begin(
        {"GetSecretValue", {request.secret_id}, request.version_stage, request.version_id, {}},
        context));
    MutexLock lock(mutex_);
    return Read(request);
  }

  Result<aws::BatchAnswer> BatchGetSecretValue(const std::vector<std::string>& secret_ids,
                                               const CallContext& context) override {
    KEYTURN_RETURN_IF_ERROR(Begin({"BatchGetSecretValue", secret_ids, "", "", {}}, context));
    MutexLock lock(mutex_);
    aws::BatchAnswer answer;
    for (const std::string& id : secret_ids) {
      if (omitted_in_batches_.contains(id)) continue;
      if (denied_in_batches_.contains(id)) {
        answer.by_id.insert_or_assign(
            id, PermissionDeniedError("BatchGetSecretValue: AccessDeniedException"));
        continue;
      }
      answer.by_id.insert_or_assign(id, Read({id, "", "AWSCURRENT"}));
    }
    return answer;
  }

  Result<aws::SecretDescription> DescribeSecret(const std::string& secret_id,
                                                const CallContext& context) override {
    KEYTURN_RETURN_IF_ERROR(Begin({"DescribeSecret", {secret_id}, "", "", {}}, context));
    MutexLock lock(mutex_);
    const auto found = secrets_.find(NameOf(secret_id));
    if (found == secrets_.end()) return Missing(secret_id);
    aws::SecretDescription description;
    description.name = found->first;
    description.arn = ArnOf(found->first);
    description.rotation_enabled = found->second.next_rotation.has_value();
    description.next_rotation = found->second.next_rotation;
    description.rotation_window = found->second.rotation_window;
    return description;
  }

  Result<aws::AwaitAnswer> AwaitSecretChange(const aws::AwaitRequest& request,
                                             const CallContext& context) override {
    std::vector<std::string> ids;
    for (const auto& entry : request.entries) ids.push_back(entry.secret_id);
    {
      MutexLock lock(mutex_);
      awaits_.push_back(request);
    }
    KEYTURN_RETURN_IF_ERROR(Begin({"AwaitSecretChange", std::move(ids), "", "", {}}, context));
    const std::stop_callback wake(context.stop, [this] {
      MutexLock lock(mutex_);
      changed_.NotifyAll();
    });
    MutexLock lock(mutex_);
    const int epoch = wait_epoch_;
    while (true) {
      if (context.stop.stop_requested()) return CancelledError("AwaitSecretChange: stopped");
      aws::AwaitAnswer answer;
      const bool differs = Compare(request, answer);
      if (differs || wait_epoch_ != epoch) return answer;
      changed_.Wait(mutex_);
    }
  }

  bool OffersAwait() const override {
    MutexLock lock(mutex_);
    return offers_await_;
  }

 private:
  struct Secret {
    std::map<std::string, SecretBytes> versions;
    std::map<std::string, std::string> stages;  // stage → version
    int versions_made = 0;
    std::optional<WallTime> next_rotation;
    std::chrono::hours rotation_window{0};
  };

  static std::string NameOf(const std::string& id) {
    const size_t colon = id.rfind(':');
    if (colon == std::string::npos) return id;
    const std::string name = id.substr(colon + 1);
    return name.ends_with("-AbCdEf") ? name.substr(0, name.size() - 7) : name;
  }

  static Status Missing(const std::string& id) {
    return NotFoundError(StrCat("GetSecretValue ", id, ": ResourceNotFoundException: ",
                                "Secrets Manager can't find the specified secret."));
  }

  static void MoveStage(Secret& secret, const std::string& stage, const std::string& version) {
    const auto current = secret.stages.find(stage);
    if (stage == "AWSCURRENT" && current != secret.stages.end() && current->second != version) {
      secret.stages["AWSPREVIOUS"] = current->second;
    }
    secret.stages[stage] = version;
  }

  size_t Count(std::string_view operation) const KEYTURN_REQUIRES(mutex_) {
    return static_cast<size_t>(std::count_if(calls_.begin(), calls_.end(), [&](const Call& call) {
      return call.operation == operation;
    }));
  }

  Status Begin(Call call, const CallContext& context) {
    call.deadline = context.deadline;
    Hook hook;
    {
      MutexLock lock(mutex_);
      calls_.push_back(call);
      changed_.NotifyAll();
      hook = hook_;
    }
    if (hook) hook(call);
    if (context.stop.stop_requested()) return CancelledError(StrCat(call.operation, ": stopped"));
    MutexLock lock(mutex_);
    const auto broken = broken_.find(call.operation);
    if (broken != broken_.end()) return broken->second;
    std::deque<Status>& script = scripted_[call.operation];
    if (script.empty()) return OkStatus();
    Status status = script.front();
    script.pop_front();
    return status;
  }

  Result<aws::SecretValue> Read(const aws::GetSecretValueRequest& request)
      KEYTURN_REQUIRES(mutex_) {
    const std::string name = NameOf(request.secret_id);
    const auto failure = failures_.find(name);
    if (failure != failures_.end()) return failure->second;
    const auto found = secrets_.find(name);
    if (found == secrets_.end()) return Missing(request.secret_id);
    const Secret& secret = found->second;
    std::string version = request.version_id;
    if (version.empty()) {
      const auto staged = secret.stages.find(request.version_stage);
      if (staged == secret.stages.end()) return Missing(request.secret_id);
      version = staged->second;
    }
    const auto content = secret.versions.find(version);
    if (content == secret.versions.end()) return Missing(request.secret_id);
    aws::SecretValue value;
    value.arn = ArnOf(name);
    value.name = name;
    value.version_id = version;
    for (const auto& [stage, staged] : secret.stages) {
      if (staged == version) value.stages.push_back(stage);
    }
    value.value = content->second.Clone();
    return value;
  }

  bool Compare(const aws::AwaitRequest& request, aws::AwaitAnswer& answer)
      KEYTURN_REQUIRES(mutex_) {
    bool differs = false;
    for (const aws::AwaitEntry& entry : request.entries) {
      aws::AwaitEntryState state{entry.secret_id, entry.version_stage, "", "", ""};
      auto value = Read({entry.secret_id, "", entry.version_stage});
      if (value.ok()) {
        state.version_id = value->version_id;
      } else {
        state.error_code = "ResourceNotFoundException";
      }
      differs = differs || state.version_id != entry.known_version_id || !value.ok();
      answer.entries.push_back(std::move(state));
    }
    return differs;
  }

  mutable Mutex mutex_;
  CondVar changed_;
  std::map<std::string, Secret> secrets_ KEYTURN_GUARDED_BY(mutex_);
  std::map<std::string, Status> failures_ KEYTURN_GUARDED_BY(mutex_);
  std::set<std::string> denied_in_batches_ KEYTURN_GUARDED_BY(mutex_);
  std::set<std::string> omitted_in_batches_ KEYTURN_GUARDED_BY(mutex_);
  std::map<std::string, std::deque<Status>> scripted_ KEYTURN_GUARDED_BY(mutex_);
  std::map<std::string, Status> broken_ KEYTURN_GUARDED_BY(mutex_);
  Hook hook_ KEYTURN_GUARDED_BY(mutex_);
  bool offers_await_ KEYTURN_GUARDED_BY(mutex_) = false;
  int wait_epoch_ KEYTURN_GUARDED_BY(mutex_) = 0;
  std::vector<Call> calls_ KEYTURN_GUARDED_BY(mutex_);
  std::vector<aws::AwaitRequest> awaits_ KEYTURN_GUARDED_BY(mutex_);
};

}  // namespace keyturn::testing
