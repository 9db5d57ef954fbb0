// FakeClientPool: one FakeSecretsManager and FakeSsm per identity and region.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <string>

#include "lib/base/mutex.h"
#include "lib/delivery/fetch.h"
#include "tests/fakes/fake_secrets_manager.h"
#include "tests/fakes/fake_ssm.h"

namespace keyturn::testing {

// THREAD: safe.
class FakeClientPool final : public delivery::ClientPool {
 public:
  FakeSecretsManager& Secrets(const std::string& identity = "default",
                              const std::string& region = "eu-central-1") {
    return Make(secrets_, identity, region);
  }

  FakeSsm& Parameters(const std::string& identity = "default",
                      const std::string& region = "eu-central-1") {
    return Make(parameters_, identity, region);
  }

  // The hint service; exists once asked for.
  FakeSecretsManager& HintService() {
    MutexLock lock(mutex_);
    if (!hint_) hint_ = std::make_unique<FakeSecretsManager>();
    return *hint_;
  }

  // Every request for clients of `identity` fails.
  void RefuseIdentity(const std::string& identity) {
    MutexLock lock(mutex_);
    refused_ = identity;
  }

  Result<aws::SecretsManager*> SecretsManager(const std::string& identity,
                                              const std::string& region) override {
    KEYTURN_RETURN_IF_ERROR(Check(identity));
    return &Secrets(identity, region);
  }

  Result<aws::Ssm*> Ssm(const std::string& identity, const std::string& region) override {
    KEYTURN_RETURN_IF_ERROR(Check(identity));
    return &Parameters(identity, region);
  }

  Result<aws::SecretsManager*> Hint(const std::string&, const std::string&) override {
    MutexLock lock(mutex_);
    if (!hint_) return NotFoundError("no hintUrl");
    return hint_.get();
  }

 private:
  template <typename T>
  using Clients = std::map<delivery::Endpoint, std::unique_ptr<T>>;

  template <typename T>
  T& Make(Clients<T>& clients, const std::string& identity, const std::string& region) {
    MutexLock lock(mutex_);
    auto& client = clients[{identity, region}];
    if (!client) client = std::make_unique<T>();
    return *client;
  }

  Status Check(const std::string& identity) {
    MutexLock lock(mutex_);
    if (refused_ != identity) return OkStatus();
    return InvalidArgumentError("unknown identity " + identity);
  }

  Mutex mutex_;
  Clients<FakeSecretsManager> secrets_;
  Clients<FakeSsm> parameters_;
  std::unique_ptr<FakeSecretsManager> hint_;
  std::string refused_ = "\n";  // no identity's name
};

}  // namespace keyturn::testing
