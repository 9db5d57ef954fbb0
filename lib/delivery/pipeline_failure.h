// What a pipeline remembers of failures: which were logged, and which mean that access was revoked.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/status.h"
#include "lib/delivery/fetch.h"

namespace keyturn::delivery {

// A failure that lasts is logged when it begins, when it changes and then every 10 minutes; its end
// is logged too. Request ids, which differ in every answer, do not count as a change.
// THREAD: one call at a time.
class FailureLog {
 public:
  static constexpr std::chrono::minutes kReminder{10};

  FailureLog(const Clock& clock, Logger& logger) : clock_(clock), logger_(logger) {}

  // `subject` is what fails, e.g. "secret prod/db".
  void Report(LogLevel level, const std::string& subject, const Status& status);
  void Resolved(const std::string& subject);
  // Forgets, without a line, what is not in `subjects`.
  void Keep(const std::set<std::string>& subjects);

 private:
  struct Entry {
    StatusCode code;
    std::string text;  // without request ids
    MonoTime logged_at;
  };

  const Clock& clock_;
  Logger& logger_;
  std::map<std::string, Entry> entries_;
};

// Which keys were gone or denied at every attempt for at least `grace`. Any other answer, also a
// failure that says nothing about access, starts the period anew: what is removed must be certain.
// THREAD: one call at a time.
class RevocationTracker {
 public:
  RevocationTracker(const Clock& clock, std::chrono::milliseconds grace)
      : clock_(clock), grace_(grace) {}

  void Observe(const FetchKey& key, const Status& status);
  std::set<FetchKey> Revoked() const;
  // Forgets all other keys.
  void Keep(const std::set<FetchKey>& keys);

 private:
  struct Period {
    MonoTime first;
    MonoTime last;  // an outage of the agent itself is no evidence: only observations count
  };

  const Clock& clock_;
  const std::chrono::milliseconds grace_;
  std::map<FetchKey, Period> periods_;
};

}  // namespace keyturn::delivery
