// SPDX-License-Identifier: Apache-2.0
#include "lib/delivery/render_quote_state.h"

namespace keyturn::delivery::internal {
namespace {

bool IsBlankOrLineEnd(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

Placement QuotedBy(char quote) {
  return quote == '"' ? Placement::kDoubleQuoted : Placement::kSingleQuoted;
}

}  // namespace

void QuoteState::Feed(std::string_view text) {
  for (const char c : text) FeedCharacter(c);
}

void QuoteState::FeedValue() {
  word_start_ = false;
  scalar_start_ = false;
  escaped_ = false;
  previous_ = 'x';
}

bool QuoteState::EscapesWithBackslash() const {
  if (format_ == plan::Format::kMycnf || format_ == plan::Format::kProperties ||
      format_ == plan::Format::kPgpass) {
    return true;
  }
  if (placement_ == Placement::kDoubleQuoted) return true;
  return format_ == plan::Format::kEnv && placement_ == Placement::kBare;
}

void QuoteState::FeedCharacter(char c) {
  if (escaped_) {
    escaped_ = false;
    FeedValue();
    return;
  }
  switch (placement_) {
    case Placement::kBare:
      FeedBare(c);
      break;
    case Placement::kDoubleQuoted:
    case Placement::kSingleQuoted:
      if (c == (placement_ == Placement::kDoubleQuoted ? '"' : '\'')) placement_ = Placement::kBare;
      break;
    case Placement::kComment:
      if (c == '\n') {
        placement_ = Placement::kBare;
        word_start_ = true;
        scalar_start_ = true;
      }
      break;
  }
  // An option file's value ends with its line, whatever quotes were left open.
  if (format_ == plan::Format::kMycnf && c == '\n') placement_ = Placement::kBare;
  escaped_ = c == '\\' && EscapesWithBackslash();
  previous_ = c;
}

void QuoteState::FeedBare(char c) {
  switch (format_) {
    case plan::Format::kEnv:
      return FeedBareEnv(c);
    case plan::Format::kYaml:
      return FeedBareYaml(c);
    case plan::Format::kMycnf:
      return FeedBareMycnf(c);
    case plan::Format::kJson:
      if (c == '"') placement_ = Placement::kDoubleQuoted;
      return;
    default:
      return;
  }
}

// Source: POSIX.1-2017, Shell Command Language §2.3: '#' at the start of a word begins a comment.
void QuoteState::FeedBareEnv(char c) {
  if (c == '"' || c == '\'') placement_ = QuotedBy(c);
  if (c == '#' && word_start_) placement_ = Placement::kComment;
  word_start_ = IsBlankOrLineEnd(c) || c == ';' || c == '&' || c == '|' || c == '(' || c == ')';
}

// A quote opens a scalar only where one may begin: after an indicator, a tag or an anchor; inside a
// plain scalar ("don't") it is text. Source: YAML 1.1 §5.3, §9.1.
void QuoteState::FeedBareYaml(char c) {
  if (c == '#' && IsBlankOrLineEnd(previous_)) {
    placement_ = Placement::kComment;
    return;
  }
  if ((c == '"' || c == '\'') && scalar_start_) {
    placement_ = QuotedBy(c);
    scalar_start_ = false;
    return;
  }
  FeedYamlIndicator(c);
}

void QuoteState::FeedYamlIndicator(char c) {
  const bool opens = c == '[' || c == '{';
  const bool closes = c == ']' || c == '}';
  if (opens && scalar_start_) {
    ++flow_depth_;
  } else if (closes && flow_depth_ > 0) {
    --flow_depth_;
    scalar_start_ = false;
  } else if (c == '\n' || (c == ',' && flow_depth_ > 0)) {
    scalar_start_ = true;
    in_property_ = false;
  } else if (c == ' ' || c == '\t') {
    if (previous_ == ':' || previous_ == '-' || previous_ == '?') scalar_start_ = true;
    in_property_ = false;
  } else if (c == ':' && (previous_ == '"' || previous_ == '\'')) {
    scalar_start_ = true;  // "key":"value"
  } else if ((c == '!' || c == '&') && scalar_start_) {
    in_property_ = true;  // the scalar is still to come
  } else if (!in_property_) {
    scalar_start_ = false;
  }
}

void QuoteState::FeedBareMycnf(char c) {
  if ((c == '"' || c == '\'') && scalar_start_) placement_ = QuotedBy(c);
  if (c == '=') {
    scalar_start_ = true;
  } else if (c != ' ' && c != '\t') {
    scalar_start_ = false;
  }
}

}  // namespace keyturn::delivery::internal
