// Logger: structured log lines. Nothing in this header depends on the library behind it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "lib/base/result.h"

namespace keyturn {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

Result<LogLevel> ParseLogLevel(std::string_view text);

// One key and value of a line. Values are text or whole numbers.
// SECURITY: never pass a secret value, a token or a request body.
struct LogField {
  LogField(std::string_view key_in, std::string_view value_in) : key(key_in), value(value_in) {}

  template <std::integral T>
  LogField(std::string_view key_in, T number)
      : key(key_in), value(std::to_string(number)), is_number(true) {}

  std::string_view key;
  std::string value;
  bool is_number = false;
};

// THREAD: implementations are safe to call from any thread.
class Logger {
 public:
  virtual ~Logger() = default;
  virtual void Log(LogLevel level, std::string_view message,
                   std::initializer_list<LogField> fields = {}) = 0;

  void Debug(std::string_view message, std::initializer_list<LogField> fields = {}) {
    Log(LogLevel::kDebug, message, fields);
  }

  void Info(std::string_view message, std::initializer_list<LogField> fields = {}) {
    Log(LogLevel::kInfo, message, fields);
  }

  void Warning(std::string_view message, std::initializer_list<LogField> fields = {}) {
    Log(LogLevel::kWarning, message, fields);
  }

  void Error(std::string_view message, std::initializer_list<LogField> fields = {}) {
    Log(LogLevel::kError, message, fields);
  }
};

class NullLogger final : public Logger {
 public:
  void Log(LogLevel, std::string_view, std::initializer_list<LogField>) override {}
};

// One JSON object a line on a file descriptor (stderr by default):
// {"time":"2026-11-23T10:00:00.123Z","level":"info","msg":"published","target":"/keyturn/secrets"}
// Every byte from outside is escaped, so that no value can start a second line or add a key.
// `fd` stays owned by the caller.
std::unique_ptr<Logger> CreateJsonLogger(LogLevel minimum, int fd = 2);

// Appends `text` as a JSON string with quotes. Control characters are escaped; malformed UTF-8
// becomes U+FFFD.
void AppendJsonString(std::string& out, std::string_view text);

}  // namespace keyturn
