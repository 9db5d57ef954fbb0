// What the tests of credential providers share: files, an STS and a runtime of fakes.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/aws/credentials/providers.h"
#include "lib/base/mutex.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_http_transport.h"
#include "tests/fakes/fake_logger.h"
#include "tests/fakes/fake_random.h"

namespace keyturn::aws::testing {

using SharedCredentials = std::shared_ptr<const Credentials>;

// Files that can only be read; every other call is refused.
class FakeFiles final : public fs::FileSystem {
 public:
  std::map<std::string, std::string> content;
  std::map<std::string, Status> failures;
  std::vector<std::string> reads;

  Result<SecretBytes> ReadFile(const std::string& path, size_t max_size) override {
    reads.push_back(path);
    if (const auto failure = failures.find(path); failure != failures.end()) {
      return failure->second;
    }
    const auto found = content.find(path);
    if (found == content.end()) return NotFoundError("reading " + path + ": no such file");
    if (found->second.size() > max_size) return ResourceExhaustedError(path + ": too large");
    return SecretBytes(found->second);
  }

  Result<fs::FileInfo> Stat(const std::string&) override { return No(); }

  Result<fs::FileInfo> StatFollow(const std::string&) override { return No(); }

  Result<std::vector<std::string>> List(const std::string&) override { return No(); }

  Result<std::string> ReadLink(const std::string&) override { return No(); }

  Status MakeDirectory(const std::string&, mode_t) override { return No(); }

  Result<std::unique_ptr<fs::File>> CreateFile(const std::string&, mode_t) override { return No(); }

  Result<std::unique_ptr<fs::File>> OpenExisting(const std::string&) override { return No(); }

  Status Chmod(const std::string&, mode_t) override { return No(); }

  Status Chown(const std::string&, uid_t, gid_t) override { return No(); }

  Status Symlink(const std::string&, const std::string&) override { return No(); }

  Status Rename(const std::string&, const std::string&) override { return No(); }

  Status Unlink(const std::string&) override { return No(); }

  Status RemoveDirectory(const std::string&) override { return No(); }

  Result<bool> IsMemoryBacked(const std::string&) override { return No(); }

  Result<std::unique_ptr<fs::FileLock>> TryLock(const std::string&) override { return No(); }

 private:
  static Status No() { return UnimplementedError("FakeFiles only reads"); }
};

inline SharedCredentials MakeCredentials(const std::string& id,
                                         std::optional<WallTime> expiration = std::nullopt,
                                         const std::string& token = "") {
  auto credentials = std::make_shared<Credentials>();
  credentials->access_key_id = id;
  credentials->secret_access_key = SecretBytes("secret-of-" + id);
  credentials->session_token = SecretBytes(token);
  credentials->expiration = expiration;
  return credentials;
}

inline std::string Reveal(const SecretBytes& bytes) {
  return std::string(bytes.Reveal(InsecureSecretAccess::Get()));
}

// Answers from `outcomes` in turn (the last one for ever) and keeps what was asked.
class FakeSts final : public Sts {
 public:
  struct Call {
    std::string role_arn;
    std::string session_name;
    std::string token_or_external_id;
    std::string source_key_id;
    std::optional<std::chrono::seconds> duration;
  };

  std::vector<Result<SharedCredentials>> outcomes{MakeCredentials("ASIAFAKE")};
  std::vector<Call> calls;
  std::function<void()> before_answer = [] {};

  Result<SharedCredentials> AssumeRoleWithWebIdentity(
      const AssumeRoleWithWebIdentityRequest& request, const CallContext&) override {
    calls.push_back(
        {request.role_arn, request.session_name, Reveal(request.token), "", request.duration});
    return Answer();
  }

  Result<SharedCredentials> AssumeRole(const AssumeRoleRequest& request, const Credentials& source,
                                       const CallContext&) override {
    calls.push_back({request.role_arn, request.session_name, request.external_id,
                     source.access_key_id, request.duration});
    return Answer();
  }

 private:
  Result<SharedCredentials> Answer() {
    before_answer();
    return outcomes.at(std::min(calls.size(), outcomes.size()) - 1);
  }
};

// A source whose answer is a function.
class FunctionProvider final : public CredentialsProvider {
 public:
  using Function = std::function<Result<SharedCredentials>(const CallContext&)>;

  explicit FunctionProvider(Function function) : function_(std::move(function)) {}

  Result<SharedCredentials> GetCredentials(const CallContext& context) override {
    ++calls;
    return function_(context);
  }

  void Invalidate() override { ++invalidations; }

  std::string Describe() const override { return "fake source"; }

  std::atomic<int> calls{0};
  std::atomic<int> invalidations{0};

 private:
  const Function function_;
};

// A ProviderRuntime of fakes. By default nothing is configured and the network answers 500.
struct Rig {
  explicit Rig(config::Environment::Variables variables = {}) : environment(std::move(variables)) {}

  ProviderRuntime runtime() {
    return {&clock, &clock, &random, &logger, &files, &transport, &environment};
  }

  keyturn::testing::FakeClock clock;
  keyturn::testing::FakeRandom random;
  keyturn::testing::FakeLogger logger;
  FakeFiles files;
  std::function<Result<net::HttpResponse>(const net::HttpRequest&)> handler =
      [](const net::HttpRequest&) { return keyturn::testing::JsonResponse(500, ""); };
  keyturn::testing::FakeHttpTransport transport{
      [this](const net::HttpRequest& request) { return handler(request); }};
  config::Environment environment;
  std::shared_ptr<FakeSts> sts = std::make_shared<FakeSts>();
};

}  // namespace keyturn::aws::testing
