// SPDX-License-Identifier: Apache-2.0
#include "lib/json/pointer.h"

#include <algorithm>
#include <optional>
#include <string>

#include "lib/base/strings.h"
#include "lib/json/json.h"

namespace keyturn::json {
namespace {

// "~1" → '/', "~0" → '~'. REQUIRES: a validated token.
std::string Unescape(std::string_view token) {
  std::string out;
  for (size_t i = 0; i < token.size(); ++i) {
    if (token[i] == '~') {
      out += token[++i] == '0' ? '~' : '/';
    } else {
      out += token[i];
    }
  }
  return out;
}

// Source: RFC 6901 §4: digits without leading zeros; "-" names the element after the last, which
// never exists.
std::optional<size_t> ParseIndex(std::string_view token) {
  if (token.size() > 1 && token.front() == '0') return std::nullopt;
  return ParseUnsigned<size_t>(token);
}

std::string At(std::string_view pointer) {
  return pointer.empty() ? "the top level" : QuoteForMessage(pointer);
}

// The child of `parent` that `token` names. `path` is the pointer to `parent`.
Result<const Json*> Child(const Json& parent, const std::string& token, std::string_view path) {
  if (parent.is_object()) {
    const auto found = parent.find(token);
    if (found != parent.end()) return &*found;
    return NotFoundError(StrCat("no key '", QuoteForMessage(token), "' at ", At(path)));
  }
  if (parent.is_array()) {
    const std::optional<size_t> index = ParseIndex(token);
    if (index && *index < parent.size()) return &parent[*index];
    return NotFoundError(StrCat("no element '", QuoteForMessage(token), "' at ", At(path)));
  }
  return NotFoundError(StrCat("no key '", QuoteForMessage(token), "' at ", At(path),
                              ": the value there is neither an object nor an array"));
}

}  // namespace

Status ValidatePointer(std::string_view pointer) {
  if (!pointer.empty() && pointer.front() != '/') {
    return InvalidArgumentError(
        StrCat("JSON Pointer '", QuoteForMessage(pointer), "' must be empty or begin with '/'"));
  }
  for (size_t i = 0; i < pointer.size(); ++i) {
    if (pointer[i] != '~') continue;
    const char next = i + 1 < pointer.size() ? pointer[i + 1] : '\0';
    if (next != '0' && next != '1') {
      return InvalidArgumentError(
          StrCat("JSON Pointer '", QuoteForMessage(pointer), "': write '~' as ~0 and '/' as ~1"));
    }
  }
  return OkStatus();
}

Result<const Json*> ResolvePointer(const Json& document, std::string_view pointer) {
  KEYTURN_RETURN_IF_ERROR(ValidatePointer(pointer));
  const Json* value = &document;
  for (size_t at = 0; at < pointer.size();) {
    const size_t end = std::min(pointer.find('/', at + 1), pointer.size());
    const std::string token = Unescape(pointer.substr(at + 1, end - at - 1));
    KEYTURN_ASSIGN_OR_RETURN(value, Child(*value, token, pointer.substr(0, at)));
    at = end;
  }
  return value;
}

}  // namespace keyturn::json
