// Any bytes as an answer of STS: limits hold and errors do not quote the input.
// SPDX-License-Identifier: Apache-2.0
#include "lib/aws/query_xml.h"

#include <cstdint>
#include <string_view>

#include "lib/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto xml = keyturn::aws::QueryXml::Parse(text);
  if (!xml.ok()) {
    KEYTURN_CHECK(xml.status().message().size() < 120);
    return 0;
  }
  KEYTURN_CHECK(!xml->root().empty());
  const keyturn::SecretBytes* code = xml->Find("Error/Code");
  KEYTURN_CHECK(code == nullptr || !code->empty());
  KEYTURN_CHECK(xml->Text("Error/Code").size() <= keyturn::aws::QueryXml::kMaxBytes);
  return 0;
}
