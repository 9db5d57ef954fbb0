// Whatever decodes must encode back to the same text: the strict decoder accepts one spelling only.
// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <string_view>

#include "lib/base/check.h"
#include "lib/crypto/digest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto decoded = keyturn::crypto::Base64Decode(text);
  if (decoded) {
    const auto bytes = decoded->Reveal(keyturn::InsecureSecretAccess::Get());
    KEYTURN_CHECK(keyturn::crypto::Base64Encode(bytes) == text);
  }
  return 0;
}
