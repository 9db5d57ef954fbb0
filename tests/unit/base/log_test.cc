// Tests of the JSON log: whatever is logged, a line is one JSON object with the expected keys.
// SPDX-License-Identifier: Apache-2.0
#include "lib/base/log.h"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <map>
#include <optional>
#include <thread>

#include <gtest/gtest.h>

#include "lib/base/strings.h"
#include "lib/base/time_format.h"
#include "lib/base/unique_fd.h"

namespace keyturn {
namespace {

using Object = std::map<std::string, std::string>;

// A strict reader of flat JSON objects, written for these tests alone so that the logger is not
// checked by its own kin. Strings lose their quotes, escapes above U+007F become '?'.
class FlatJsonReader {
 public:
  explicit FlatJsonReader(std::string_view text) : rest_(text) {}

  std::optional<Object> Read() {
    Object object;
    if (!Take('{')) return std::nullopt;
    do {
      const auto key = String();
      if (!key || !Take(':')) return std::nullopt;
      const auto value = rest_.starts_with('"') ? String() : Number();
      if (!value || !object.emplace(*key, *value).second) return std::nullopt;
    } while (Take(','));
    return Take('}') && rest_.empty() ? std::optional(object) : std::nullopt;
  }

 private:
  bool Take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  std::optional<std::string> Number() {
    const size_t size = std::min(rest_.find_first_not_of("-0123456789"), rest_.size());
    const std::string number(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return size == 0 ? std::nullopt : std::optional(number);
  }

  std::optional<std::string> String() {
    std::string out;
    if (!Take('"')) return std::nullopt;
    while (!rest_.empty() && !Take('"')) {
      const char c = rest_[0];
      if (static_cast<unsigned char>(c) < 0x20) return std::nullopt;
      rest_.remove_prefix(1);
      if (c != '\\') {
        out += c;
      } else if (!Escape(out)) {
        return std::nullopt;
      }
    }
    return IsValidUtf8(out) ? std::optional(out) : std::nullopt;
  }

  bool Escape(std::string& out) {
    static const std::map<char, char> kShort = {{'n', '\n'}, {'t', '\t'}, {'"', '"'}, {'\\', '\\'}};
    if (rest_.empty()) return false;
    const char kind = rest_[0];
    rest_.remove_prefix(1);
    if (kind == 'u') {
      if (rest_.size() < 4) return false;
      const unsigned long point = std::stoul(std::string(rest_.substr(0, 4)), nullptr, 16);
      out += point < 0x80 ? static_cast<char>(point) : '?';
      rest_.remove_prefix(4);
      return true;
    }
    const auto found = kShort.find(kind);
    if (found == kShort.end()) return false;
    out += found->second;
    return true;
  }

  std::string_view rest_;
};

// A logger on an anonymous file.
class LogTest : public ::testing::Test {
 protected:
  std::unique_ptr<Logger> MakeLogger(LogLevel minimum = LogLevel::kDebug) {
    return CreateJsonLogger(minimum, file_.get());
  }

  std::vector<std::string> Lines() const {
    std::string text(static_cast<size_t>(::lseek(file_.get(), 0, SEEK_END)), '\0');
    EXPECT_EQ(::pread(file_.get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    std::vector<std::string> lines;
    for (const std::string_view line : Split(text, '\n')) lines.emplace_back(line);
    EXPECT_EQ(lines.back(), "") << "the last line has no end";
    lines.pop_back();
    return lines;
  }

  Object OnlyLine() const {
    const auto lines = Lines();
    EXPECT_EQ(lines.size(), 1U);
    const auto object = FlatJsonReader(lines[0]).Read();
    EXPECT_TRUE(object) << lines[0];
    return object.value_or(Object());
  }

 private:
  UniqueFd file_{::memfd_create("log", MFD_CLOEXEC)};
};

TEST_F(LogTest, WritesTimeLevelMessageAndFieldsInOrder) {
  MakeLogger()->Warning("published", {{"target", "/keyturn/secrets"}, {"files", 3}, {"delta", -1}});
  const std::string line = Lines().at(0);
  EXPECT_TRUE(line.starts_with("{\"time\":\"2"));
  EXPECT_TRUE(
      line.ends_with("Z\",\"level\":\"warning\",\"msg\":\"published\","
                     "\"target\":\"/keyturn/secrets\",\"files\":3,\"delta\":-1}"))
      << line;
  EXPECT_TRUE(ParseRfc3339(OnlyLine()["time"]));
}

TEST_F(LogTest, NothingFromOutsideBreaksOutOfItsString) {
  const std::string hostile[] = {
      "a\n{\"level\":\"error\",\"msg\":\"forged\"}",
      "a\r\nb",
      "\",\"level\":\"debug",
      "back\\slash\\",
      "{} {0} {:s} {{ %s %n %v %+",
      std::string("nul\0nul", 7),
      "\x1B[31mred\x7F",
      "tab\tbell\a",
      "</script>",
      "gr\xC3\xBCn \xF0\x9F\x98\x80",
      std::string(100'000, '"'),
  };
  for (const std::string& text : hostile) {
    const size_t before = Lines().size();
    MakeLogger()->Info(text, {{text, text}});
    const auto lines = Lines();
    ASSERT_EQ(lines.size(), before + 1) << text.substr(0, 40);
    const auto object = FlatJsonReader(lines.back()).Read();
    ASSERT_TRUE(object) << lines.back().substr(0, 200);
    EXPECT_EQ(object->size(), 4U);
    EXPECT_EQ(object->at("level"), "info");
    EXPECT_EQ(object->at("msg"), text);
    EXPECT_EQ(object->at(text), text);
  }
}

TEST_F(LogTest, MalformedUtf8BecomesReplacementCharacters) {
  MakeLogger()->Info("a\xFF\xC3z\xE2\x82", {{"k", "\xED\xA0\x80"}});
  const Object object = OnlyLine();
  EXPECT_EQ(object.at("msg"), "a\xEF\xBF\xBD\xEF\xBF\xBDz\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(object.at("k"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST_F(LogTest, EveryByteGivesAValidLine) {
  const auto logger = MakeLogger();
  for (int byte = 0; byte < 256; ++byte) logger->Info(std::string(2, static_cast<char>(byte)));
  const auto lines = Lines();
  ASSERT_EQ(lines.size(), 256U);
  for (const std::string& line : lines) EXPECT_TRUE(FlatJsonReader(line).Read()) << line;
}

TEST_F(LogTest, DropsLinesBelowTheMinimum) {
  const auto logger = MakeLogger(LogLevel::kWarning);
  logger->Debug("d");
  logger->Info("i");
  logger->Warning("w");
  logger->Error("e");
  EXPECT_EQ(Lines().size(), 2U);
}

TEST_F(LogTest, LinesOfSeveralThreadsStayWhole) {
  const auto logger = MakeLogger();
  const auto work = [&logger] {
    for (int i = 0; i < 200; ++i) logger->Info(std::string(300, 'x'), {{"i", i}});
  };
  std::thread other(work);
  work();
  other.join();
  const auto lines = Lines();
  ASSERT_EQ(lines.size(), 400U);
  for (const std::string& line : lines) EXPECT_TRUE(FlatJsonReader(line).Read()) << line;
}

TEST_F(LogTest, ADescriptorThatCannotBeWrittenIsSurvived) {
  CreateJsonLogger(LogLevel::kDebug, -1)->Error("lost");
}

TEST(LogLevelTest, ReadsItsFourNames) {
  EXPECT_EQ(*ParseLogLevel("debug"), LogLevel::kDebug);
  EXPECT_EQ(*ParseLogLevel("info"), LogLevel::kInfo);
  EXPECT_EQ(*ParseLogLevel("warn"), LogLevel::kWarning);
  EXPECT_EQ(*ParseLogLevel("warning"), LogLevel::kWarning);
  EXPECT_EQ(*ParseLogLevel("error"), LogLevel::kError);
  for (const char* text : {"", "INFO", "trace", "info ", "inf\n"}) {
    EXPECT_EQ(ParseLogLevel(text).status().code(), StatusCode::kInvalidArgument) << text;
  }
}

TEST(FlatJsonReaderTest, ItselfRefusesWhatIsNotOneObject) {
  for (const char* text :
       {"", "{}", "{\"a\":1", "{\"a\":1}}", "{\"a\":}", "{\"a\":\"\n\"}", "{\"a\":\"\\x\"}",
        "{\"a\":1,\"a\":2}", "{\"a\":1} {\"b\":2}", "{\"a\":\"b\"\"c\":1}"}) {
    EXPECT_FALSE(FlatJsonReader(text).Read()) << text;
  }
}

}  // namespace
}  // namespace keyturn
