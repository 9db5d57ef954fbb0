// Random: bytes and jitter from the kernel, injected so that tests are deterministic.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace keyturn {

// THREAD: implementations are safe to call from any thread.
class Random {
 public:
  virtual ~Random() = default;
  virtual void Fill(std::span<std::byte> out) = 0;

  // Uniform in [0, 1): for jitter.
  double NextDouble();
  uint64_t NextUint64();
  // `count` lower-case hexadecimal digits.
  std::string HexString(size_t count);
  // A random (version 4) UUID in its canonical text form. Source: RFC 9562 §5.4.
  std::string Uuid();
};

// getrandom(2). Terminates if the kernel cannot deliver (it cannot fail after boot).
class SystemRandom final : public Random {
 public:
  void Fill(std::span<std::byte> out) override;
};

}  // namespace keyturn
