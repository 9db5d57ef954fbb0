// NameGate: asks for a name before cpprestsdk does.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>

#include "lib/base/clock.h"
#include "lib/base/mutex.h"
#include "lib/net/resolver.h"

namespace keyturn::net {

// cpprestsdk looks names up in one thread for the whole process, without limit: one silent name
// server would stop every call. So a name is first asked for with a look-up that can be abandoned;
// only when that answered is the library let at it. THREAD: safe.
class NameGate {
 public:
  // REQUIRES: `clock` outlives the gate.
  NameGate(const Clock& clock, LookupFunction lookup);

  // OK when `host` resolved now or within the last seconds. ERRORS: as Resolver::Resolve.
  Status Pass(const std::string& host, const CallBudget& budget, std::chrono::milliseconds limit);

 private:
  bool PassedLately(const std::string& host) KEYTURN_EXCLUDES(mutex_);

  const Clock& clock_;
  Resolver resolver_;
  Mutex mutex_;
  std::map<std::string, MonoTime> passed_ KEYTURN_GUARDED_BY(mutex_);
};

}  // namespace keyturn::net
