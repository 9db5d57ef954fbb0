// SHA-256, HMAC-SHA-256 and text encodings of bytes.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/secret_bytes.h"

namespace keyturn::crypto {

using Sha256Digest = std::array<unsigned char, 32>;

Sha256Digest Sha256(std::string_view data);
Sha256Digest HmacSha256(std::string_view key, std::string_view data);

// Lower-case hexadecimal.
std::string HexEncode(std::string_view bytes);

inline std::string_view AsView(const Sha256Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};  // NOLINT
}

// Standard alphabet with padding. Source: RFC 4648 §4.
std::string Base64Encode(std::string_view bytes);
// Strict: no blanks, no missing padding, no non-zero trailing bits. Empty optional when malformed.
std::optional<SecretBytes> Base64Decode(std::string_view text);

// Equality in time that depends only on the sizes.
bool ConstantTimeEquals(std::string_view a, std::string_view b);

}  // namespace keyturn::crypto
