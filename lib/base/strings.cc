// SPDX-License-Identifier: Apache-2.0
#include "lib/base/strings.h"

#include <algorithm>
#include <cstdint>
#include <numeric>

namespace keyturn {
namespace {

char LowerAscii(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool IsContinuation(unsigned char byte) {
  return (byte & 0xC0U) == 0x80U;
}

// The length of the sequence that `lead` begins and the smallest code point that it may encode.
struct Utf8Form {
  size_t length = 0;
  uint32_t minimum = 0;
  uint32_t lead_bits = 0;
};

Utf8Form FormOf(unsigned char lead) {
  if (lead < 0x80) return {1, 0, lead};
  if ((lead & 0xE0U) == 0xC0U) return {2, 0x80, lead & 0x1FU};
  if ((lead & 0xF0U) == 0xE0U) return {3, 0x800, lead & 0x0FU};
  if ((lead & 0xF8U) == 0xF0U) return {4, 0x10000, lead & 0x07U};
  return {};
}

// Bytes of the sequence at the start of `text`, or 0 if it is malformed.
size_t Utf8SequenceLength(std::string_view text) {
  const Utf8Form form = FormOf(static_cast<unsigned char>(text[0]));
  if (form.length == 0 || form.length > text.size()) return 0;
  uint32_t point = form.lead_bits;
  for (size_t i = 1; i < form.length; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (!IsContinuation(byte)) return 0;
    point = (point << 6) | (byte & 0x3FU);
  }
  const bool surrogate = point >= 0xD800 && point <= 0xDFFF;
  return point < form.minimum || point > 0x10FFFF || surrogate ? 0 : form.length;
}

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substitution = diagonal + (LowerAscii(a[i - 1]) == LowerAscii(b[j - 1]) ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitution});
    }
  }
  return row.back();
}

}  // namespace

std::string_view TrimWhitespace(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> fields;
  while (true) {
    const size_t end = text.find(separator);
    fields.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return fields;
    text.remove_prefix(end + 1);
  }
}

std::string Join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string out;
  for (const std::string& part : parts) {
    if (&part != &parts.front()) out += separator;
    out += part;
  }
  return out;
}

std::string ToLowerAscii(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), LowerAscii);
  return out;
}

bool EqualsIgnoreCaseAscii(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return LowerAscii(x) == LowerAscii(y); });
}

bool IsValidUtf8(std::string_view text) {
  while (!text.empty()) {
    const size_t length = Utf8SequenceLength(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string QuoteForMessage(std::string_view text, size_t max_size) {
  std::string out;
  while (!text.empty()) {
    const size_t length = Utf8SequenceLength(text);
    const size_t taken = length == 0 ? 1 : length;
    if (out.size() + taken > max_size) return out + "…";
    const auto first = static_cast<unsigned char>(text[0]);
    if (length == 0 || first < 0x20 || first == 0x7F) {
      out += '?';
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(taken);
  }
  return out;
}

std::string_view NearestSpelling(std::string_view text,
                                 const std::vector<std::string_view>& candidates) {
  constexpr size_t kLongestCompared = 64;  // bounds the quadratic distance on hostile input
  if (text.empty() || text.size() > kLongestCompared) return {};
  std::string_view best;
  size_t best_distance = std::max<size_t>(1, text.size() / 3) + 1;
  for (const std::string_view candidate : candidates) {
    const size_t distance = EditDistance(text, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace keyturn
