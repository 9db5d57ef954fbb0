// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/delivery_pipeline/pipeline_fixture.h"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace keyturn::delivery {

void PipelineFixture::SetUpTestSuite() {
  std::signal(SIGIO, SIG_IGN);  // the Wiper's requirement
}

PipelineFixture::PipelineFixture() {
  char name[] = "/dev/shm/keyturn-pipeline-XXXXXX";
  const char* made = ::mkdtemp(name);
  if (made == nullptr) std::abort();
  root_ = made;
  plan_.aws.region = "eu-central-1";
}

PipelineFixture::~PipelineFixture() {
  pipeline_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(root_, ignored);
}

std::optional<std::string> PipelineFixture::Read(const std::string& path) const {
  std::ifstream file(Path(path), std::ios::binary);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

plan::Source PipelineFixture::Secret(const std::string& id, const std::string& key,
                                     const std::string& stage) {
  plan::Source source;
  source.secret = id;
  source.key = key;
  source.has_key = !key.empty();
  source.stage = stage;
  return source;
}

plan::File PipelineFixture::File(const std::string& path, const plan::Source& from) {
  plan::File file;
  file.path = path;
  file.from = from;
  return file;
}

Result<std::unique_ptr<Pipeline>> PipelineFixture::TryMake() {
  PipelineDependencies dependencies;
  dependencies.clock = &clock_;
  dependencies.sleeper = &clock_;
  dependencies.random = &random_;
  dependencies.logger = &logger_;
  dependencies.metrics = &metrics_;
  dependencies.file_system = fs_.get();
  dependencies.notify_transport = &notify_transport_;
  dependencies.make_clients = [this](const plan::Plan&) -> Result<std::shared_ptr<ClientPool>> {
    if (!clients_error_.ok()) return clients_error_;
    return std::shared_ptr<ClientPool>(pool_);
  };
  return Pipeline::Create(dependencies, plan_, options_);
}

void PipelineFixture::Make() {
  pipeline_.reset();
  auto made = TryMake();
  ASSERT_TRUE(made.ok()) << made.status().ToString();
  pipeline_ = std::move(made).value();
}

Status PipelineFixture::RunFor(std::chrono::nanoseconds span) {
  const MonoTime end = clock_.MonoNow() + span;
  Status status;
  while (pipeline_->NextDue() < end) {
    clock_.Advance(std::max<MonoTime::duration>(pipeline_->NextDue() - clock_.MonoNow(),
                                                MonoTime::duration::zero()));
    status = Run(PassReason::kInterval);
  }
  clock_.Advance(std::max<MonoTime::duration>(end - clock_.MonoNow(), MonoTime::duration::zero()));
  return status;
}

const FileStatus& PipelineFixture::StatusOf(const std::string& path) {
  seen_status_ = pipeline_->status();
  for (const FileStatus& file : seen_status_->files) {
    if (file.path == path) return file;
  }
  ADD_FAILURE() << "no file " << path;
  static const FileStatus none;
  return none;
}

size_t PipelineFixture::CountLines(std::string_view text) const {
  size_t count = 0;
  for (const std::string& line : logger_.lines()) count += line.find(text) != std::string::npos;
  return count;
}

}  // namespace keyturn::delivery
