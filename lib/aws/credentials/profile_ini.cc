// SPDX-License-Identifier: Apache-2.0
#include "lib/aws/credentials/profile_ini.h"

#include <algorithm>
#include <utility>

#include "lib/base/strings.h"

namespace keyturn::aws {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool IsBlank(char character) {
  return character == ' ' || character == '\t';
}

bool IsCommentMark(char character) {
  return character == '#' || character == ';';
}

bool HasControl(std::string_view line) {
  return std::any_of(line.begin(), line.end(), [](char character) {
    const auto byte = static_cast<unsigned char>(character);
    return (byte < 0x20 && character != '\t') || byte == 0x7F;
  });
}

// A comment inside a line needs a blank before it, since keys may hold '#'.
std::string_view WithoutComment(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (IsCommentMark(text[i]) && (i == 0 || IsBlank(text[i - 1]))) return text.substr(0, i);
  }
  return text;
}

// Runs of blanks become one space; quotes around a profile's name go.
std::string NormalizeSectionName(std::string_view text) {
  std::string name;
  for (const char character : TrimWhitespace(text)) {
    if (character == '"' || character == '\'') continue;
    if (!IsBlank(character)) {
      name += character;
    } else if (!name.empty() && name.back() != ' ') {
      name += ' ';
    }
  }
  return name;
}

class Parser {
 public:
  Status AddLine(std::string_view line) {
    ++number_;
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (HasControl(line)) return Error("a control character");
    const std::string_view content = TrimWhitespace(line);
    if (content.empty() || IsCommentMark(content.front())) return OkStatus();
    if (IsBlank(line.front())) return AddIndented();
    if (content.front() == '[') return AddSection(content);
    return AddSetting(content);
  }

  IniFile Take() { return std::move(file_); }

 private:
  Status AddIndented() const {
    // The nested settings that are in use ("s3 =") do not concern credentials.
    return has_setting_ ? OkStatus() : Error("an indented line without a setting above it");
  }

  Status AddSection(std::string_view content) {
    const size_t close = content.find(']');
    if (close == std::string_view::npos) return Error("a section without ']'");
    const std::string_view rest = TrimWhitespace(content.substr(close + 1));
    if (!rest.empty() && !IsCommentMark(rest.front())) return Error("text after ']'");
    std::string name = NormalizeSectionName(content.substr(1, close - 1));
    if (name.empty()) return Error("a section without a name");
    const auto [section, is_new] = file_.try_emplace(std::move(name));
    if (!is_new) return Error("a section that occurred before");
    section_ = &section->second;
    has_setting_ = false;
    return OkStatus();
  }

  Status AddSetting(std::string_view content) {
    const size_t equals = content.find('=');
    if (equals == std::string_view::npos) return Error("neither a section nor name = value");
    if (section_ == nullptr) return Error("a setting before the first section");
    const std::string_view name = TrimWhitespace(content.substr(0, equals));
    if (name.empty() || std::any_of(name.begin(), name.end(), IsBlank)) {
      return Error("a setting's name must be one word");
    }
    const std::string_view value = TrimWhitespace(WithoutComment(content.substr(equals + 1)));
    if (!section_->try_emplace(ToLowerAscii(name), value).second) {
      return Error("a setting that occurred before in this section");
    }
    has_setting_ = true;
    return OkStatus();
  }

  Status Error(std::string_view what) const {
    return InvalidArgumentError(StrCat("line ", number_, ": ", what));
  }

  IniFile file_;
  IniSection* section_ = nullptr;
  bool has_setting_ = false;
  size_t number_ = 0;
};

}  // namespace

Result<IniFile> ParseProfileIni(std::string_view text) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  Parser parser;
  for (const std::string_view line : Split(text, '\n')) {
    KEYTURN_RETURN_IF_ERROR(parser.AddLine(line));
  }
  return parser.Take();
}

}  // namespace keyturn::aws
