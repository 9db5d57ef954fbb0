// What the tests of notify channels share: a temporary directory, real files, a fake network.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/delivery/notify.h"
#include "tests/fakes/fake_http_transport.h"
#include "tests/fakes/fake_logger.h"

namespace keyturn::delivery::testing {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = std::filesystem::temp_directory_path() / "keyturn-notify-XXXXXX";
    path_ = mkdtemp(pattern.data());
  }

  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }

  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline std::string ReadText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void WriteText(const std::string& path, const std::string& text) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

struct NotifyRig {
  Result<std::unique_ptr<NotifyChannel>> Create(const plan::Notify& spec,
                                                const std::vector<std::string>& targets = {}) {
    NotifyDependencies dependencies{files.get(), &transport, &clock, &logger};
    dependencies.proc_root = proc_root;
    dependencies.kill = kill;
    return CreateNotifyChannel(spec, targets, dependencies);
  }

  // Creates the channel and makes one attempt.
  Status Deliver(const plan::Notify& spec, const std::vector<std::string>& targets = {},
                 const CallContext& context = {}) {
    KEYTURN_ASSIGN_OR_RETURN(const auto channel, Create(spec, targets));
    return channel->Deliver("change-1", context);
  }

  TemporaryDirectory directory;
  std::unique_ptr<fs::FileSystem> files = fs::CreatePosixFileSystem();
  SystemClock clock;
  keyturn::testing::FakeLogger logger;
  int http_status = 204;
  keyturn::testing::FakeHttpTransport transport{[this](const net::HttpRequest&) {
    return keyturn::testing::JsonResponse(http_status, "CANARY");
  }};
  std::string proc_root = "/proc";
  std::function<int(pid_t, int)> kill;
};

}  // namespace keyturn::delivery::testing
