// SPDX-License-Identifier: Apache-2.0
#include "lib/crypto/digest.h"

#include <climits>
#include <cstdint>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "lib/base/check.h"

namespace keyturn::crypto {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::string_view kBase64Alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr uint8_t kNotInAlphabet = 0xFF;

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::array<uint8_t, 256> MakeDecodeTable() {
  std::array<uint8_t, 256> table{};
  table.fill(kNotInAlphabet);
  for (size_t i = 0; i < kBase64Alphabet.size(); ++i) {
    table.at(static_cast<unsigned char>(kBase64Alphabet[i])) = static_cast<uint8_t>(i);
  }
  return table;
}

// The characters '=' that end `text`, at most two.
size_t PaddingOf(std::string_view text) {
  if (text.ends_with("==")) return 2;
  return text.ends_with("=") ? 1 : 0;
}

}  // namespace

Sha256Digest Sha256(std::string_view data) {
  Sha256Digest digest{};
  unsigned int size = 0;
  KEYTURN_CHECK(EVP_Digest(data.data(), data.size(), digest.data(), &size, EVP_sha256(), nullptr) ==
                1);
  KEYTURN_CHECK(size == digest.size());
  return digest;
}

Sha256Digest HmacSha256(std::string_view key, std::string_view data) {
  KEYTURN_CHECK(key.size() <= INT_MAX);
  Sha256Digest digest{};
  unsigned int size = 0;
  // A null key means "the previous one" to OpenSSL, so an empty key needs an address.
  const char* key_data = key.empty() ? "" : key.data();
  KEYTURN_CHECK(HMAC(EVP_sha256(), key_data, static_cast<int>(key.size()), Bytes(data), data.size(),
                     digest.data(), &size) != nullptr);
  KEYTURN_CHECK(size == digest.size());
  return digest;
}

std::string HexEncode(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += kHexDigits[byte >> 4];
    out += kHexDigits[byte & 0x0FU];
  }
  return out;
}

std::string Base64Encode(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t count = bytes.size() - i < 3 ? bytes.size() - i : 3;
    uint32_t group = 0;
    for (size_t j = 0; j < 3; ++j) {
      group = (group << 8) | (j < count ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    }
    for (size_t j = 0; j < 4; ++j) {
      out += j <= count ? kBase64Alphabet[(group >> (18 - 6 * j)) & 0x3FU] : '=';
    }
  }
  return out;
}

std::optional<SecretBytes> Base64Decode(std::string_view text) {
  static constexpr size_t kGroup = 4;
  static const std::array<uint8_t, 256> table = MakeDecodeTable();
  if (text.size() % kGroup != 0) return std::nullopt;
  const size_t padding = PaddingOf(text);
  const std::string_view digits = text.substr(0, text.size() - padding);
  SecretBytes out(text.size() / kGroup * 3 - padding);
  char* cursor = out.MutableReveal(InsecureSecretAccess::Get());
  uint32_t bits = 0;
  unsigned pending = 0;  // bits of `bits` that are not written yet
  for (const char c : digits) {
    const uint8_t value = table.at(static_cast<unsigned char>(c));
    if (value == kNotInAlphabet) return std::nullopt;
    bits = (bits << 6) | value;
    pending += 6;
    if (pending < 8) continue;
    pending -= 8;
    *cursor++ = static_cast<char>((bits >> pending) & 0xFFU);
    bits &= (1U << pending) - 1;
  }
  // Two texts for one value would let a checksum over the text be dodged.
  if (bits != 0) return std::nullopt;
  return out;
}

bool ConstantTimeEquals(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace keyturn::crypto
