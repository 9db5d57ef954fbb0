// SPDX-License-Identifier: Apache-2.0
#include "lib/json/jmespath.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "lib/base/strings.h"
#include "lib/json/checked_parse.h"
#include "lib/json/json.h"

namespace keyturn::json {

// One after the other: a member of an object, or an element of an array (from the end if negative).
struct JmesPath::Expression {
  std::vector<std::variant<std::string, int64_t>> steps;
};

namespace {

using Step = std::variant<std::string, int64_t>;

struct Feature {
  std::string_view prefix;
  std::string_view name;
};

// What JMESPath has and the subset has not, by how it begins; longer prefixes first.
constexpr std::array<Feature, 16> kFeatures = {{{"||", "an or-expression"},
                                                {"|", "a pipe"},
                                                {"&&", "an and-expression"},
                                                {"&", "an expression reference"},
                                                {"==", "a comparison"},
                                                {"!=", "a comparison"},
                                                {"<", "a comparison"},
                                                {">", "a comparison"},
                                                {"!", "a not-expression"},
                                                {"`", "a literal"},
                                                {"'", "a raw string"},
                                                {"*", "a wildcard"},
                                                {"{", "a multi-select hash"},
                                                {"(", "a parenthesis"},
                                                {"?", "a filter"},
                                                {":", "a slice"}}};

bool IsIdentifierStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

// Recursive descent without the recursion: the subset has no nested expressions.
// Source: https://jmespath.org/specification.html#grammar
class Compiler {
 public:
  explicit Compiler(std::string_view text) : text_(text) {}

  Result<std::vector<Step>> Run() {
    SkipBlanks();
    KEYTURN_RETURN_IF_ERROR(First());
    for (SkipBlanks(); at_ < text_.size(); SkipBlanks()) {
      if (Take('.')) {
        KEYTURN_RETURN_IF_ERROR(Member());
      } else if (Peek() == '[') {
        KEYTURN_RETURN_IF_ERROR(Index());
      } else {
        return Refuse("'.', '[' or the end");
      }
    }
    return std::move(steps_);
  }

 private:
  char Peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  bool Take(char c) {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  void SkipBlanks() { at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size()); }

  Status First() {
    if (Take('@')) return OkStatus();
    if (Peek() == '[') return Index();
    return Member();
  }

  Status Member() {
    SkipBlanks();
    if (Peek() == '"') return QuotedIdentifier();
    if (Peek() == '[') return Unsupported("a multi-select list");
    if (!IsIdentifierStart(Peek())) {
      return Refuse(R"(an identifier (names with other characters are written in "quotes"))");
    }
    const size_t begin = at_;
    while (IsIdentifierStart(Peek()) || IsDigit(Peek())) ++at_;
    steps_.emplace_back(std::string(text_.substr(begin, at_ - begin)));
    return Peek() == '(' ? Unsupported("a function") : OkStatus();
  }

  // A JSON string, escapes included.
  Status QuotedIdentifier() {
    const size_t begin = at_++;
    while (at_ < text_.size() && text_[at_] != '"') at_ += text_[at_] == '\\' ? 2U : 1U;
    if (at_ >= text_.size()) return Error(begin, "the closing quote is missing");
    ++at_;
    const Result<Json> name = CheckedParse(text_.substr(begin, at_ - begin));
    if (!name.ok()) return Error(begin, "the quoted identifier is not a valid JSON string");
    steps_.emplace_back(name->get<std::string>());
    return OkStatus();
  }

  // REQUIRES: at '['.
  Status Index() {
    const size_t bracket = at_++;
    if (Peek() == ']') return Unsupported("a flatten operator");
    SkipBlanks();
    const size_t begin = at_;
    if (Peek() == '-' || IsDigit(Peek())) {
      ++at_;
      while (IsDigit(Peek())) ++at_;
      return FinishIndex(text_.substr(begin, at_ - begin));
    }
    if (Peek() == '*' || Peek() == '?' || Peek() == ':') return Refuse("an index");
    if (at_ == text_.size()) return Refuse("an index");
    at_ = bracket;
    return Unsupported("a multi-select list");
  }

  Status FinishIndex(std::string_view digits) {
    int64_t index = 0;
    const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
    if (error != std::errc()) return Error(at_ - digits.size(), "expected an index of 64 bits");
    SkipBlanks();
    if (Peek() == ',') return Unsupported("a multi-select list");
    if (!Take(']')) return Refuse("']'");
    steps_.emplace_back(index);
    return OkStatus();
  }

  // The feature that begins here if there is one, else what was expected.
  Status Refuse(std::string_view expected) const {
    const std::string_view rest = text_.substr(at_);
    for (const Feature& feature : kFeatures) {
      if (rest.substr(0, feature.prefix.size()) == feature.prefix) return Unsupported(feature.name);
    }
    return Error(at_, StrCat("expected ", expected));
  }

  Status Unsupported(std::string_view feature) const {
    return Error(at_, StrCat(feature,
                             " is not supported: use names, \"quoted names\", dots and "
                             "indexes"));
  }

  Status Error(size_t at, std::string_view problem) const {
    const std::string_view before = text_.substr(0, at);
    const auto column = std::count_if(before.begin(), before.end(), [](char c) {
      return (static_cast<unsigned char>(c) >> 6) != 2;  // not a UTF-8 continuation byte
    });
    return InvalidArgumentError(
        StrCat("JMESPath '", QuoteForMessage(text_), "', column ", column + 1, ": ", problem));
  }

  std::string_view text_;
  size_t at_ = 0;
  std::vector<Step> steps_;
};

const Json* Apply(const Json& value, const std::string& name) {
  if (!value.is_object()) return nullptr;
  const auto found = value.find(name);
  return found == value.end() ? nullptr : &*found;
}

const Json* Apply(const Json& value, int64_t index) {
  if (!value.is_array()) return nullptr;
  const auto size = static_cast<int64_t>(value.size());
  if (index >= size || index < -size) return nullptr;
  return &value[static_cast<size_t>(index < 0 ? index + size : index)];
}

}  // namespace

JmesPath::JmesPath(std::unique_ptr<Expression> expression) : expression_(std::move(expression)) {}

JmesPath::JmesPath(JmesPath&&) noexcept = default;
JmesPath& JmesPath::operator=(JmesPath&&) noexcept = default;
JmesPath::~JmesPath() = default;

Result<JmesPath> JmesPath::Compile(std::string_view expression) {
  if (expression.size() > kMaxJmesPathBytes) {
    return InvalidArgumentError(StrCat("JMESPath of ", expression.size(), " bytes: at most ",
                                       kMaxJmesPathBytes, " are allowed"));
  }
  auto compiled = std::make_unique<Expression>();
  KEYTURN_ASSIGN_OR_RETURN(compiled->steps, Compiler(expression).Run());
  return JmesPath(std::move(compiled));
}

Json JmesPath::Search(const Json& document) const {
  const Json* value = &document;
  for (const Step& step : expression_->steps) {
    value = std::visit([value](const auto& s) { return Apply(*value, s); }, step);
    if (value == nullptr) return nullptr;
  }
  return *value;
}

}  // namespace keyturn::json
