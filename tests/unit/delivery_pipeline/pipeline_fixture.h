// PipelineFixture: a real pipeline over fake services, publishing into a directory on tmpfs.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "lib/delivery/pipeline.h"
#include "tests/fakes/fake_client_pool.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_http_transport.h"
#include "tests/fakes/fake_logger.h"
#include "tests/fakes/fake_random.h"

namespace keyturn::delivery {

class PipelineFixture : public ::testing::Test {
 protected:
  static void SetUpTestSuite();
  PipelineFixture();
  ~PipelineFixture() override;

  // Text of a published file, as an application reads it; empty when it is not there.
  std::optional<std::string> Read(const std::string& path) const;

  // `name` below this test's directory.
  std::string Path(const std::string& name) const { return root_ + "/" + name; }

  static plan::Source Secret(const std::string& id, const std::string& key = "",
                             const std::string& stage = "");
  static plan::File File(const std::string& path, const plan::Source& from);

  static plan::File Optional(plan::File file) {
    file.optional = true;
    return file;
  }

  plan::Target Target(const std::string& name, std::vector<plan::File> files) const {
    return {Path(name), false, std::move(files)};
  }

  static FetchKey Key(const std::string& id, const std::string& stage = "AWSCURRENT") {
    return {"default", "eu-central-1", SourceKind::kSecret, id, stage, ""};
  }

  Result<std::unique_ptr<Pipeline>> TryMake();
  // REQUIRES: succeeds. Replaces the pipeline there was, as a restart does.
  void Make();

  Status Run(PassReason reason = PassReason::kForced) { return pipeline_->Run(reason, {}); }

  // Advances to what is due next, does it, and so on for `span`. The last Run's answer.
  Status RunFor(std::chrono::nanoseconds span);

  // The same, for tests that look at something else.
  void Elapse(std::chrono::nanoseconds span) { (void)RunFor(span); }

  // Delivered HTTP notifications.
  size_t Notifications() const { return notify_transport_.requests().size(); }

  const FileStatus& StatusOf(const std::string& path);
  size_t CountLines(std::string_view text) const;

  testing::FakeClock clock_;
  testing::FakeRandom random_{11};
  testing::FakeLogger logger_;
  metrics::Registry metrics_;
  const std::unique_ptr<fs::FileSystem> fs_ = fs::CreatePosixFileSystem();
  testing::FakeHttpTransport notify_transport_{
      [](const net::HttpRequest&) { return testing::JsonResponse(200, "{}"); }};
  std::shared_ptr<testing::FakeClientPool> pool_ = std::make_shared<testing::FakeClientPool>();
  testing::FakeSecretsManager& secrets_ = pool_->Secrets();
  Status clients_error_;  // set: make_clients fails
  std::string root_;
  plan::Plan plan_;
  PipelineOptions options_;
  std::unique_ptr<Pipeline> pipeline_;
  std::shared_ptr<const PipelineStatus> seen_status_;
};

}  // namespace keyturn::delivery
