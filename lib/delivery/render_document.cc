// SPDX-License-Identifier: Apache-2.0
#include "lib/delivery/render_document.h"

#include <algorithm>
#include <utility>

#include "lib/base/strings.h"
#include "lib/json/checked_parse.h"
#include "lib/json/jmespath.h"
#include "lib/json/json.h"
#include "lib/json/pointer.h"
#include "lib/json/yaml.h"

namespace keyturn::delivery::internal {

struct ParsedDocument {
  json::Json json;
};

namespace {

using json::Json;

Result<Json> Parse(const std::string& label, std::string_view text) {
  auto parsed = json::CheckedParse(text);
  if (!parsed.ok()) return AnnotateStatus(parsed.status(), StrCat(label, " is not JSON"));
  return parsed;
}

// The whole value, parsed for the first of the files that select from it.
Result<const Json*> ParseOnce(const std::string& label, const FetchedValue& fetched) {
  if (fetched.parsed == nullptr) {
    KEYTURN_ASSIGN_OR_RETURN(Json json,
                             Parse(label, fetched.value.Reveal(InsecureSecretAccess::Get())));
    fetched.parsed = std::make_shared<const ParsedDocument>(ParsedDocument{std::move(json)});
  }
  return &fetched.parsed->json;
}

bool IsBlank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// Without the blanks between tokens. REQUIRES: `json` is well-formed.
std::string Minify(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  bool in_string = false;
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (!in_string && IsBlank(c)) continue;
    out += c;
    if (c == '"') in_string = !in_string;
    if (in_string && c == '\\') out += json[++i];
  }
  return out;
}

Result<Json> SelectByPointer(const Json& document, const std::string& pointer,
                             const std::string& label) {
  const auto found = json::ResolvePointer(document, pointer);
  if (found.ok()) return Json(**found);
  if (found.status().code() == StatusCode::kNotFound) {
    return NotFoundError(StrCat(label, " has no key ", QuoteForMessage(pointer)));
  }
  return AnnotateStatus(found.status(), label);
}

Result<Json> SelectByJmesPath(const Json& document, const std::string& expression,
                              const std::string& label) {
  const auto compiled = json::JmesPath::Compile(expression);
  if (!compiled.ok()) return AnnotateStatus(compiled.status(), label);
  Json found = compiled->Search(document);
  if (!found.is_null()) return found;
  return NotFoundError(StrCat(label, " has nothing at ", QuoteForMessage(expression)));
}

}  // namespace

std::string SourceLabel(const plan::Source& source) {
  return source.parameter.empty() ? StrCat("secret ", QuoteForMessage(source.secret, 2048))
                                  : StrCat("parameter ", QuoteForMessage(source.parameter, 2048));
}

ValueText TextOf(const json::Json& value) {
  if (value.is_string()) return {value.get_ref<const std::string&>(), true};
  if (value.is_null()) return {"", true};
  return {json::Dump(value), false};
}

Result<Document> Document::Select(const plan::Source& source, const FetchedValue& fetched) {
  Document document;
  document.label_ = SourceLabel(source);
  if (!source.has_key && source.jmes_path.empty()) {
    document.text_ = std::string(fetched.value.Reveal(InsecureSecretAccess::Get()));
    return document;
  }
  KEYTURN_ASSIGN_OR_RETURN(const Json* whole, ParseOnce(document.label_, fetched));
  KEYTURN_ASSIGN_OR_RETURN(
      Json selected, source.has_key ? SelectByPointer(*whole, source.key, document.label_)
                                    : SelectByJmesPath(*whole, source.jmes_path, document.label_));
  if (selected.is_null()) {
    return NotFoundError(StrCat(document.label_, " has null at ", QuoteForMessage(source.key)));
  }
  document.text_ = TextOf(selected).text;
  document.selected_ = std::make_shared<const json::Json>(std::move(selected));
  return document;
}

bool Document::LooksLikeJsonObject() const {
  const auto first = std::find_if_not(text_.begin(), text_.end(), IsBlank);
  return first != text_.end() && *first == '{';
}

Result<std::vector<Field>> Document::Fields() const {
  // The text of a selected object is that object, so one way serves both.
  KEYTURN_ASSIGN_OR_RETURN(const Json value, Parse(label_, text_));
  if (!value.is_object()) return InvalidArgumentError(StrCat(label_, " is not a JSON object"));
  std::vector<Field> fields;
  for (const auto& [name, member] : value.items()) {
    fields.push_back({name, TextOf(member).text, member.is_null()});
  }
  return fields;
}

Result<std::string> Document::AsJson() const {
  if (selected_ != nullptr) return json::Dump(*selected_);
  KEYTURN_RETURN_IF_ERROR(Parse(label_, text_).status());
  return Minify(text_);
}

Result<std::string> Document::AsYaml() const {
  if (selected_ != nullptr) return json::ToYaml(*selected_);
  KEYTURN_ASSIGN_OR_RETURN(const Json value, Parse(label_, text_));
  return json::ToYaml(value);
}

json::Json Document::ForTemplate() const {
  if (selected_ != nullptr) return *selected_;
  auto parsed = json::CheckedParse(text_);
  // A top-level number stays text: 007 or 1e5 is more likely a code than a quantity.
  if (parsed.ok() && parsed->is_structured()) return std::move(parsed).value();
  return Json(text_);
}

}  // namespace keyturn::delivery::internal
