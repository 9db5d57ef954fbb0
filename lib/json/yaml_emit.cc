// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "lib/base/strings.h"
#include "lib/json/checked_parse.h"
#include "lib/json/json.h"
#include "lib/json/yaml.h"

namespace keyturn::json {
namespace {

// Plain words that some reader takes for a boolean, null or a number.
// Source: https://yaml.org/type/bool.html, null.html and float.html (YAML 1.1); case is ignored.
constexpr std::array<std::string_view, 11> kReservedWords = {
    "y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"};

// Longer implicit keys are malformed. Source: https://yaml.org/spec/1.2.2/ §7.4.2 (1024
// characters).
constexpr size_t kLongestImplicitKey = 1000;

bool IsLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool IsPlainCharacter(char c) {
  return IsLetter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.' || c == '/';
}

// Begins with a letter, so that it is no number, date, marker or indicator.
bool IsPlain(std::string_view text) {
  if (text.empty() || !IsLetter(text.front())) return false;
  if (!std::all_of(text.begin(), text.end(), IsPlainCharacter)) return false;
  return std::none_of(kReservedWords.begin(), kReservedWords.end(),
                      [text](std::string_view word) { return EqualsIgnoreCaseAscii(text, word); });
}

std::string Quote(const std::string& text) {
  // JSON's escapes are YAML's. Everything beyond ASCII is written as it is, except for characters
  // that YAML calls not printable or breaks lines at.
  std::string quoted = Dump(Json(text));

  struct Escape {
    std::string_view character;
    std::string_view escape;
  };

  constexpr std::array<Escape, 6> kEscapes = {{{"\x7F", "\\u007f"},
                                               {"\xE2\x80\xA8", "\\u2028"},
                                               {"\xE2\x80\xA9", "\\u2029"},
                                               {"\xEF\xBB\xBF", "\\ufeff"},
                                               {"\xEF\xBF\xBE", "\\ufffe"},
                                               {"\xEF\xBF\xBF", "\\uffff"}}};
  for (const auto& [character, escape] : kEscapes) {
    for (size_t at = 0; (at = quoted.find(character, at)) != std::string::npos;) {
      quoted.replace(at, character.size(), escape);
    }
  }
  return quoted;
}

// C1 controls, U+0080 … U+009F, of which YAML lets only U+0085 stand and reads that as a line
// break.
std::string EscapeC1Controls(std::string text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  for (size_t at = 0; (at = text.find('\xC2', at)) != std::string::npos; ++at) {
    const auto next = static_cast<unsigned char>(text[at + 1]);
    if (next >= 0xA0) continue;
    const std::string escape = StrCat("\\u00", kHex[next >> 4], kHex[next & 0xF]);
    text.replace(at, 2, escape);
  }
  return text;
}

std::string String(const std::string& text) {
  return IsPlain(text) ? text : EscapeC1Controls(Quote(text));
}

// YAML 1.1 takes "1e+20" for a string: its floats have a point.
std::string Float(const Json& value) {
  std::string text = Dump(value);
  const size_t exponent = text.find('e');
  if (exponent != std::string::npos && text.find('.') == std::string::npos) {
    text.insert(exponent, ".0");
  }
  return text;
}

std::string Scalar(const Json& value) {
  if (value.is_string()) return String(value.get_ref<const std::string&>());
  if (value.is_number_float()) return Float(value);
  if (value.is_object()) return "{}";
  if (value.is_array()) return "[]";
  return Dump(value);
}

bool IsBlock(const Json& value) {
  return value.is_structured() && !value.empty();
}

class Emitter {
 public:
  // Writes `value`; the cursor stands where its first line begins, at column `indent`.
  void Emit(const Json& value, size_t indent) {
    if (!IsBlock(value)) {
      out_ += StrCat(Scalar(value), "\n");
    } else if (value.is_object()) {
      EmitObject(value, indent);
    } else {
      EmitArray(value, indent);
    }
  }

  std::string Take() { return std::move(out_); }

 private:
  void EmitObject(const Json& object, size_t indent) {
    for (auto member = object.begin(); member != object.end(); ++member) {
      if (member != object.begin()) out_.append(indent, ' ');
      EmitKey(member.key(), indent);
      if (IsBlock(*member)) {
        out_ += '\n';
        out_.append(indent + 2, ' ');
      } else {
        out_ += ' ';
      }
      Emit(*member, indent + 2);
    }
  }

  void EmitKey(const std::string& key, size_t indent) {
    const std::string text = String(key);
    if (text.size() > kLongestImplicitKey) {
      out_ += StrCat("? ", text, "\n");
      out_.append(indent, ' ');
      out_ += ':';
    } else {
      out_ += StrCat(text, ":");
    }
  }

  void EmitArray(const Json& array, size_t indent) {
    for (const Json& element : array) {
      if (&element != &array.front()) out_.append(indent, ' ');
      out_ += "- ";
      Emit(element, indent + 2);
    }
  }

  std::string out_;
};

}  // namespace

std::string ToYaml(const Json& value) {
  Emitter emitter;
  emitter.Emit(value, 0);
  return emitter.Take();
}

}  // namespace keyturn::json
