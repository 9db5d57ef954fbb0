// SPDX-License-Identifier: Apache-2.0
#include "agent/plan_source.h"

#include <utility>

#include "lib/base/strings.h"

namespace keyturn::agent {

PlanSource::PlanSource(fs::FileSystem& file_system, std::string path, std::string inline_json)
    : file_system_(file_system), path_(std::move(path)), inline_json_(std::move(inline_json)) {}

Result<std::string> PlanSource::Read() {
  if (path_.empty()) return inline_json_;
  KEYTURN_ASSIGN_OR_RETURN(const SecretBytes bytes,
                           file_system_.ReadFile(path_, plan::kMaxPlanBytes));
  return std::string(bytes.Reveal(InsecureSecretAccess::Get()));
}

Result<plan::Plan> PlanSource::Parse(const std::string& text) const {
  Result<plan::Plan> parsed = plan::ParsePlan(text);
  if (parsed.ok()) return parsed;
  return AnnotateStatus(parsed.status(), path_.empty() ? "--plan-json" : StrCat("plan ", path_));
}

Result<plan::Plan> PlanSource::Load() {
  Result<std::string> text = Read();
  if (!text.ok()) return AnnotateStatus(text.status(), "read the plan");
  last_text_ = *text;
  return Parse(last_text_);
}

std::optional<Result<plan::Plan>> PlanSource::Poll() {
  if (path_.empty()) return std::nullopt;
  Result<std::string> text = Read();
  if (!text.ok()) {
    // Missing for a moment (an editor, a re-mount) is no reason to say the same thing at every
    // tick.
    if (text.status().message() == last_error_) return std::nullopt;
    last_error_ = text.status().message();
    return Result<plan::Plan>(AnnotateStatus(text.status(), "read the plan"));
  }
  // The same text after an error counts as new: whoever was told of the error hears that it is
  // over.
  const bool was_missing = !std::exchange(last_error_, {}).empty();
  if (*text == last_text_ && !was_missing) return std::nullopt;
  last_text_ = *std::move(text);
  return Parse(last_text_);
}

}  // namespace keyturn::agent
