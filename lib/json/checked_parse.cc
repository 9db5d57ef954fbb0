// SPDX-License-Identifier: Apache-2.0
#include "lib/json/checked_parse.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/strings.h"
#include "lib/json/json.h"

namespace keyturn::json {
namespace {

// Reads `text` and remembers how far the parser has come, which its events do not tell.
class TrackingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  TrackingIterator(const char* at, const char** furthest) : at_(at), furthest_(furthest) {}

  reference operator*() const { return *at_; }

  TrackingIterator& operator++() {
    *furthest_ = ++at_;
    return *this;
  }

  TrackingIterator operator++(int) {
    TrackingIterator before = *this;
    ++*this;
    return before;
  }

  friend bool operator==(const TrackingIterator& a, const TrackingIterator& b) {
    return a.at_ == b.at_;
  }

 private:
  const char* at_;
  const char** furthest_;
};

// What the library's syntax errors say was expected. Only these phrases are passed on, because the
// rest of such a message quotes the input.
constexpr std::array<std::string_view, 7> kExpectations = {
    "'}'", "']'", "':'", "string literal", "end of input", "'[', '{', or a literal", "','"};

// SECURITY: the answer is one of our constants, whatever `what` holds.
std::string_view SyntaxProblem(std::string_view what) {
  constexpr std::string_view kMarker = "; expected ";
  const size_t marker = what.rfind(kMarker);
  if (marker == std::string_view::npos) return {};
  const std::string_view expected = what.substr(marker + kMarker.size());
  const auto* known = std::find(kExpectations.begin(), kExpectations.end(), expected);
  return known == kExpectations.end() ? std::string_view() : *known;
}

// Builds the value. The parser that calls it is iterative, so that nesting costs no stack.
class TreeBuilder final : public nlohmann::json_sax<Json> {
 public:
  TreeBuilder(Json& root, size_t max_depth) : root_(root), max_depth_(max_depth) {}

  bool null() override { return Add(nullptr); }

  bool boolean(bool value) override { return Add(value); }

  bool number_integer(number_integer_t value) override { return Add(value); }

  bool number_unsigned(number_unsigned_t value) override { return Add(value); }

  bool number_float(number_float_t value, const string_t& /*text*/) override { return Add(value); }

  bool string(string_t& value) override { return Add(std::move(value)); }

  bool binary(binary_t& /*value*/) override { return Fail("binary value"); }

  bool start_object(size_t /*size*/) override { return Open(Json::object()); }

  bool start_array(size_t /*size*/) override { return Open(Json::array()); }

  bool end_object() override { return Close(); }

  bool end_array() override { return Close(); }

  bool key(string_t& name) override {
    auto [slot, added] = open_.back()->get_ref<Json::object_t&>().emplace(std::move(name), nullptr);
    if (!added) return Fail("duplicate key in an object");
    slot_ = &slot->second;
    return true;
  }

  bool parse_error(size_t /*position*/, const std::string& /*token*/,
                   const nlohmann::detail::exception& error) override {
    constexpr int kNumberOverflow = 406;
    if (error.id == kNumberOverflow) return Fail("number out of range");
    const std::string_view expected = SyntaxProblem(error.what());
    return Fail(expected.empty() ? "not valid JSON" : StrCat("expected ", expected));
  }

  const std::string& problem() const { return problem_; }

 private:
  bool Fail(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }

  Json& Place(Json&& value) {
    if (open_.empty()) return root_ = std::move(value);
    if (open_.back()->is_object()) return *slot_ = std::move(value);
    return open_.back()->get_ref<Json::array_t&>().emplace_back(std::move(value));
  }

  bool Add(Json&& value) {
    Place(std::move(value));
    return true;
  }

  bool Open(Json&& container) {
    if (open_.size() == max_depth_) return Fail(StrCat("nested deeper than ", max_depth_));
    open_.push_back(&Place(std::move(container)));
    return true;
  }

  bool Close() {
    open_.pop_back();
    return true;
  }

  Json& root_;
  const size_t max_depth_;
  std::vector<Json*> open_;  // stable: a container does not grow while its child is open
  Json* slot_ = nullptr;     // where the value of the last key goes
  std::string problem_;
};

// "line 3, column 7" of the last of the first `read` bytes; columns count characters.
std::string Position(std::string_view text, size_t read) {
  const std::string_view before = text.substr(0, read == 0 ? 0 : read - 1);
  const size_t newline = before.rfind('\n');
  const std::string_view line =
      newline == std::string_view::npos ? before : before.substr(newline + 1);
  const auto characters = std::count_if(
      line.begin(), line.end(), [](char c) { return (static_cast<unsigned char>(c) >> 6) != 2; });
  return StrCat("line ", std::count(before.begin(), before.end(), '\n') + 1, ", column ",
                characters + 1);
}

// The end of the longest well-formed prefix. Only called on malformed text.
size_t FirstMalformedByte(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    size_t length = 1;
    while (length < 4 && !IsValidUtf8(text.substr(i, length))) ++length;
    if (!IsValidUtf8(text.substr(i, length))) return i;
    i += length;
  }
  return text.size();
}

// What the library would accept or describe badly.
Status CheckText(std::string_view text, const ParseLimits& limits) {
  if (text.size() > limits.max_bytes) {
    return InvalidArgumentError(
        StrCat("JSON of ", text.size(), " bytes: at most ", limits.max_bytes, " are allowed"));
  }
  if (!IsValidUtf8(text)) {
    return InvalidArgumentError(
        StrCat(Position(text, FirstMalformedByte(text) + 1), ": malformed UTF-8"));
  }
  // The library takes a NUL for the end of input and would ignore what follows.
  if (const size_t nul = text.find('\0'); nul != std::string_view::npos) {
    return InvalidArgumentError(StrCat(Position(text, nul + 1), ": NUL byte"));
  }
  return OkStatus();
}

}  // namespace

Result<Json> CheckedParse(std::string_view text, const ParseLimits& limits) {
  KEYTURN_RETURN_IF_ERROR(CheckText(text, limits));
  Json root;
  TreeBuilder builder(root, limits.max_depth);
  const char* furthest = text.data();
  const char* end = text.data() + text.size();
  if (!Json::sax_parse(TrackingIterator(text.data(), &furthest), TrackingIterator(end, &furthest),
                       &builder)) {
    const auto read = static_cast<size_t>(furthest - text.data());
    return InvalidArgumentError(StrCat(Position(text, read), ": ", builder.problem()));
  }
  return root;
}

std::string Dump(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace keyturn::json
