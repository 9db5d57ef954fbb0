// A fast loopback endpoint for measurements: STS and Secrets Manager answers for any secret name,
// values of 1 KiB, one global version that POST /rotate moves, and the await protocol. Checks no
// signature. SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "lib/aws/await_protocol.h"
#include "lib/base/log.h"
#include "lib/base/mutex.h"
#include "lib/base/strings.h"
#include "lib/json/checked_parse.h"
#include "lib/json/json.h"
#include "lib/net/http_server.h"

namespace keyturn {
namespace {

using json::Json;

constexpr std::string_view kSts =
    R"(<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">)"
    R"(<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIABENCH</AccessKeyId>)"
    R"(<SecretAccessKey>bench</SecretAccessKey><SessionToken>bench</SessionToken>)"
    R"(<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>)"
    R"(</AssumeRoleWithWebIdentityResponse>)";

// THREAD: safe.
class Endpoint {
 public:
  explicit Endpoint(bool offers_await) : offers_await_(offers_await) {}

  void Handle(const net::ServerRequest& request, net::Responder responder) {
    if (request.target == "/rotate") return Rotate(std::move(responder));
    if (request.target == "/calls") return Answer(responder, "text/plain", StrCat(calls_.load()));
    if (request.target == "/parked") return Answer(responder, "text/plain", StrCat(Parked()));
    ++calls_;
    const auto target = request.headers.Get("X-Amz-Target");
    if (!target) return Answer(responder, "text/xml", std::string(kSts));
    if (*target == aws::kAwaitTarget) return Await(request.body, std::move(responder));
    Result<Json> parsed = json::CheckedParse(request.body);
    if (!parsed.ok() || !parsed->is_object()) return Answer(responder, "text/plain", "bad", 400);
    const bool batch = target->ends_with("BatchGetSecretValue");
    Answer(responder, "application/x-amz-json-1.1",
           batch ? Batch(*parsed) : Value(parsed->at("SecretId")).dump());
  }

 private:
  std::string Version() const {
    return StrCat("00000000-0000-4000-8000-", 100'000'000'000 + version_.load());
  }

  Json Value(const std::string& name) const {
    std::string value = StrCat(version_.load(), ":", name, ":");
    value.resize(1024, 'x');
    return {{"ARN",
             StrCat("arn:aws:secretsmanager:eu-central-1:123456789012:secret:", name, "-a1B2c3")},
            {"Name", name},
            {"VersionId", Version()},
            {"VersionStages", {"AWSCURRENT"}},
            {"SecretString", value},
            {"CreatedDate", 1.7e9}};
  }

  std::string Batch(const Json& request) const {
    Json answer = {{"SecretValues", Json::array()}, {"Errors", Json::array()}};
    for (const Json& id : request.at("SecretIdList")) answer["SecretValues"].push_back(Value(id));
    return answer.dump();
  }

  size_t Parked() {
    MutexLock lock(mutex_);
    return parked_.size();
  }

  std::string AwaitAnswerFor(const aws::AwaitRequest& request) const {
    aws::AwaitAnswer answer;
    for (const aws::AwaitEntry& entry : request.entries) {
      answer.entries.push_back({entry.secret_id, entry.version_stage, Version(), "", ""});
    }
    return aws::EncodeAwaitAnswer(answer);
  }

  void Await(const std::string& body, net::Responder responder) {
    Result<aws::AwaitRequest> request = aws::DecodeAwaitRequest(body);
    if (!request.ok()) return Answer(responder, "text/plain", "bad", 400);
    MutexLock lock(mutex_);
    if (request->entries.empty() || request->entries[0].known_version_id != Version()) {
      return Answer(responder, "application/x-amz-json-1.1", AwaitAnswerFor(*request));
    }
    parked_.emplace_back(*std::move(request), std::move(responder));
  }

  void Rotate(net::Responder responder) {
    MutexLock lock(mutex_);
    ++version_;
    for (auto& [request, waiter] : parked_) {
      Answer(waiter, "application/x-amz-json-1.1", AwaitAnswerFor(request));
    }
    parked_.clear();
    Answer(responder, "text/plain", StrCat(version_.load()));
  }

  void Answer(net::Responder& responder, std::string type, std::string body,
              int status = 200) const {
    net::HttpResponse response;
    response.status = status;
    response.headers.Add("Content-Type", std::move(type));
    if (offers_await_) {
      response.headers.Add(std::string(aws::kAwaitOfferHeader), std::string(aws::kAwaitOfferValue));
    }
    response.body = std::move(body);
    responder.Send(std::move(response));
  }

  const bool offers_await_;
  std::atomic<int> version_ = 1;
  std::atomic<int> calls_ = 0;
  Mutex mutex_;
  std::vector<std::pair<aws::AwaitRequest, net::Responder>> parked_ KEYTURN_GUARDED_BY(mutex_);
};

std::string ReadAll(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

int Main(const char* chain, const char* key, bool offers_await) {
  const auto logger = CreateJsonLogger(LogLevel::kWarning);
  Endpoint endpoint(offers_await);
  net::ServerOptions options;
  options.listen = "127.0.0.1:0";
  options.logger = logger.get();
  options.certificate = std::make_shared<const net::ServerCertificate>(
      net::ServerCertificate{ReadAll(chain), ReadAll(key)});
  options.handler = [&endpoint](const net::ServerRequest& request, net::Responder responder) {
    endpoint.Handle(request, std::move(responder));
  };
  auto server = net::CreateBeastServer(std::move(options));
  if (!server.ok()) {
    std::fprintf(stderr, "bench_endpoint: %s\n", server.status().message().c_str());
    return 1;
  }
  std::printf("%s\n", (*server)->address().c_str());
  std::fflush(stdout);
  char byte = 0;
  while (::read(STDIN_FILENO, &byte, 1) > 0) {
  }  // until the harness closes its end
  return 0;
}

}  // namespace
}  // namespace keyturn

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: bench_endpoint CHAIN KEY await|poll; ends when stdin closes\n");
    return 2;
  }
  ::signal(SIGPIPE, SIG_IGN);
  return keyturn::Main(argv[1], argv[2], std::string_view(argv[3]) == "await");
}
