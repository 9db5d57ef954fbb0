// A bundle that was accepted, put together again, must split into the same parts.
// SPDX-License-Identifier: Apache-2.0
#include "lib/crypto/pem.h"

#include <cstdint>
#include <string_view>

#include "lib/base/check.h"
#include "lib/base/strings.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)keyturn::crypto::CertificateNotAfter(text).ok();
  const auto once = keyturn::crypto::SplitPemBundle(text);
  if (!once.ok()) return 0;
  const auto access = keyturn::InsecureSecretAccess::Get();
  const std::string_view key = once->key ? once->key->Reveal(access) : std::string_view();
  const auto twice =
      keyturn::crypto::SplitPemBundle(keyturn::StrCat(once->certificate, once->chain, key));
  KEYTURN_CHECK(twice.ok());
  KEYTURN_CHECK(twice->certificate == once->certificate && twice->chain == once->chain);
  KEYTURN_CHECK(twice->key.has_value() == once->key.has_value());
  KEYTURN_CHECK(!twice->key || *twice->key == *once->key);
  return 0;
}
