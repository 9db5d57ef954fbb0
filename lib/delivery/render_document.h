// The value that a Plan's source names, in the forms that the formats need. Internal to rendering.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "lib/base/result.h"
#include "lib/delivery/fetch.h"
#include "lib/delivery/render_escape.h"
#include "lib/json/json_fwd.h"
#include "lib/plan/plan.h"

namespace keyturn::delivery::internal {

// "secret prod/db" or "parameter /prod/feature": how messages name a source.
std::string SourceLabel(const plan::Source& source);

// One member of a flat document.
struct Field {
  std::string name;
  std::string text;  // a string as it is, null as "", everything else as compact JSON
  bool is_null = false;
};

// Every error of this class begins with the label. THREAD: a value type.
class Document {
 public:
  // Applies `key` or `jmesPath`. ERRORS: NOT_FOUND when nothing is there, INVALID_ARGUMENT when the
  // value is not JSON.
  static Result<Document> Select(const plan::Source& source, const FetchedValue& fetched);

  const std::string& label() const { return label_; }

  // SECURITY: the value itself.
  const std::string& text() const { return text_; }

  bool LooksLikeJsonObject() const;

  // The members of an object. A selected string that holds the text of an object counts as one.
  Result<std::vector<Field>> Fields() const;
  // One JSON document. A whole value keeps its order of keys and its spelling of numbers and
  // strings; only the blanks between them go.
  Result<std::string> AsJson() const;
  Result<std::string> AsYaml() const;
  // For templates: an object or array as it is, anything else as a string of its text.
  json::Json ForTemplate() const;

 private:
  Document() = default;

  std::string label_;
  std::string text_;
  std::shared_ptr<const json::Json> selected_;  // null: the whole value, not parsed
};

// What a template or a flat format writes for `value`.
ValueText TextOf(const json::Json& value);

}  // namespace keyturn::delivery::internal
