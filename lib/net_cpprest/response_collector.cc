// SPDX-License-Identifier: Apache-2.0
#include "lib/net_cpprest/response_collector.h"

#include <utility>

#include "lib/base/secret_bytes.h"
#include "lib/base/strings.h"

namespace keyturn::net {
namespace {

// What may wait for a slow sink before the server has to.
constexpr size_t kMaxPendingForSink = 256 * 1024;

}  // namespace

ResponseCollector::ResponseCollector(size_t max_body_bytes, bool streams)
    : max_body_bytes_(max_body_bytes), streams_(streams) {}

ResponseCollector::~ResponseCollector() {
  MutexLock lock(mutex_);
  Cleanse(pending_);
}

void ResponseCollector::FailLocked(Status status) {
  if (failure_.ok()) failure_ = std::move(status);
  changed_.NotifyAll();
}

void ResponseCollector::OnHead(HttpResponse head) {
  MutexLock lock(mutex_);
  head_ = std::move(head);
  changed_.NotifyAll();
}

void ResponseCollector::OnFailure(Status status) {
  MutexLock lock(mutex_);
  FailLocked(std::move(status));
}

void ResponseCollector::OnEnd() {
  MutexLock lock(mutex_);
  ended_ = true;
  changed_.NotifyAll();
}

ResponseCollector::Taken ResponseCollector::OnBody(std::string_view part,
                                                   std::function<void()> resume) {
  MutexLock lock(mutex_);
  if (!failure_.ok()) return Taken::kRefused;
  // Compared in this order, because a malformed chunk length arrives here as a huge size.
  if (!streams_ && part.size() > max_body_bytes_ - pending_.size()) {
    FailLocked(
        ResourceExhaustedError(StrCat("the response body exceeds ", max_body_bytes_, " bytes")));
    return Taken::kRefused;
  }
  if (part.size() > pending_.max_size() / 2) {
    FailLocked(DataLossError("the response is malformed: bad chunk"));
    return Taken::kRefused;
  }
  pending_.append(part);
  changed_.NotifyAll();
  if (!streams_ || pending_.size() < kMaxPendingForSink) return Taken::kMore;
  resume_ = std::move(resume);
  return Taken::kLater;
}

Result<std::optional<std::string>> ResponseCollector::NextPart(const CallBudget& budget,
                                                               const Step& step) {
  // Made before and destroyed after the lock is held: its callback takes the lock.
  const std::stop_callback wake(budget.stop(), [this] {
    MutexLock lock(mutex_);
    changed_.NotifyAll();
  });
  MutexLock lock(mutex_);
  while (true) {
    KEYTURN_RETURN_IF_ERROR(budget.Check(step));
    if (streams_ && head_ && !pending_.empty()) {
      return std::optional<std::string>(std::exchange(pending_, {}));
    }
    KEYTURN_RETURN_IF_ERROR(failure_);
    if (head_ && ended_) return std::optional<std::string>();
    changed_.WaitUntil(mutex_, step.until);
  }
}

Result<HttpResponse> ResponseCollector::Wait(const CallBudget& budget, const Step& step,
                                             const BodySink* sink) {
  while (true) {
    KEYTURN_ASSIGN_OR_RETURN(auto part, NextPart(budget, step));
    if (!part) break;
    const ScopedCleanse cleanse(*part);
    KEYTURN_RETURN_IF_ERROR((*sink)(*part));
    std::function<void()> resume;
    {
      MutexLock lock(mutex_);
      resume = std::exchange(resume_, nullptr);
    }
    if (resume) resume();
  }
  MutexLock lock(mutex_);
  head_->body = std::exchange(pending_, {});
  return *std::move(head_);
}

void ResponseCollector::Abandon() {
  std::function<void()> resume;
  {
    MutexLock lock(mutex_);
    FailLocked(CancelledError("nobody waits for the response"));
    resume = std::exchange(resume_, nullptr);
  }
  if (resume) resume();
}

}  // namespace keyturn::net
