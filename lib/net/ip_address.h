// IpAddress: IPv4 and IPv6 literals and address blocks, as URLs and NO_PROXY write them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace keyturn::net {

// A value type. IPv4 uses the first four bytes.
struct IpAddress {
  bool is_v6 = false;
  std::array<uint8_t, 16> bytes{};

  // Canonical text; no brackets around IPv6. Source: RFC 5952.
  std::string ToString() const;

  friend bool operator==(const IpAddress&, const IpAddress&) = default;
};

// Dotted-quad IPv4 or IPv6 without brackets and zone. Empty for anything else, the historic forms
// of inet_aton ("127.1", "0x7f000001") included: they are a classic way round filters.
std::optional<IpAddress> ParseIpAddress(std::string_view text);

struct IpBlock {
  IpAddress base;
  unsigned prefix_bits = 0;

  bool Contains(const IpAddress& address) const;
};

// "10.0.0.0/8", "fd00::/8". Host bits may be set; they are ignored.
std::optional<IpBlock> ParseIpBlock(std::string_view text);

}  // namespace keyturn::net
