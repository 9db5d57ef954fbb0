// What the clients' tests stand on: fakes, credentials with canaries, scripted answers.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/aws/clients.h"
#include "lib/base/time_format.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_http_transport.h"
#include "tests/fakes/fake_logger.h"
#include "tests/fakes/fake_random.h"

namespace keyturn::aws {

inline constexpr const char* kSecretKeyCanary = "CanarySecretAccessKey/0123456789+abcdefg";
inline constexpr const char* kTokenCanary = "CanarySessionToken//////////with+many/characters==";
inline constexpr const char* kValueCanary = "CanarySecretValue-hunter2-hunter2-hunter2";

inline std::string Reveal(const SecretBytes& bytes) {
  return std::string(bytes.Reveal(InsecureSecretAccess::Get()));
}

// Counts what the client asks of it.
class FakeCredentials final : public CredentialsProvider {
 public:
  Result<std::shared_ptr<const Credentials>> GetCredentials(const CallContext&) override {
    ++fetches;
    if (!failure.ok()) return failure;
    auto credentials = std::make_shared<Credentials>();
    credentials->access_key_id = "ASIAFAKE" + std::to_string(invalidations);
    credentials->secret_access_key = SecretBytes(std::string_view(kSecretKeyCanary));
    credentials->session_token = SecretBytes(std::string_view(kTokenCanary));
    return std::shared_ptr<const Credentials>(std::move(credentials));
  }

  void Invalidate() override { ++invalidations; }

  std::string Describe() const override { return "fake"; }

  Status failure;
  int fetches = 0;
  int invalidations = 0;
};

class ClientFixture : public ::testing::Test {
 protected:
  using Reply = Result<net::HttpResponse>;

  // Answers in the order of the requests; the last one is repeated.
  void Script(std::deque<Reply> answers) { script_ = std::move(answers); }

  void Script(int status, std::string body) {
    Script({testing::JsonResponse(status, std::move(body))});
  }

  ClientRuntime runtime() { return {&transport_, &clock_, &clock_, &random_, &logger_, &metrics_}; }

  static ClientOptions options() {
    ClientOptions options;
    options.endpoint = {"https", "service.eu-central-1.example", 443, "/"};
    options.region = "eu-central-1";
    return options;
  }

  CallContext Deadline(std::chrono::seconds in) const { return {clock_.MonoNow() + in, {}}; }

  CallContext context() const { return Deadline(std::chrono::seconds(60)); }

  std::string Header(size_t request, std::string_view name) const {
    return std::string(transport_.requests().at(request).headers.Get(name).value_or(""));
  }

  // Nothing that leaves the process but the requests themselves may hold a canary.
  void ExpectNoCanary(const Status& status) const {
    std::string all = status.message() + metrics_.Expose();
    for (const std::string& line : logger_.lines()) all += line;
    for (const char* canary : {kSecretKeyCanary, kTokenCanary, kValueCanary, "Canary", "hunter2"}) {
      EXPECT_EQ(all.find(canary), std::string::npos) << status.message();
    }
  }

  testing::FakeClock clock_;
  testing::FakeRandom random_;
  testing::FakeLogger logger_;
  metrics::Registry metrics_;
  std::shared_ptr<FakeCredentials> credentials_ = std::make_shared<FakeCredentials>();
  std::deque<Reply> script_;
  testing::FakeHttpTransport transport_{[this](const net::HttpRequest&) { return Next(); }};

 private:
  Reply Next() {
    if (script_.empty()) return UnavailableError("no answer is scripted");
    Reply answer = script_.front();
    if (script_.size() > 1) script_.pop_front();
    return answer;
  }
};

inline net::HttpResponse WithHeader(net::HttpResponse response, std::string name,
                                    std::string value) {
  response.headers.Add(std::move(name), std::move(value));
  return response;
}

inline net::HttpResponse ErrorResponse(const std::string& code, const std::string& message,
                                       int status = 400) {
  return testing::JsonResponse(status,
                               R"({"__type":")" + code + R"(","Message":")" + message + "\"}");
}

}  // namespace keyturn::aws
