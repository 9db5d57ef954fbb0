// SPDX-License-Identifier: Apache-2.0
#include "lib/net_cpprest/name_gate.h"

#include "lib/base/strings.h"

namespace keyturn::net {
namespace {

// As long as the library keeps an unused connection at least: while it reuses one there is nothing
// to look up.
constexpr std::chrono::seconds kFresh{30};

}  // namespace

NameGate::NameGate(const Clock& clock, LookupFunction lookup)
    : clock_(clock), resolver_(std::move(lookup)) {}

bool NameGate::PassedLately(const std::string& host) {
  MutexLock lock(mutex_);
  const MonoTime now = clock_.MonoNow();
  std::erase_if(passed_, [now](const auto& entry) { return now - entry.second >= kFresh; });
  return passed_.contains(host);
}

Status NameGate::Pass(const std::string& host, const CallBudget& budget,
                      std::chrono::milliseconds limit) {
  if (PassedLately(host)) return OkStatus();
  const Step step = budget.BeginStep(StrCat("look up ", host), limit);
  KEYTURN_RETURN_IF_ERROR(resolver_.Resolve(host, 0, budget, step).status());
  MutexLock lock(mutex_);
  passed_[host] = clock_.MonoNow();
  return OkStatus();
}

}  // namespace keyturn::net
