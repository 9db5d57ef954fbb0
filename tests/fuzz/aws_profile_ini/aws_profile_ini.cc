// A parsed profile file has clean names and values, and a refusal quotes nothing of the input.
// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <string_view>

#include "lib/aws/credentials/profile_ini.h"
#include "lib/aws/credentials/provider_util.h"
#include "lib/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto ini = keyturn::aws::ParseProfileIni(text);
  if (!ini.ok()) {
    KEYTURN_CHECK(ini.status().message().starts_with("line "));
    KEYTURN_CHECK(ini.status().message().size() < 80);
    return 0;
  }
  for (const auto& [name, section] : *ini) {
    KEYTURN_CHECK(!name.empty() && name.front() != ' ');
    for (const auto& [setting, value] : section) {
      KEYTURN_CHECK(keyturn::aws::IsKeySafe(setting) && !setting.empty());
      KEYTURN_CHECK(value.size() <= size);
    }
  }
  return 0;
}
