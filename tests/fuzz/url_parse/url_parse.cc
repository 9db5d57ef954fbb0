// An accepted URL is written back to a text that parses to the same URL; lists of proxy exceptions
// never crash. SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <string_view>

#include "lib/base/check.h"
#include "lib/net/proxy.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using keyturn::net::ParseUrl;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto url = ParseUrl(text);
  if (url.ok()) {
    const std::string written = url->ToString();
    const auto again = ParseUrl(written);
    // A written URL may be longer by the slash of an empty path, which only matters at the limit.
    KEYTURN_CHECK(again.ok() || written.size() > size);
    if (again.ok()) KEYTURN_CHECK(*again == *url);
  }
  (void)keyturn::net::ParseProxy(text);
  const size_t half = size / 2;
  const auto target = ParseUrl(text.substr(half));
  const keyturn::net::NoProxyList list(text.substr(0, half));
  if (target.ok()) (void)list.Matches(*target);
  return 0;
}
