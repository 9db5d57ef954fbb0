// Snapshot<T>: an immutable value that many threads read and one replaces.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <utility>

#include "lib/base/mutex.h"

namespace keyturn {

// A mutex around a shared_ptr rather than std::atomic<shared_ptr>, in which TSan on GCC 12 sees
// races. THREAD: all members may be called from any thread. Get() is O(1) and never waits for a
// long-held lock.
template <typename T>
class Snapshot {
 public:
  Snapshot() = default;

  explicit Snapshot(std::shared_ptr<const T> value) : value_(std::move(value)) {}

  std::shared_ptr<const T> Get() const {
    MutexLock lock(mutex_);
    return value_;
  }

  void Set(std::shared_ptr<const T> value) {
    // The old value dies outside the lock: its destructor may be slow.
    MutexLock lock(mutex_);
    value_.swap(value);
  }

 private:
  mutable Mutex mutex_;
  std::shared_ptr<const T> value_ KEYTURN_GUARDED_BY(mutex_);
};

}  // namespace keyturn
