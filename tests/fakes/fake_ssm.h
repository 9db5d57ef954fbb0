// FakeSsm: parameters in memory, scripted failures, counted calls.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "lib/aws/ssm.h"
#include "lib/base/mutex.h"
#include "lib/base/strings.h"

namespace keyturn::testing {

// As on AWS, one denied name denies the whole call. THREAD: safe.
class FakeSsm final : public aws::Ssm {
 public:
  void Put(const std::string& name, std::string_view value) {
    MutexLock lock(mutex_);
    Parameter& parameter = parameters_[name];
    parameter.value = SecretBytes(value);
    ++parameter.version;
  }

  void Deny(const std::string& name) {
    MutexLock lock(mutex_);
    denied_.insert(name);
  }

  // All calls fail as a whole, or work again.
  void SetFailure(std::optional<Status> status) {
    MutexLock lock(mutex_);
    failure_ = std::move(status);
  }

  // The names of each call.
  std::vector<std::vector<std::string>> calls() const {
    MutexLock lock(mutex_);
    return calls_;
  }

  Result<std::map<std::string, Result<aws::ParameterValue>>> GetParameters(
      const std::vector<std::string>& names, const CallContext& context) override {
    if (context.stop.stop_requested()) return CancelledError("GetParameters: stopped");
    MutexLock lock(mutex_);
    calls_.push_back(names);
    if (failure_) return *failure_;
    if (names.size() > aws::kMaxParametersPerCall) return InvalidArgumentError("too many names");
    std::map<std::string, Result<aws::ParameterValue>> answer;
    for (const std::string& name : names) {
      if (denied_.contains(name)) {
        return PermissionDeniedError(StrCat("GetParameters: AccessDeniedException: ", name));
      }
      answer.insert_or_assign(name, Read(name));
    }
    return answer;
  }

 private:
  struct Parameter {
    SecretBytes value;
    int64_t version = 0;
  };

  Result<aws::ParameterValue> Read(const std::string& name) KEYTURN_REQUIRES(mutex_) {
    const auto found = parameters_.find(name);
    if (found == parameters_.end()) return NotFoundError(StrCat("GetParameters ", name));
    aws::ParameterValue value;
    value.arn = StrCat("arn:aws:ssm:eu-central-1:123456789012:parameter", name);
    value.name = name;
    value.type = "SecureString";
    value.value = found->second.value.Clone();
    value.version = found->second.version;
    return value;
  }

  mutable Mutex mutex_;
  std::map<std::string, Parameter> parameters_ KEYTURN_GUARDED_BY(mutex_);
  std::set<std::string> denied_ KEYTURN_GUARDED_BY(mutex_);
  std::optional<Status> failure_ KEYTURN_GUARDED_BY(mutex_);
  std::vector<std::vector<std::string>> calls_ KEYTURN_GUARDED_BY(mutex_);
};

}  // namespace keyturn::testing
