// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "lib/base/strings.h"
#include "lib/delivery/notify_channels.h"

namespace keyturn::delivery {
namespace {

class HttpChannel final : public NotifyChannel {
 public:
  HttpChannel(net::Url url, net::HttpTransport& transport)
      : url_(std::move(url)), transport_(transport) {}

  std::string kind() const override { return "http"; }

  Status Deliver(const std::string& change_id, const CallContext& context) override {
    net::HttpRequest request;
    request.method = "POST";
    request.url = url_;
    request.headers.Add("Content-Type", "application/json");
    request.body = "{\"changeId\":";
    AppendJsonString(request.body, change_id);
    request.body += '}';
    // The answer's body says nothing that we use.
    const net::BodySink discard = [](std::string_view) { return OkStatus(); };
    // Only the origin is named: a path or query may hold the application's own token.
    const std::string what = "posting to " + url_.Origin();
    const auto response = transport_.Send(request, context, &discard);
    if (!response.ok()) return AnnotateStatus(response.status(), what);
    const int status = response->status;
    if (status >= 200 && status < 300) return OkStatus();
    return {status >= 500 ? StatusCode::kUnavailable : StatusCode::kFailedPrecondition,
            StrCat(what, ": the answer is HTTP status ", status)};
  }

 private:
  const net::Url url_;
  net::HttpTransport& transport_;
};

}  // namespace

Result<std::unique_ptr<NotifyChannel>> CreateHttpChannel(const plan::HttpNotify& spec,
                                                         const NotifyDependencies& dependencies) {
  auto url = net::ParseUrl(spec.url);
  if (!url.ok()) return AnnotateStatus(url.status(), "http notification");
  return std::unique_ptr<NotifyChannel>(
      std::make_unique<HttpChannel>(*std::move(url), *dependencies.transport));
}

}  // namespace keyturn::delivery
