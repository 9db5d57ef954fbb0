// SPDX-License-Identifier: Apache-2.0
#include "lib/base/random.h"

#include <errno.h>
#include <sys/random.h>

#include <array>

#include "lib/base/check.h"

namespace keyturn {

uint64_t Random::NextUint64() {
  std::array<std::byte, 8> bytes{};
  Fill(bytes);
  uint64_t value = 0;
  for (const std::byte byte : bytes) value = (value << 8) | static_cast<uint64_t>(byte);
  return value;
}

double Random::NextDouble() {
  // 53 bits fill a double's mantissa exactly.
  return static_cast<double>(NextUint64() >> 11) * 0x1.0p-53;
}

std::string Random::HexString(size_t count) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(count);
  uint64_t bits = 0;
  for (size_t i = 0; i < count; ++i) {
    if (i % 16 == 0) bits = NextUint64();
    text += kDigits[bits & 0xF];
    bits >>= 4;
  }
  return text;
}

std::string Random::Uuid() {
  std::string hex = HexString(32);
  hex[12] = '4';
  hex[16] = "89ab"[static_cast<size_t>(hex[16]) & 3];
  return hex.substr(0, 8) + "-" + hex.substr(8, 4) + "-" + hex.substr(12, 4) + "-" +
         hex.substr(16, 4) + "-" + hex.substr(20);
}

void SystemRandom::Fill(std::span<std::byte> out) {
  size_t done = 0;
  while (done < out.size()) {
    const ssize_t count = ::getrandom(out.data() + done, out.size() - done, 0);
    if (count < 0 && errno == EINTR) continue;
    KEYTURN_CHECK(count > 0);
    done += static_cast<size_t>(count);
  }
}

}  // namespace keyturn
