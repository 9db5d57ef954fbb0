// A target on tmpfs with a writer, for the tests of AtomicWriter.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/stat.h>

#include <algorithm>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "tests/fakes/fault_injecting_file_system.h"
#include "tests/unit/delivery_publish/support.h"

namespace keyturn::delivery {

// Publishes and tells which call `call` was; the same payload over the same volume repeats it.
inline int CallNumber(testing::FaultInjectingFileSystem& traced, AtomicWriter& writer,
                      const testing::Payload& payload, const std::string& call) {
  traced.Arm(testing::Fault::kNone, 0);
  EXPECT_TRUE(writer.Publish(testing::Render(payload)).ok());
  const auto found = std::find(traced.trace().begin(), traced.trace().end(), call);
  EXPECT_NE(found, traced.trace().end()) << call;
  return static_cast<int>(found - traced.trace().begin()) + 1;
}

class AtomicWriterTest : public ::testing::Test {
 protected:
  AtomicWriterTest() : fs_(fs::CreatePosixFileSystem()), publisher_(*fs_) { ::umask(022); }

  const std::string& target() const { return directory_.path(); }

  std::string Path(const std::string& name) const { return target() + "/" + name; }

  AtomicWriter& writer() {
    if (writer_ == nullptr) {
      Result<std::unique_ptr<AtomicWriter>> created = publisher_.Create(target());
      EXPECT_TRUE(created.ok()) << created.status().ToString();
      writer_ = std::move(created).value();
    }
    return *writer_;
  }

  // A new process, as far as the writer can tell.
  void Restart() { writer_.reset(); }

  PublishResult Publish(const testing::Payload& payload) {
    const Result<PublishResult> result = writer().Publish(testing::Render(payload));
    EXPECT_TRUE(result.ok()) << result.status().ToString();
    return result.ok() ? *result : PublishResult{};
  }

  Status TryPublish(const testing::Payload& payload) {
    return writer().Publish(testing::Render(payload)).status();
  }

  std::string Generation() const { return testing::LinkTextOf(Path("..data")); }

  testing::TmpfsDirectory directory_;
  std::unique_ptr<fs::FileSystem> fs_;
  testing::Publisher publisher_;
  std::unique_ptr<AtomicWriter> writer_;
};

}  // namespace keyturn::delivery
