// Any bytes as an answer of a JSON service, read by every decoder; first as an error.
// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/aws/json_protocol.h"
#include "lib/aws/secrets_manager_codec.h"
#include "lib/aws/ssm_codec.h"
#include "lib/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

// Why an answer is refused is told by member names and positions: short, whatever the input.
void CheckMessage(const keyturn::Status& status) {
  KEYTURN_CHECK(status.ok() || status.message().size() < 160);
}

void CheckError(std::string_view text) {
  using namespace keyturn::aws;
  keyturn::net::HttpResponse response;
  response.status = 400;
  response.body = text;
  response.headers.Add("x-amzn-RequestId", std::string(text.substr(0, 100)));
  const std::string message = ToStatus(ParseJsonError(response), "Op", Redactor()).message();
  KEYTURN_CHECK(message.size() < 600);
  for (const char c : message) KEYTURN_CHECK(static_cast<unsigned char>(c) >= 0x20);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace keyturn::aws;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  CheckError(text);
  CheckMessage(DecodeSecretValue(text).status());
  CheckMessage(DecodeBatchPage(text).status());
  CheckMessage(DecodeSecretDescription(text).status());
  const auto parameters = DecodeGetParameters(text);
  CheckMessage(parameters.status());
  if (!parameters.ok()) return 0;
  for (const auto& entry : parameters->parameters) {
    const std::string name = entry.parameter.name + entry.selector;
    KEYTURN_CHECK(FindParameter(*parameters, name) != nullptr);
  }
  return 0;
}
