// FakeRandom: a seeded generator, so that a failing run can be repeated.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <random>

#include "lib/base/mutex.h"
#include "lib/base/random.h"

namespace keyturn::testing {

// THREAD: safe.
class FakeRandom final : public Random {
 public:
  explicit FakeRandom(uint64_t seed = 1) : engine_(seed) {}

  void Fill(std::span<std::byte> out) override {
    MutexLock lock(mutex_);
    for (std::byte& byte : out) byte = static_cast<std::byte>(engine_() & 0xFFU);
  }

 private:
  Mutex mutex_;
  std::mt19937_64 engine_ KEYTURN_GUARDED_BY(mutex_);
};

}  // namespace keyturn::testing
