// SPDX-License-Identifier: Apache-2.0
#include "lib/delivery/render_escape.h"

#include "lib/base/log.h"
#include "lib/base/strings.h"

namespace keyturn::delivery::internal {
namespace {

constexpr std::string_view kNul("\0", 1);
constexpr std::string_view kNulAndLineEnds("\0\r\n", 3);
constexpr std::string_view kUpperHex = "0123456789ABCDEF";

// Closing the quotes, a quoted quote, opening them again. The usual '\'' would do for a shell; this
// form needs no backslash outside quotes, which simpler readers of such files do not know.
constexpr std::string_view kQuoteInSingleQuotes = R"('"'"')";

std::string ReplaceEach(std::string_view text, char from, std::string_view to) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (c == from) {
      out += to;
    } else {
      out += c;
    }
  }
  return out;
}

// A backslash in front of every character of `text` that is in `special`.
std::string Backslash(std::string_view text, std::string_view special) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (special.find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

std::string_view ByteName(char byte) {
  if (byte == '\n') return "a line feed";
  return byte == '\r' ? "a carriage return" : "a NUL byte";
}

Status RefuseMalformedUtf8(std::string_view text) {
  if (IsValidUtf8(text)) return {};
  return InvalidArgumentError("the value is not UTF-8");
}

// The code point at the start of `text`, which is well-formed UTF-8, is taken off it.
char32_t TakeCodePoint(std::string_view& text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const size_t size = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  char32_t code = size == 1 ? lead : lead & (0x7FU >> size);
  for (size_t i = 1; i < size; ++i) {
    code = (code << 6) | (static_cast<unsigned char>(text[i]) & 0x3FU);
  }
  text.remove_prefix(size);
  return code;
}

// \uXXXX; the code point is in the Basic Multilingual Plane.
void AppendUnicodeEscape(std::string& out, char32_t code) {
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kUpperHex[(code >> shift) & 0xFU];
}

// Characters that JSON strings may hold but that YAML does not print or takes for a line end.
bool NeedsYamlEscape(char32_t code) {
  return code == 0x7F || (code >= 0x80 && code < 0xA0) || code == 0x2028 || code == 0x2029 ||
         code == 0xFEFF || code == 0xFFFE || code == 0xFFFF;
}

Result<std::string> EscapeEnv(Placement placement, std::string_view text) {
  KEYTURN_RETURN_IF_ERROR(RefuseBytes(text, kNul, "env"));
  switch (placement) {
    case Placement::kBare:
      return StrCat("'", ReplaceEach(text, '\'', kQuoteInSingleQuotes), "'");
    case Placement::kSingleQuoted:
      return ReplaceEach(text, '\'', kQuoteInSingleQuotes);
    case Placement::kDoubleQuoted:
      // Source: POSIX.1-2017, Shell Command Language §2.2.3.
      return Backslash(text, "$`\"\\");
    case Placement::kComment:
      KEYTURN_RETURN_IF_ERROR(RefuseBytes(text, kNulAndLineEnds, "env"));
      return std::string(text);
  }
  return std::string();
}

Result<std::string> EscapeJson(Placement placement, const ValueText& value) {
  if (placement == Placement::kBare && !value.is_string) return value.text;
  KEYTURN_ASSIGN_OR_RETURN(std::string quoted, QuoteJson(value.text));
  return placement == Placement::kBare ? quoted : quoted.substr(1, quoted.size() - 2);
}

Result<std::string> EscapeYaml(Placement placement, const ValueText& value) {
  if (placement != Placement::kSingleQuoted) {
    KEYTURN_ASSIGN_OR_RETURN(const std::string json, EscapeJson(placement, value));
    return JsonToYaml(json);
  }
  // Between single quotes YAML knows one escape, and it folds line ends.
  KEYTURN_RETURN_IF_ERROR(RefuseMalformedUtf8(value.text));
  for (std::string_view rest = value.text; !rest.empty();) {
    const char32_t code = TakeCodePoint(rest);
    if (code < 0x20 || NeedsYamlEscape(code)) {
      return InvalidArgumentError(
          "the value has characters that YAML cannot hold between single quotes");
    }
  }
  return ReplaceEach(value.text, '\'', "''");
}

void AppendPropertiesCharacter(std::string& out, char32_t code) {
  switch (code) {
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    case '\f':
      out += "\\f";
      return;
    case ' ':
    case '\\':
    case '=':
    case ':':
    case '#':
    case '!':
      out += '\\';
      break;
    default:
      break;
  }
  if (code >= 0x10000) {
    AppendUnicodeEscape(out, 0xD800 + ((code - 0x10000) >> 10));
    AppendUnicodeEscape(out, 0xDC00 + ((code - 0x10000) & 0x3FFU));
  } else if (code < 0x20 || code >= 0x7F) {
    AppendUnicodeEscape(out, code);
  } else {
    out += static_cast<char>(code);
  }
}

// Source: libpq's "The Password File": ':' and '\' are escaped with '\'. A line end cannot be. A
// field that is exactly '*' would match anything and a line that begins with '#' is a comment.
Result<std::string> EscapePgpass(std::string_view text) {
  KEYTURN_RETURN_IF_ERROR(RefuseBytes(text, kNulAndLineEnds, "pgpass"));
  std::string out = Backslash(text, ":\\");
  if (text == "*" || text.starts_with('#')) out.insert(0, 1, '\\');
  return out;
}

// Source: MySQL reference manual, "Using Option Files": escape sequences in values. Quotes keep
// blanks and '#'.
Result<std::string> EscapeMycnf(Placement placement, std::string_view text) {
  KEYTURN_RETURN_IF_ERROR(RefuseBytes(text, kNul, "mycnf"));
  std::string out;
  out.reserve(text.size() + 2);
  for (const char c : text) {
    switch (c) {
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '"':
      case '\'':
      case '\\':
        out += '\\';
        out += c;
        break;
      default:
        out += c;
    }
  }
  return placement == Placement::kBare ? StrCat("\"", out, "\"") : out;
}

}  // namespace

Status RefuseBytes(std::string_view text, std::string_view bytes, std::string_view format) {
  const size_t at = text.find_first_of(bytes);
  if (at == std::string_view::npos) return {};
  return InvalidArgumentError(StrCat(ByteName(text[at]), " cannot be written in format ", format));
}

Result<std::string> QuoteJson(std::string_view text) {
  KEYTURN_RETURN_IF_ERROR(RefuseMalformedUtf8(text));
  std::string out;
  AppendJsonString(out, text);
  return out;
}

std::string JsonToYaml(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  while (!json.empty()) {
    const std::string_view before = json;
    const char32_t code = TakeCodePoint(json);
    if (NeedsYamlEscape(code)) {
      AppendUnicodeEscape(out, code);
    } else {
      out += before.substr(0, before.size() - json.size());
    }
  }
  return out;
}

std::string PercentEncode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool unreserved = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                            (byte >= '0' && byte <= '9') || c == '-' || c == '.' || c == '_' ||
                            c == '~';
    if (unreserved) {
      out += c;
    } else {
      out += '%';
      out += kUpperHex[byte >> 4];
      out += kUpperHex[byte & 0xFU];
    }
  }
  return out;
}

Result<std::string> EscapePropertiesKey(std::string_view key) {
  KEYTURN_RETURN_IF_ERROR(RefuseMalformedUtf8(key));
  std::string out;
  while (!key.empty()) AppendPropertiesCharacter(out, TakeCodePoint(key));
  return out;
}

Result<std::string> Escape(plan::Format format, Placement placement, const ValueText& value) {
  switch (format) {
    case plan::Format::kEnv:
      return EscapeEnv(placement, value.text);
    case plan::Format::kJson:
      return EscapeJson(placement, value);
    case plan::Format::kYaml:
      return EscapeYaml(placement, value);
    case plan::Format::kProperties:
      // Every blank is escaped, as in keys: then it does not matter where the value stands.
      return EscapePropertiesKey(value.text);
    case plan::Format::kDsn:
      KEYTURN_RETURN_IF_ERROR(RefuseBytes(value.text, kNul, "dsn"));
      return PercentEncode(value.text);
    case plan::Format::kPgpass:
      return EscapePgpass(value.text);
    case plan::Format::kMycnf:
      return EscapeMycnf(placement, value.text);
    case plan::Format::kRaw:
    case plan::Format::kFiles:
    case plan::Format::kPem:
      return value.text;
  }
  return value.text;
}

}  // namespace keyturn::delivery::internal
