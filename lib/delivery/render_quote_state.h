// QuoteState: whether the end of a template's text stands inside quotes. Internal to rendering.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string_view>

#include "lib/delivery/render_escape.h"
#include "lib/plan/plan.h"

namespace keyturn::delivery::internal {

// Follows the text between tags in the quoting rules of the file's format, so that both
// `password: {{x}}` and `password: "{{x}}"` come out right. It sees each part of the text once, in
// order; the bodies of sections are taken to have balanced quotes.
class QuoteState {
 public:
  explicit QuoteState(plan::Format format) : format_(format) {}

  void Feed(std::string_view text);
  // A value stands here.
  void FeedValue();

  Placement placement() const { return placement_; }

  // The next character would be escaped by a backslash.
  bool escaped() const { return escaped_; }

 private:
  void FeedCharacter(char c);
  void FeedBare(char c);
  void FeedBareEnv(char c);
  void FeedBareYaml(char c);
  void FeedYamlIndicator(char c);
  void FeedBareMycnf(char c);
  bool EscapesWithBackslash() const;

  plan::Format format_;
  Placement placement_ = Placement::kBare;
  bool escaped_ = false;      // the last character was a backslash that escapes
  bool word_start_ = true;    // shell: a comment may begin here
  bool scalar_start_ = true;  // YAML, option files: a quoted scalar may begin here
  bool in_property_ = false;  // YAML: in a tag or an anchor
  size_t flow_depth_ = 0;     // YAML: open brackets and braces
  char previous_ = '\n';
};

}  // namespace keyturn::delivery::internal
