// SPDX-License-Identifier: Apache-2.0
#include "lib/aws/canonical_request.h"

#include <algorithm>
#include <map>
#include <optional>

#include "lib/base/strings.h"

namespace keyturn::aws {
namespace {

constexpr std::string_view kHexDigits = "0123456789ABCDEF";

bool IsUnreserved(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

bool IsBlank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\v' || c == '\f';
}

std::optional<unsigned> HexValue(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A' + 10);
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a' + 10);
  return std::nullopt;
}

// Encodes every byte that is neither unreserved nor in `kept`.
std::string EncodeExcept(std::string_view text, std::string_view kept) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (IsUnreserved(c) || kept.find(c) != std::string_view::npos) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kHexDigits[byte >> 4];
    out += kHexDigits[byte & 0x0FU];
  }
  return out;
}

std::string NormalizePath(std::string_view path) {
  std::vector<std::string_view> kept;
  for (const std::string_view segment : Split(path, '/')) {
    if (segment.empty() || segment == ".") continue;
    if (segment != "..") {
      kept.push_back(segment);
    } else if (!kept.empty()) {
      kept.pop_back();
    }
  }
  std::string out;
  for (const std::string_view segment : kept) {
    out += '/';
    out += segment;
  }
  if (kept.empty() || path.ends_with('/')) out += '/';
  return out;
}

}  // namespace

std::string UriEncode(std::string_view text, bool keep_slash) {
  return EncodeExcept(text, keep_slash ? "/" : "");
}

std::string UriDecode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const bool triplet = text[i] == '%' && i + 2 < text.size();
    const auto high = triplet ? HexValue(text[i + 1]) : std::nullopt;
    const auto low = triplet ? HexValue(text[i + 2]) : std::nullopt;
    if (high && low) {
      out += static_cast<char>(*high * 16 + *low);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string CanonicalPath(std::string_view raw_path, bool normalize, bool double_encode) {
  if (raw_path.empty()) return "/";
  const std::string path = normalize ? NormalizePath(raw_path) : std::string(raw_path);
  return EncodeExcept(path, double_encode ? "/" : "/%");
}

std::string CanonicalQuery(std::string_view raw_query) {
  // Sorted as pairs, not as joined text: "a" comes before "a-b", yet "a-b=" sorts before "a=".
  std::vector<std::pair<std::string, std::string>> parameters;
  for (const std::string_view field : Split(raw_query, '&')) {
    if (field.empty()) continue;
    const size_t equals = std::min(field.find('='), field.size());
    const std::string_view value = field.substr(std::min(equals + 1, field.size()));
    parameters.emplace_back(UriEncode(UriDecode(field.substr(0, equals))),
                            UriEncode(UriDecode(value)));
  }
  std::sort(parameters.begin(), parameters.end());
  std::string out;
  for (const auto& [name, value] : parameters) {
    if (!out.empty()) out += '&';
    out += name + "=" + value;
  }
  return out;
}

std::string CanonicalHeaderValue(std::string_view value) {
  std::string out;
  out.reserve(value.size());
  bool pending_blank = false;
  for (const char c : value) {
    if (IsBlank(c)) {
      pending_blank = !out.empty();
      continue;
    }
    if (pending_blank) out += ' ';
    pending_blank = false;
    out += c;
  }
  return out;
}

CanonicalHeaders CanonicalizeHeaders(const HeaderFields& fields) {
  std::map<std::string, std::string> by_name;
  for (const auto& [name, value] : fields) {
    const auto [entry, is_new] =
        by_name.try_emplace(ToLowerAscii(name), CanonicalHeaderValue(value));
    if (!is_new) entry->second += "," + CanonicalHeaderValue(value);
  }
  CanonicalHeaders headers;
  for (const auto& [name, value] : by_name) {
    headers.block += name + ":" + value + "\n";
    if (!headers.signed_names.empty()) headers.signed_names += ';';
    headers.signed_names += name;
  }
  return headers;
}

std::string JoinCanonicalRequest(const CanonicalParts& parts) {
  return StrCat(parts.method, "\n", parts.path, "\n", parts.query, "\n", parts.headers.block, "\n",
                parts.headers.signed_names, "\n", parts.payload_hash);
}

}  // namespace keyturn::aws
