// SPDX-License-Identifier: Apache-2.0
#include "lib/delivery/render_template.h"

#include <algorithm>
#include <utility>

#include "lib/base/strings.h"
#include "lib/delivery/render_quote_state.h"

namespace keyturn::delivery::internal {
namespace {

// The engine recurses once per level. Real templates nest two or three.
constexpr size_t kMaxDepth = 16;

class Parser {
 public:
  Parser(std::string_view text, plan::Format format) : rest_(text), quotes_(format) {}

  Result<Template> Parse() {
    if (rest_.find('\0') != std::string_view::npos) return Error("holds a NUL byte");
    while (!rest_.empty()) {
      TakeText();
      if (!rest_.empty()) KEYTURN_RETURN_IF_ERROR(TakeTag());
    }
    if (!open_.empty()) {
      line_ = result_.tags[open_.back()].line;
      return Error("a section is not closed");
    }
    return std::move(result_);
  }

 private:
  Status Error(std::string_view why) const {
    return InvalidArgumentError(StrCat("template line ", line_, ": ", why));
  }

  void Advance(size_t size) {
    const std::string_view passed = rest_.substr(0, size);
    line_ += static_cast<size_t>(std::count(passed.begin(), passed.end(), '\n'));
    rest_.remove_prefix(size);
  }

  void TakeText() {
    const std::string_view text = rest_.substr(0, rest_.find("{{"));
    quotes_.Feed(text);
    result_.engine_text += text;
    Advance(text.size());
  }

  Status TakeTag() {
    const bool triple = rest_.starts_with("{{{");
    const size_t open = triple ? 3 : 2;
    const size_t close = rest_.find(triple ? "}}}" : "}}", open);
    if (close == std::string_view::npos) return Error("a tag is not closed");
    const std::string_view content = TrimWhitespace(rest_.substr(open, close - open));
    KEYTURN_RETURN_IF_ERROR(triple ? AddVariable(TagKind::kRawVariable, content) : AddTag(content));
    Advance(close + open);
    return {};
  }

  Status AddTag(std::string_view content) {
    if (content.empty()) return Error("an empty tag");
    const std::string_view name = TrimWhitespace(content.substr(1));
    switch (content[0]) {
      case '#':
        return OpenSection(TagKind::kSection, name);
      case '^':
        return OpenSection(TagKind::kInvertedSection, name);
      case '/':
        return CloseSection(name);
      case '!':
        Mark();
        return {};
      case '&':
        return AddVariable(TagKind::kRawVariable, name);
      case '>':
        return Error("partials are not supported");
      case '=':
        return Error("changing the delimiters is not supported");
      default:
        return AddVariable(TagKind::kVariable, content);
    }
  }

  Status CheckName(std::string_view name) const {
    if (name == ".") return {};
    const auto is_odd = [](char c) {
      return static_cast<unsigned char>(c) <= ' ' || c == 0x7F ||
             std::string_view("{}#^/&!=<>$*").find(c) != std::string_view::npos;
    };
    const bool empty_part = name.empty() || name.front() == '.' || name.back() == '.' ||
                            name.find("..") != std::string_view::npos;
    if (!empty_part && std::none_of(name.begin(), name.end(), is_odd)) return {};
    return Error(StrCat("malformed name ", QuoteForMessage(name)));
  }

  Result<size_t> AddNamed(TagKind kind, std::string_view name) {
    KEYTURN_RETURN_IF_ERROR(CheckName(name));
    result_.tags.push_back({kind, std::string(name), line_, quotes_.placement(), 0});
    return result_.tags.size() - 1;
  }

  // A line with nothing but a section's tag or a comment leaves no empty line behind. The engine
  // knows this only for sections that it enters, so each such tag follows an inverted section of
  // nothing, which it always enters.
  void Mark() { result_.engine_text += StrCat("{{^", kEngineMarker, "}}{{/", kEngineMarker, "}}"); }

  Status AddVariable(TagKind kind, std::string_view name) {
    if (quotes_.escaped()) return Error("a backslash in front of a tag");
    KEYTURN_ASSIGN_OR_RETURN(const size_t index, AddNamed(kind, name));
    // Unescaped for the engine: escaping is ours.
    result_.engine_text += StrCat("{{&", index, "}}");
    quotes_.FeedValue();
    return {};
  }

  Status OpenSection(TagKind kind, std::string_view name) {
    if (open_.size() == kMaxDepth) return Error("sections are nested too deeply");
    KEYTURN_ASSIGN_OR_RETURN(const size_t index, AddNamed(kind, name));
    Mark();
    result_.engine_text += StrCat(kind == TagKind::kSection ? "{{#" : "{{^", index, "}}");
    result_.tags[index].body_size = result_.engine_text.size();  // its start, until it is closed
    open_.push_back(index);
    return {};
  }

  Status CloseSection(std::string_view name) {
    if (open_.empty() || result_.tags[open_.back()].name != name) {
      return Error(StrCat("section ", QuoteForMessage(name), " is closed but not open"));
    }
    Tag& section = result_.tags[open_.back()];
    section.body_size = result_.engine_text.size() - section.body_size;
    result_.engine_text += StrCat("{{/", open_.back(), "}}");
    open_.pop_back();
    return {};
  }

  std::string_view rest_;
  QuoteState quotes_;
  size_t line_ = 1;
  std::vector<size_t> open_;  // sections, as indices of their tags
  Template result_;
};

}  // namespace

Result<Template> ParseTemplate(std::string_view text, plan::Format format) {
  return Parser(text, format).Parse();
}

}  // namespace keyturn::delivery::internal
