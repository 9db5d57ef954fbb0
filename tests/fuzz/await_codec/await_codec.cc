// What decodes must survive encoding and decoding again.
// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <string_view>

#include "lib/aws/await_protocol.h"
#include "lib/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace keyturn::aws;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto request = DecodeAwaitRequest(text);
  if (request.ok()) {
    const auto again = DecodeAwaitRequest(EncodeAwaitRequest(*request));
    KEYTURN_CHECK(again.ok() && again->entries == request->entries && again->wait == request->wait);
  }
  const auto answer = DecodeAwaitAnswer(text);
  if (answer.ok()) {
    const std::string encoded = EncodeAwaitAnswer(*answer);
    const auto again = DecodeAwaitAnswer(encoded);
    KEYTURN_CHECK(again.ok() && EncodeAwaitAnswer(*again) == encoded);
  }
  return 0;
}
