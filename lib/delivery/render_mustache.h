// Filling a checked template with values. Internal to rendering.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>

#include "lib/base/result.h"
#include "lib/delivery/render_document.h"
#include "lib/delivery/render_template.h"
#include "lib/plan/plan.h"

namespace keyturn::delivery::internal {

struct TemplateInputs {
  std::map<std::string, Document> named;  // {{db.password}}: key password of input db
  std::optional<Document> root;           // {{password}}: a key of the only source
};

// {{x}} is escaped for `format`, {{{x}}} is not. A section is entered for each item of a list, once
// for any other value but null, false, "" and []; a missing key counts as false there. ERRORS:
// NOT_FOUND for a variable whose key is missing, INVALID_ARGUMENT for an unknown input, for null,
// for a value that the format cannot carry and for an endless output; each with line and source.
Result<std::string> FillTemplate(const Template& parsed, plan::Format format,
                                 const TemplateInputs& inputs);

}  // namespace keyturn::delivery::internal
