// Templates: reading and checking, apart from values. Internal to rendering.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"
#include "lib/delivery/render_escape.h"
#include "lib/plan/plan.h"

namespace keyturn::delivery::internal {

enum class TagKind { kVariable, kRawVariable, kSection, kInvertedSection };

struct Tag {
  TagKind kind = TagKind::kVariable;
  std::string name;  // "db.password", or "." for the current item
  size_t line = 0;   // from 1
  Placement placement = Placement::kBare;
  size_t body_size = 0;  // sections: bytes of engine_text inside
};

// A template that is known to be well-formed, rewritten for the engine: every name is the index of
// its tag, so that the engine meets no input of ours, and only forms that it handles well.
struct Template {
  std::string engine_text;
  std::vector<Tag> tags;
};

// A name that no value has; engine_text uses it to mark lines that hold only a section's tag.
inline constexpr std::string_view kEngineMarker = "m";

// Variables {{x}}, {{{x}}} and {{&x}}, sections {{#x}}…{{/x}} and {{^x}}…{{/x}}, comments {{!…}}.
// ERRORS: INVALID_ARGUMENT with the line: unclosed or unpaired tags, malformed names, sections
// nested deeper than 16, NUL; partials and changed delimiters, which are not supported. A template
// is part of the Plan, so its text may be quoted. Source: mustache(5).
Result<Template> ParseTemplate(std::string_view text, plan::Format format);

}  // namespace keyturn::delivery::internal
