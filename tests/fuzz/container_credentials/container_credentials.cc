// Answers give usable keys or a refusal; URIs stay on the hosts that may have the token; an error's
// name never holds more than letters.
// SPDX-License-Identifier: Apache-2.0
#include "lib/aws/credentials/container_credentials.h"

#include <cstdint>
#include <string_view>

#include "lib/aws/credentials/provider_util.h"
#include "lib/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto answer = keyturn::aws::ParseContainerCredentials(text); answer.ok()) {
    const auto access = keyturn::InsecureSecretAccess::Get();
    KEYTURN_CHECK(!answer->access_key_id.empty() && !answer->secret_access_key.empty());
    KEYTURN_CHECK(keyturn::aws::IsKeySafe(answer->secret_access_key.Reveal(access)));
    KEYTURN_CHECK(keyturn::aws::IsKeySafe(answer->session_token.Reveal(access)));
  }
  if (const auto url = keyturn::aws::RelativeContainerUrl(text); url.ok()) {
    KEYTURN_CHECK(url->host == "169.254.170.2" && url->port == 80);
  }
  if (const auto url = keyturn::aws::FullContainerUrl(text); url.ok()) {
    KEYTURN_CHECK(url->host != "169.254.169.254");
  }
  const auto name = keyturn::aws::FindErrorName(text);
  KEYTURN_CHECK(name.size() <= 64 && name.find_first_of("0123456789=._-") == name.npos);
  return 0;
}
