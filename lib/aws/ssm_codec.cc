// SPDX-License-Identifier: Apache-2.0
#include "lib/aws/ssm_codec.h"

#include <algorithm>

#include "lib/aws/json_fields.h"
#include "lib/aws/json_writer.h"
#include "lib/base/strings.h"
#include "lib/json/json.h"

namespace keyturn::aws {
namespace {

using json::Json;
using Entry = GetParametersAnswer::Entry;

Result<Entry> DecodeParameter(const Json& object) {
  if (!object.is_object()) return InvalidArgumentError("an element of 'Parameters' is no object");
  Entry entry;
  ParameterValue& parameter = entry.parameter;
  KEYTURN_ASSIGN_OR_RETURN(parameter.name, RequiredString(object, "Name"));
  KEYTURN_ASSIGN_OR_RETURN(parameter.type, OptionalString(object, "Type"));
  KEYTURN_ASSIGN_OR_RETURN(parameter.arn, OptionalString(object, "ARN"));
  KEYTURN_ASSIGN_OR_RETURN(parameter.version, OptionalInteger(object, "Version", 0));
  KEYTURN_ASSIGN_OR_RETURN(entry.selector, OptionalString(object, "Selector"));
  const Json* value = FindMember(object, "Value");
  if (value == nullptr || !value->is_string()) {
    return InvalidArgumentError("member 'Value' is missing or no string");
  }
  parameter.value = SecretBytes(std::string_view(value->get_ref<const std::string&>()));
  return entry;
}

struct ParsedName {
  std::string_view base;
  std::string_view selector;  // without the colon
};

// The colons of an ARN's prefix are none of a selector.
ParsedName ParseName(std::string_view name) {
  const size_t resource = name.starts_with("arn:") ? name.find(":parameter/") : 0;
  const size_t from = resource == std::string_view::npos ? 0 : resource + 1;
  const size_t colon = name.find(':', from);
  if (colon == std::string_view::npos) return {name, {}};
  return {name.substr(0, colon), name.substr(colon + 1)};
}

bool IsNamed(const Entry& entry, std::string_view base) {
  return entry.parameter.name == base || entry.parameter.arn == base;
}

bool MatchesExactly(const Entry& entry, std::string_view name) {
  return name == entry.parameter.name + entry.selector ||
         name == entry.parameter.arn + entry.selector;
}

}  // namespace

std::string EncodeGetParameters(const std::vector<std::string>& names) {
  JsonWriter writer;
  writer.Texts("Names", names);
  writer.True("WithDecryption");
  return writer.Finish();
}

Result<GetParametersAnswer> DecodeGetParameters(std::string_view text) {
  KEYTURN_ASSIGN_OR_RETURN(const Json object, ParseObject(text));
  KEYTURN_ASSIGN_OR_RETURN(const Json* parameters, OptionalArray(object, "Parameters"));
  GetParametersAnswer answer;
  if (parameters != nullptr) {
    for (const Json& element : *parameters) {
      KEYTURN_ASSIGN_OR_RETURN(Entry entry, DecodeParameter(element));
      answer.parameters.push_back(std::move(entry));
    }
  }
  KEYTURN_ASSIGN_OR_RETURN(answer.invalid, OptionalStrings(object, "InvalidParameters"));
  return answer;
}

const Entry* FindParameter(const GetParametersAnswer& answer, std::string_view name) {
  const auto& entries = answer.parameters;
  const auto exact = std::find_if(entries.begin(), entries.end(),
                                  [name](const Entry& e) { return MatchesExactly(e, name); });
  const ParsedName parsed = ParseName(name);
  if (exact != entries.end()) return &*exact;
  if (parsed.selector.empty()) return nullptr;
  std::vector<const Entry*> candidates;
  for (const Entry& entry : entries) {
    if (IsNamed(entry, parsed.base) && entry.selector.empty()) candidates.push_back(&entry);
  }
  const auto version = ParseUnsigned<uint32_t>(parsed.selector);
  for (const Entry* candidate : candidates) {
    if (version && candidate->parameter.version == int64_t{*version}) return candidate;
  }
  return !version && candidates.size() == 1 ? candidates.front() : nullptr;
}

}  // namespace keyturn::aws
