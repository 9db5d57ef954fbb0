// The derived key of Signature Version 4 and its cache; shared by signing and verifying.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "lib/base/mutex.h"
#include "lib/base/secret_bytes.h"

namespace keyturn::aws {

inline constexpr std::string_view kSigningAlgorithm = "AWS4-HMAC-SHA256";
inline constexpr std::string_view kScopeTerminator = "aws4_request";

// What a derived key is for: a day, a region and a service.
struct SigningScope {
  std::string date;  // "20261123"
  std::string region;
  std::string service;

  // "20261123/eu-central-1/secretsmanager/aws4_request".
  std::string ToString() const;
};

// HMACs of date, region, service and terminator, one over the other.
SecretBytes DeriveSigningKey(const SecretBytes& secret_access_key, const SigningScope& scope);

// The text that the derived key signs.
std::string StringToSign(std::string_view amz_date, const SigningScope& scope,
                         std::string_view canonical_request);

// Keeps derived keys: each costs four HMACs and holds for a day. Bounded; what is dropped is
// derived again. THREAD: safe.
class SigningKeyCache {
 public:
  // A program signs for a handful of identities and endpoints; a server verifies for many users.
  static constexpr size_t kCapacity = 1024;

  // Lower-case hexadecimal HMAC of `text` under the key of `scope`.
  std::string Sign(const SecretBytes& secret_access_key, const SigningScope& scope,
                   std::string_view text);
  size_t size() const;

 private:
  mutable Mutex mutex_;
  // By digest of the secret and scope, so that a look-up never compares secrets byte by byte.
  std::map<std::string, SecretBytes, std::less<>> keys_ KEYTURN_GUARDED_BY(mutex_);
};

}  // namespace keyturn::aws
