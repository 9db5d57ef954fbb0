// SPDX-License-Identifier: Apache-2.0
#include "lib/aws/signing_key.h"

#include <utility>

#include "lib/base/strings.h"
#include "lib/crypto/digest.h"

namespace keyturn::aws {

std::string SigningScope::ToString() const {
  return StrCat(date, "/", region, "/", service, "/", kScopeTerminator);
}

SecretBytes DeriveSigningKey(const SecretBytes& secret_access_key, const SigningScope& scope) {
  std::string seed = StrCat("AWS4", secret_access_key.Reveal(InsecureSecretAccess::Get()));
  const ScopedCleanse cleanse(seed);
  SecretBytes key(crypto::AsView(crypto::HmacSha256(seed, scope.date)));
  for (const std::string_view part :
       {std::string_view(scope.region), std::string_view(scope.service), kScopeTerminator}) {
    key = SecretBytes(
        crypto::AsView(crypto::HmacSha256(key.Reveal(InsecureSecretAccess::Get()), part)));
  }
  return key;
}

std::string StringToSign(std::string_view amz_date, const SigningScope& scope,
                         std::string_view canonical_request) {
  return StrCat(kSigningAlgorithm, "\n", amz_date, "\n", scope.ToString(), "\n",
                crypto::HexEncode(crypto::AsView(crypto::Sha256(canonical_request))));
}

std::string SigningKeyCache::Sign(const SecretBytes& secret_access_key, const SigningScope& scope,
                                  std::string_view text) {
  const std::string id =
      StrCat(crypto::AsView(crypto::Sha256(secret_access_key.Reveal(InsecureSecretAccess::Get()))),
             scope.ToString());
  MutexLock lock(mutex_);
  auto entry = keys_.find(id);
  if (entry == keys_.end()) {
    // All at once: yesterday's keys go with the rest, and no order of use has to be kept.
    if (keys_.size() >= kCapacity) keys_.clear();
    entry = keys_.emplace(id, DeriveSigningKey(secret_access_key, scope)).first;
  }
  const std::string_view key = entry->second.Reveal(InsecureSecretAccess::Get());
  return crypto::HexEncode(crypto::AsView(crypto::HmacSha256(key, text)));
}

size_t SigningKeyCache::size() const {
  MutexLock lock(mutex_);
  return keys_.size();
}

}  // namespace keyturn::aws
