// PlanSource: where the Plan comes from, and whether it changed.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "lib/base/result.h"
#include "lib/fs/file_system.h"
#include "lib/plan/plan.h"

namespace keyturn::agent {

// Reads the Plan from a file (or holds an inline one) and notices changes of the file's content.
// THREAD: one call at a time.
class PlanSource {
 public:
  PlanSource(fs::FileSystem& file_system, std::string path, std::string inline_json);

  // The Plan as it is now. ERRORS: NOT_FOUND, PERMISSION_DENIED for the file; INVALID_ARGUMENT for
  // its content, with the file's name in front.
  Result<plan::Plan> Load();

  // Empty while the text is the one that Load or Poll last saw; otherwise the outcome of parsing
  // the new text. A change is reported once, valid or not, and so is a file that cannot be read;
  // when it can be read again its text counts as new. An inline Plan never changes.
  std::optional<Result<plan::Plan>> Poll();

 private:
  Result<std::string> Read();
  Result<plan::Plan> Parse(const std::string& text) const;

  fs::FileSystem& file_system_;
  const std::string path_;
  const std::string inline_json_;
  std::string last_text_;
  std::string last_error_;
};

}  // namespace keyturn::agent
