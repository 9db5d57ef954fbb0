// SPDX-License-Identifier: Apache-2.0
#include "lib/aws/json_fields.h"

#include <cmath>

#include "lib/base/strings.h"
#include "lib/base/time_format.h"
#include "lib/json/checked_parse.h"
#include "lib/json/json.h"

namespace keyturn::aws {
namespace {

using json::Json;

Status Missing(const char* name) {
  return InvalidArgumentError(StrCat("member '", name, "' is missing"));
}

Status NotA(const char* name, const char* kind) {
  return InvalidArgumentError(StrCat("member '", name, "' is no ", kind));
}

}  // namespace

const Json* FindMember(const Json& object, const char* name) {
  const auto member = object.find(name);
  return member == object.end() || member->is_null() ? nullptr : &*member;
}

Result<std::string> RequiredString(const Json& object, const char* name) {
  KEYTURN_ASSIGN_OR_RETURN(std::string text, OptionalString(object, name));
  if (text.empty()) return Missing(name);
  return text;
}

Result<std::string> OptionalString(const Json& object, const char* name) {
  const Json* member = FindMember(object, name);
  if (member == nullptr) return std::string();
  if (!member->is_string()) return NotA(name, "string");
  return member->get<std::string>();
}

Result<int64_t> OptionalInteger(const Json& object, const char* name, int64_t fallback) {
  const Json* member = FindMember(object, name);
  if (member == nullptr) return fallback;
  const bool too_large = member->is_number_unsigned() && member->get<uint64_t>() > INT64_MAX;
  if (!member->is_number_integer() || too_large) return NotA(name, "whole number");
  return member->get<int64_t>();
}

Result<bool> OptionalBool(const Json& object, const char* name) {
  const Json* member = FindMember(object, name);
  if (member == nullptr) return false;
  if (!member->is_boolean()) return NotA(name, "boolean");
  return member->get<bool>();
}

Result<std::vector<std::string>> OptionalStrings(const Json& object, const char* name) {
  KEYTURN_ASSIGN_OR_RETURN(const Json* array, OptionalArray(object, name));
  std::vector<std::string> texts;
  if (array == nullptr) return texts;
  for (const Json& element : *array) {
    if (!element.is_string()) return NotA(name, "list of strings");
    texts.push_back(element.get<std::string>());
  }
  return texts;
}

std::optional<WallTime> OptionalTime(const Json& object, const char* name) {
  constexpr double kYear10000 = 253'402'300'800.0;
  const Json* member = FindMember(object, name);
  if (member == nullptr) return std::nullopt;
  if (member->is_string()) return ParseRfc3339(member->get_ref<const std::string&>());
  if (!member->is_number()) return std::nullopt;
  const auto seconds = member->get<double>();
  if (!std::isfinite(seconds) || seconds < 0 || seconds >= kYear10000) return std::nullopt;
  return WallTime(std::chrono::milliseconds(std::llround(seconds * 1000)));
}

Result<const Json*> OptionalArray(const Json& object, const char* name) {
  const Json* member = FindMember(object, name);
  if (member != nullptr && !member->is_array()) return NotA(name, "list");
  return member;
}

Result<Json> ParseObject(std::string_view text) {
  KEYTURN_ASSIGN_OR_RETURN(Json document, json::CheckedParse(text));
  if (!document.is_object()) return InvalidArgumentError("no JSON object");
  return document;
}

}  // namespace keyturn::aws
