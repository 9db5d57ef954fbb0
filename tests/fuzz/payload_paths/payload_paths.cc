// Paths of a payload, one per NUL-terminated piece of the input: what ValidatePayload accepts can
// be published, and only below the target. SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/check.h"
#include "lib/base/strings.h"
#include "lib/delivery/atomic_writer.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_random.h"
#include "tests/fakes/in_memory_file_system.h"

namespace {

using keyturn::delivery::RenderedFile;

std::vector<RenderedFile> ReadPayload(std::string_view input) {
  std::vector<RenderedFile> files;
  for (const std::string_view path : keyturn::Split(input, '\0')) {
    files.push_back({std::string(path), keyturn::SecretBytes(path), 0444, {}, {}});
    if (files.size() == 16) break;
  }
  return files;
}

// The rules, restated without sharing code with the implementation.
void CheckClean(const std::string& path) {
  KEYTURN_CHECK(!path.empty() && path.front() != '/' && path.back() != '/');
  KEYTURN_CHECK(path.size() <= 4096 && path.substr(0, 2) != "..");
  for (const std::string_view component : keyturn::Split(path, '/')) {
    KEYTURN_CHECK(!component.empty() && component.size() <= 255);
    KEYTURN_CHECK(component != "." && component != "..");
  }
}

void PublishAndReadBack(std::vector<RenderedFile> files) {
  keyturn::testing::InMemoryFileSystem fs;
  keyturn::testing::FakeClock clock;
  keyturn::testing::FakeRandom random;
  keyturn::NullLogger logger;
  keyturn::metrics::Registry metrics;
  KEYTURN_CHECK(fs.MakeDirectory("/t", 0755).ok());
  const auto wiper = keyturn::delivery::CreateWiper(fs, clock, logger, metrics, {});
  const auto writer = keyturn::delivery::AtomicWriter::Create(
      {&fs, &clock, &random, &logger, wiper.get()}, {"/t", false});
  std::vector<std::string> paths;
  for (const RenderedFile& file : files) paths.push_back(file.path);
  const bool published = (*writer)->Publish(std::move(files)).ok();
  KEYTURN_CHECK(fs.List("/")->size() == 1);
  if (!published) return;  // too long together with the target
  for (const std::string& path : paths) KEYTURN_CHECK(fs.ReadFile("/t/" + path, 1 << 20).ok());
  KEYTURN_CHECK((*writer)->HasCompleteGeneration());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  std::vector<RenderedFile> files = ReadPayload(input);
  if (!keyturn::delivery::ValidatePayload(files).ok()) return 0;
  std::set<std::string> seen;
  for (const RenderedFile& file : files) {
    CheckClean(file.path);
    KEYTURN_CHECK(seen.insert(file.path).second);
  }
  PublishAndReadBack(std::move(files));
  return 0;
}
