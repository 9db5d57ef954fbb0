// Any bytes as a secret, in every format and with a few selections: the first byte chooses. What is
// written keeps the promises that a reader of the format relies on.
// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <iterator>
#include <string_view>

#include "lib/base/check.h"
#include "tests/unit/delivery_render/render_testing.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using keyturn::plan::Format;

constexpr Format kFormats[] = {Format::kRaw,   Format::kJson,  Format::kEnv, Format::kProperties,
                               Format::kYaml,  Format::kFiles, Format::kDsn, Format::kPgpass,
                               Format::kMycnf, Format::kPem};
constexpr const char* kKeys[] = {"", "/a", "/a/0", "/password"};

bool HasControl(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20) return true;
  }
  return false;
}

void CheckContent(Format format, std::string_view text) {
  switch (format) {
    case Format::kPgpass:  // one line
      KEYTURN_CHECK(text.find('\n') == text.size() - 1);
      break;
    case Format::kDsn:
      KEYTURN_CHECK(text.find_first_of(" \"'\\") == std::string_view::npos && !HasControl(text));
      break;
    case Format::kEnv:
      KEYTURN_CHECK(text.find('\0') == std::string_view::npos);
      break;
    case Format::kProperties:
      for (const char c : text) KEYTURN_CHECK(static_cast<unsigned char>(c) < 0x7F);
      break;
    default:
      break;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const Format format = kFormats[data[0] % std::size(kFormats)];
  const size_t selection = data[0] / std::size(kFormats);
  keyturn::plan::Source source = keyturn::delivery::SecretSource();
  source.has_key = selection > 0 && selection <= std::size(kKeys);
  if (source.has_key) source.key = kKeys[selection - 1];
  if (selection > std::size(kKeys) && selection < 8) source.jmes_path = "a[0].b || password";
  const std::string_view value(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto files = keyturn::delivery::RenderToMap(keyturn::delivery::FileFrom(format, source),
                                                    {{"", keyturn::delivery::Fetched(value)}});
  if (!files.ok()) return 0;
  for (const auto& [path, content] : *files) {
    KEYTURN_CHECK(path == "out" || path.starts_with("out/"));
    KEYTURN_CHECK(path.find("/..") == std::string::npos && path.find("//") == std::string::npos);
    CheckContent(format, content);
  }
  return 0;
}
