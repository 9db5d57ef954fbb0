// SPDX-License-Identifier: Apache-2.0
#include "lib/net/ip_address.h"

#include <arpa/inet.h>

#include <algorithm>

#include "lib/base/strings.h"

namespace keyturn::net {

std::string IpAddress::ToString() const {
  char text[INET6_ADDRSTRLEN] = {};
  ::inet_ntop(is_v6 ? AF_INET6 : AF_INET, bytes.data(), text, sizeof text);
  return text;
}

std::optional<IpAddress> ParseIpAddress(std::string_view text) {
  if (text.empty() || text.size() >= INET6_ADDRSTRLEN) return std::nullopt;
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  const std::string copy(text);  // inet_pton wants a terminator
  IpAddress address;
  address.is_v6 = text.find(':') != std::string_view::npos;
  const int family = address.is_v6 ? AF_INET6 : AF_INET;
  if (::inet_pton(family, copy.c_str(), address.bytes.data()) != 1) return std::nullopt;
  return address;
}

bool IpBlock::Contains(const IpAddress& address) const {
  if (address.is_v6 != base.is_v6) return false;
  const size_t whole = prefix_bits / 8;
  const auto* end = base.bytes.data() + whole;
  if (!std::equal(base.bytes.data(), end, address.bytes.data())) return false;
  const unsigned rest = prefix_bits % 8;
  if (rest == 0) return true;
  const unsigned mask = 0xFFU & (0xFFU << (8 - rest));
  return (base.bytes[whole] & mask) == (address.bytes[whole] & mask);
}

std::optional<IpBlock> ParseIpBlock(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto base = ParseIpAddress(text.substr(0, slash));
  const auto bits = ParseUnsigned<unsigned>(text.substr(slash + 1));
  if (!base || !bits || *bits > (base->is_v6 ? 128U : 32U)) return std::nullopt;
  return IpBlock{*base, *bits};
}

}  // namespace keyturn::net
