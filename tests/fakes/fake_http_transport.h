// FakeHttpTransport: answers requests from a function and keeps them.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "lib/base/mutex.h"
#include "lib/net/http_transport.h"

namespace keyturn::testing {

// THREAD: safe if the handler is.
class FakeHttpTransport final : public net::HttpTransport {
 public:
  using Handler = std::function<Result<net::HttpResponse>(const net::HttpRequest&)>;

  explicit FakeHttpTransport(Handler handler) : handler_(std::move(handler)) {}

  Result<net::HttpResponse> Send(const net::HttpRequest& request, const CallContext& context,
                                 const net::BodySink* sink) override {
    if (context.stop.stop_requested()) return CancelledError("stopped");
    {
      MutexLock lock(mutex_);
      requests_.push_back(request);
    }
    Result<net::HttpResponse> response = handler_(request);
    if (response.ok() && sink != nullptr) {
      KEYTURN_RETURN_IF_ERROR((*sink)(response->body));
      response->body.clear();
    }
    return response;
  }

  std::vector<net::HttpRequest> requests() const {
    MutexLock lock(mutex_);
    return requests_;
  }

 private:
  const Handler handler_;
  mutable Mutex mutex_;
  std::vector<net::HttpRequest> requests_ KEYTURN_GUARDED_BY(mutex_);
};

// An answer as the AWS JSON services give it.
inline net::HttpResponse JsonResponse(int status, std::string body) {
  net::HttpResponse response;
  response.status = status;
  response.headers.Add("Content-Type", "application/x-amz-json-1.1");
  response.body = std::move(body);
  return response;
}

}  // namespace keyturn::testing
