// ResponseCollector: where cpprestsdk's threads leave a response for the thread that waits for it.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "lib/base/mutex.h"
#include "lib/net/call_budget.h"
#include "lib/net/http_transport.h"

namespace keyturn::net {

// Shared by the caller and by the library's continuations: a caller whose time is up leaves, and
// the library may finish later or never. THREAD: safe.
class ResponseCollector {
 public:
  enum class Taken { kMore, kLater, kRefused };

  // With `streams` the body goes to a sink, part by part, and has no limit.
  ResponseCollector(size_t max_body_bytes, bool streams);
  ~ResponseCollector();
  ResponseCollector(const ResponseCollector&) = delete;
  ResponseCollector& operator=(const ResponseCollector&) = delete;

  // For the library's threads. Only the first failure counts.
  void OnHead(HttpResponse head);
  void OnFailure(Status status);
  void OnEnd();
  // kLater: `resume` is called, exactly once, when the next part is welcome or nobody waits any
  // more. It may be called from within Wait or Abandon.
  Taken OnBody(std::string_view part, std::function<void()> resume);

  // For the caller, once. ERRORS: those of the budget, of OnFailure and of the sink.
  Result<HttpResponse> Wait(const CallBudget& budget, const Step& step, const BodySink* sink);
  // Refuses everything from now on.
  void Abandon();

 private:
  // The next part for a sink; nothing at the end.
  Result<std::optional<std::string>> NextPart(const CallBudget& budget, const Step& step);
  void FailLocked(Status status) KEYTURN_REQUIRES(mutex_);

  const size_t max_body_bytes_;
  const bool streams_;
  Mutex mutex_;
  CondVar changed_;
  std::optional<HttpResponse> head_ KEYTURN_GUARDED_BY(mutex_);
  std::string pending_ KEYTURN_GUARDED_BY(mutex_);
  std::function<void()> resume_ KEYTURN_GUARDED_BY(mutex_);
  Status failure_ KEYTURN_GUARDED_BY(mutex_);
  bool ended_ KEYTURN_GUARDED_BY(mutex_) = false;
};

}  // namespace keyturn::net
