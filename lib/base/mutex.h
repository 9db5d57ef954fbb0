// Mutex with clang's thread-safety annotations: libstdc++'s std::mutex carries none.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define KEYTURN_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define KEYTURN_THREAD_ANNOTATION(x)
#endif

#define KEYTURN_CAPABILITY(x) KEYTURN_THREAD_ANNOTATION(capability(x))
#define KEYTURN_SCOPED_CAPABILITY KEYTURN_THREAD_ANNOTATION(scoped_lockable)
#define KEYTURN_GUARDED_BY(x) KEYTURN_THREAD_ANNOTATION(guarded_by(x))
#define KEYTURN_REQUIRES(...) KEYTURN_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define KEYTURN_EXCLUDES(...) KEYTURN_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
#define KEYTURN_ACQUIRE(...) KEYTURN_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define KEYTURN_RELEASE(...) KEYTURN_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define KEYTURN_NO_THREAD_SAFETY_ANALYSIS KEYTURN_THREAD_ANNOTATION(no_thread_safety_analysis)

namespace keyturn {

class KEYTURN_CAPABILITY("mutex") Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void Lock() KEYTURN_ACQUIRE() { mutex_.lock(); }

  void Unlock() KEYTURN_RELEASE() { mutex_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

class KEYTURN_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) KEYTURN_ACQUIRE(mutex) : mutex_(mutex) { mutex_.Lock(); }

  ~MutexLock() KEYTURN_RELEASE() { mutex_.Unlock(); }

  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// A condition variable for Mutex. Wake-ups may be spurious: wait in a loop that checks the
// condition.
class CondVar {
 public:
  void Wait(Mutex& mutex) KEYTURN_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }

  // False when `until` (steady clock) passed first.
  bool WaitUntil(Mutex& mutex, std::chrono::steady_clock::time_point until)
      KEYTURN_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    const bool notified = condition_.wait_until(lock, until) == std::cv_status::no_timeout;
    lock.release();
    return notified;
  }

  void NotifyOne() { condition_.notify_one(); }

  void NotifyAll() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace keyturn
