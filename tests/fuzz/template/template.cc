// Any text as a template over two fixed secrets: the first byte chooses the format.
// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>

#include "lib/base/check.h"
#include "tests/unit/delivery_render/render_testing.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using keyturn::plan::Format;
  constexpr Format kFormats[] = {Format::kRaw,  Format::kJson, Format::kEnv,    Format::kProperties,
                                 Format::kYaml, Format::kDsn,  Format::kPgpass, Format::kMycnf};
  constexpr std::string_view kDb =
      R"({"a":"it's \"x\" \n$y","b":[1,{"c":"d"},[true,null]],"e":{"f":{"g":5}},"h":"","i":false})";
  constexpr std::string_view kApi = "SENTINEL";
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto rendered = keyturn::delivery::RenderTemplateText(
      kFormats[data[0] % std::size(kFormats)], text, kDb, kApi);
  // A message may quote the template, but no value.
  if (text.find(kApi) == std::string::npos) {
    KEYTURN_CHECK(rendered.ok() || rendered.status().message().find(kApi) == std::string::npos);
  }
  // The engine and the check before it agree on what a template is.
  KEYTURN_CHECK(rendered.ok() || rendered.status().code() != keyturn::StatusCode::kInternal);
  return 0;
}
