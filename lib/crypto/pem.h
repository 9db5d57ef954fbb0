// Splitting and checking PEM bundles of certificates and keys.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/base/secret_bytes.h"

namespace keyturn::crypto {

// A bundle taken apart. Text is normalised to LF line ends and one final newline per block.
struct PemBundle {
  std::string certificate;         // the leaf: the certificate that matches the key, else the first
  std::string chain;               // every other certificate, in the order given
  std::optional<SecretBytes> key;  // the only private key, in the form given
};

// ERRORS: INVALID_ARGUMENT for no certificate, a block that does not parse, several keys, a key
// that matches none of the certificates. Messages never quote the input.
Result<PemBundle> SplitPemBundle(std::string_view text);

// NotAfter of the first certificate in `pem`.
Result<WallTime> CertificateNotAfter(std::string_view pem);

}  // namespace keyturn::crypto
