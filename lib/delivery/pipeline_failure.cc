// SPDX-License-Identifier: Apache-2.0
#include "lib/delivery/pipeline_failure.h"

#include <cctype>

namespace keyturn::delivery {
namespace {

// Runs of hexadecimal digits and dashes this long are ids of one request, not part of the cause.
constexpr size_t kIdLength = 16;

bool IsIdCharacter(char c) {
  return c == '-' || std::isxdigit(static_cast<unsigned char>(c)) != 0;
}

std::string WithoutIds(std::string_view text) {
  std::string out;
  size_t i = 0;
  while (i < text.size()) {
    size_t end = i;
    while (end < text.size() && IsIdCharacter(text[end])) ++end;
    if (end - i < kIdLength) out += text.substr(i, end - i);
    if (end < text.size()) out += text[end];
    i = end + 1;
  }
  return out;
}

}  // namespace

void FailureLog::Report(LogLevel level, const std::string& subject, const Status& status) {
  const MonoTime now = clock_.MonoNow();
  std::string text = WithoutIds(status.message());
  const auto known = entries_.find(subject);
  if (known != entries_.end()) {
    const Entry& entry = known->second;
    const bool same = entry.code == status.code() && entry.text == text;
    if (same && now - entry.logged_at < kReminder) return;
  }
  entries_.insert_or_assign(subject, Entry{status.code(), std::move(text), now});
  logger_.Log(level, "failed", {{"subject", subject}, {"error", status.ToString()}});
}

void FailureLog::Resolved(const std::string& subject) {
  if (entries_.erase(subject) == 0) return;
  logger_.Info("works again", {{"subject", subject}});
}

void FailureLog::Keep(const std::set<std::string>& subjects) {
  std::erase_if(entries_, [&](const auto& entry) { return !subjects.contains(entry.first); });
}

void RevocationTracker::Observe(const FetchKey& key, const Status& status) {
  const bool revoked = IsGone(status) || status.code() == StatusCode::kPermissionDenied;
  if (!revoked) {
    periods_.erase(key);
    return;
  }
  const MonoTime now = clock_.MonoNow();
  const auto [period, is_new] = periods_.try_emplace(key, Period{now, now});
  if (!is_new) period->second.last = now;
}

std::set<FetchKey> RevocationTracker::Revoked() const {
  std::set<FetchKey> revoked;
  for (const auto& [key, period] : periods_) {
    if (period.last - period.first >= grace_) revoked.insert(key);
  }
  return revoked;
}

void RevocationTracker::Keep(const std::set<FetchKey>& keys) {
  std::erase_if(periods_, [&](const auto& entry) { return !keys.contains(entry.first); });
}

}  // namespace keyturn::delivery
