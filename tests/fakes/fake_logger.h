// FakeLogger: keeps what was logged, as one text per line.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "lib/base/log.h"
#include "lib/base/mutex.h"

namespace keyturn::testing {

// THREAD: safe.
class FakeLogger final : public Logger {
 public:
  void Log(LogLevel, std::string_view message, std::initializer_list<LogField> fields) override {
    std::string line(message);
    for (const LogField& field : fields) line += " " + std::string(field.key) + "=" + field.value;
    MutexLock lock(mutex_);
    lines_.push_back(std::move(line));
  }

  std::vector<std::string> lines() const {
    MutexLock lock(mutex_);
    return lines_;
  }

  bool Contains(std::string_view text) const {
    for (const std::string& line : lines()) {
      if (line.find(text) != std::string::npos) return true;
    }
    return false;
  }

 private:
  mutable Mutex mutex_;
  std::vector<std::string> lines_ KEYTURN_GUARDED_BY(mutex_);
};

}  // namespace keyturn::testing
