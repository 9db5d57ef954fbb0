// SPDX-License-Identifier: Apache-2.0
#include "lib/base/log.h"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <mutex>

#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include "lib/base/strings.h"
#include "lib/base/time_format.h"

namespace keyturn {
namespace {

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

std::string_view LevelName(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::debug:
      return "debug";
    case spdlog::level::info:
      return "info";
    case spdlog::level::warn:
      return "warning";
    default:
      return "error";
  }
}

// Completes the line with time and level and writes it with one write(2), so that lines of several
// processes on one pipe do not mix.
class JsonSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit JsonSink(int fd) : fd_(fd) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    std::string line = "{\"time\":\"";
    line += FormatRfc3339(message.time);
    line += "\",\"level\":\"";
    line += LevelName(message.level);
    line += "\",";
    line.append(message.payload.data(), message.payload.size());
    line += "}\n";
    // A log that cannot be written must not stop the program: nothing better can be done here.
    [[maybe_unused]] const ssize_t count = ::write(fd_, line.data(), line.size());
  }

  void flush_() override {}

 private:
  const int fd_;
};

class JsonLogger final : public Logger {
 public:
  JsonLogger(LogLevel minimum, int fd) : logger_("keyturn", std::make_shared<JsonSink>(fd)) {
    logger_.set_level(ToSpdlog(minimum));
  }

  void Log(LogLevel level, std::string_view message,
           std::initializer_list<LogField> fields) override {
    if (!logger_.should_log(ToSpdlog(level))) return;
    std::string payload = "\"msg\":";
    AppendJsonString(payload, message);
    for (const LogField& field : fields) {
      payload += ',';
      AppendJsonString(payload, field.key);
      payload += ':';
      if (field.is_number) {
        payload += field.value;
      } else {
        AppendJsonString(payload, field.value);
      }
    }
    // The overload without format arguments: braces in the text stay text.
    logger_.log(ToSpdlog(level), spdlog::string_view_t(payload.data(), payload.size()));
  }

 private:
  spdlog::logger logger_;
};

void AppendEscaped(std::string& out, unsigned char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  std::array<char, 8> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "\\u%04x", c);
  out += buffer.data();
}

bool IsPlain(unsigned char c) {
  return c >= 0x20 && c != 0x7F && c != '"' && c != '\\' && c < 0x80;
}

// The length of the valid UTF-8 sequence at `text`, or 0.
size_t MultiByteLength(std::string_view text) {
  for (size_t length = 2; length <= 4 && length <= text.size(); ++length) {
    if (IsValidUtf8(text.substr(0, length))) return length;
  }
  return 0;
}

}  // namespace

Result<LogLevel> ParseLogLevel(std::string_view text) {
  if (text == "debug") return LogLevel::kDebug;
  if (text == "info") return LogLevel::kInfo;
  if (text == "warning" || text == "warn") return LogLevel::kWarning;
  if (text == "error") return LogLevel::kError;
  return InvalidArgumentError(
      StrCat("log level '", QuoteForMessage(text), "': use debug, info, warning or error"));
}

void AppendJsonString(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const auto c = static_cast<unsigned char>(text[0]);
    size_t length = 1;
    if (IsPlain(c)) {
      out += text[0];
    } else if (c < 0x80) {
      AppendEscaped(out, c);
    } else if ((length = MultiByteLength(text)) != 0) {
      out += text.substr(0, length);
    } else {
      out += "\xEF\xBF\xBD";  // U+FFFD
      length = 1;
    }
    text.remove_prefix(length);
  }
  out += '"';
}

std::unique_ptr<Logger> CreateJsonLogger(LogLevel minimum, int fd) {
  return std::make_unique<JsonLogger>(minimum, fd);
}

}  // namespace keyturn
