// SPDX-License-Identifier: Apache-2.0
#include "lib/aws/service_caller.h"

#include <algorithm>
#include <utility>

#include "lib/aws/await_protocol.h"
#include "lib/base/strings.h"
#include "lib/base/time_format.h"

namespace keyturn::aws {
namespace {

// Services refuse a signature that is 5 minutes off; below 4 the clock is not what they mind.
constexpr std::chrono::minutes kToleratedSkew{4};

// Upper bounds in seconds: in-region answers take 5–50 ms, a cold key-management call seconds.
std::vector<double> LatencyBounds() {
  return {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};
}

std::optional<std::chrono::milliseconds> RetryAfterOf(const net::HttpResponse& response) {
  const auto header = response.headers.Get("x-amz-retry-after");
  const auto millis = ParseUnsigned<uint32_t>(header ? TrimWhitespace(*header) : "");
  if (!millis) return std::nullopt;
  return std::chrono::milliseconds(*millis);
}

// Why there are no credentials, with a code that cannot be taken for an answer about the secret.
Status CredentialsFailure(const Status& status, std::string_view what) {
  const Status annotated = AnnotateStatus(status, StrCat(what, ": credentials"));
  const bool says_when = IsRetryable(status.code()) || status.code() == StatusCode::kCancelled;
  return says_when ? annotated : UnauthenticatedError(annotated.message());
}

std::string Describe(const ServiceCall& call) {
  constexpr size_t kMaxSubject = 256;
  if (call.subject.empty()) return call.operation;
  return StrCat(call.operation, " ", QuoteForMessage(call.subject, kMaxSubject));
}

}  // namespace

// One call on its way through attempts.
struct ServiceCaller::CallState {
  const ServiceCall& call;
  const CallContext& context;
  const std::string what;
  std::shared_ptr<const Credentials> credentials = nullptr;
  net::HttpResponse response{};  // of the last exchange
  AwsError error{};              // when it was a refusal
  FailureClass failure = FailureClass::kFatal;
  bool refused = false;  // the last exchange brought a refusal
  bool clock_mended = false;
  bool credentials_mended = false;

  Redactor MakeRedactor() const {
    Redactor redactor;
    redactor.Add(credentials);
    if (call.secret != nullptr) redactor.Add(*call.secret);
    return redactor;
  }
};

ServiceCaller::ServiceCaller(const ClientRuntime& runtime, ClientOptions options,
                             std::string service, ErrorParser parse_error)
    : runtime_(runtime),
      options_(std::move(options)),
      service_(std::move(service)),
      parse_error_(parse_error) {}

Result<ServiceAnswer> ServiceCaller::Call(const ServiceCall& call, const CallContext& context) {
  CallState state{call, context, Describe(call)};
  Retryer retryer(*runtime_.clock, *runtime_.sleeper, *runtime_.random, quota_, options_.retry);
  KEYTURN_RETURN_IF_ERROR(retryer.Run(context, [&] { return Attempt(state); }));
  const auto date = state.response.headers.Get("Date").value_or("");
  const auto clock_lead = ClockLead(date, runtime_.clock->WallNow());
  return ServiceAnswer{std::move(state.response.body), state.MakeRedactor(), clock_lead};
}

AttemptOutcome ServiceCaller::Attempt(CallState& state) {
  // Mend() succeeds at most twice per call, so this ends.
  while (true) {
    AttemptOutcome outcome;
    outcome.status = Exchange(state);
    if (outcome.status.ok()) return outcome;
    if (state.refused && Mend(state)) continue;
    outcome.failure = state.failure;
    if (state.refused) outcome.retry_after = RetryAfterOf(state.response);
    return outcome;
  }
}

Status ServiceCaller::Exchange(CallState& state) {
  state.refused = false;
  state.failure = FailureClass::kFatal;
  state.credentials = state.call.auth.fixed;
  if (state.call.auth.provider != nullptr) {
    auto credentials = state.call.auth.provider->GetCredentials(state.context);
    if (!credentials.ok()) return CredentialsFailure(credentials.status(), state.what);
    state.credentials = std::move(credentials).value();
  }
  const MonoTime started = runtime_.clock->MonoNow();
  Result<net::HttpResponse> response = Send(state);
  if (!response.ok()) {
    const StatusCode code = response.status().code();
    Count(state.call, ToLowerAscii(StatusCodeName(code)), started);
    const bool lost = code == StatusCode::kUnavailable || code == StatusCode::kDataLoss;
    if (lost) state.failure = FailureClass::kTransient;
    return AnnotateStatus(response.status(), state.what);
  }
  state.response = std::move(response).value();
  if (state.response.status / 100 == 2) {
    offers_await_.store(state.response.headers.Get(kAwaitOfferHeader) == kAwaitOfferValue);
    Count(state.call, "ok", started);
    return OkStatus();
  }
  state.refused = true;
  state.error = parse_error_(state.response);
  state.failure = ClassifyFailure(state.error.http_status, state.error.code);
  Count(state.call, MetricCodeOf(state.error), started);
  return ToStatus(state.error, state.what, state.MakeRedactor());
}

Result<net::HttpResponse> ServiceCaller::Send(const CallState& state) {
  net::HttpRequest request = BuildRequest(state);
  const ScopedCleanse cleanse(request.body);
  const auto timeout =
      state.call.attempt_timeout.count() > 0 ? state.call.attempt_timeout : kAttemptTimeout;
  const MonoTime attempt_deadline = runtime_.clock->MonoNow() + timeout;
  CallContext context = state.context;
  context.deadline = std::min(context.deadline, attempt_deadline);
  Result<net::HttpResponse> response = runtime_.transport->Send(request, context);
  const bool attempt_expired = !response.ok() &&
                               response.status().code() == StatusCode::kDeadlineExceeded &&
                               attempt_deadline < state.context.deadline;
  // The call's own deadline is further away: another attempt may do better.
  if (attempt_expired) return UnavailableError(response.status().message());
  return response;
}

net::HttpRequest ServiceCaller::BuildRequest(const CallState& state) {
  net::HttpRequest request;
  request.method = "POST";
  request.url = options_.endpoint;
  request.body = state.call.body;
  request.headers.Add("User-Agent", options_.user_agent);
  for (const auto& [name, value] : state.call.headers) request.headers.Add(name, value);
  if (state.credentials != nullptr) {
    SigningOptions signing;
    signing.region = options_.region;
    signing.service = service_;
    signer_.SignHeaders(request, *state.credentials, clock_offset_.Apply(runtime_.clock->WallNow()),
                        signing);
  }
  return request;
}

bool ServiceCaller::Mend(CallState& state) {
  if (MayBeClockSkew(state.error) && !state.clock_mended) {
    state.clock_mended = true;
    return LearnClockOffset(state.response);
  }
  const bool renewable = state.call.auth.provider != nullptr && IsCredentialsError(state.error);
  if (!renewable || state.credentials_mended) return false;
  state.credentials_mended = true;
  state.call.auth.provider->Invalidate();
  return true;
}

bool ServiceCaller::LearnClockOffset(const net::HttpResponse& response) {
  const auto date = ParseHttpDate(response.headers.Get("Date").value_or(""));
  if (!date) return false;
  const WallTime local = runtime_.clock->WallNow();
  const auto skew = *date - clock_offset_.Apply(local);
  if (skew <= kToleratedSkew && skew >= -kToleratedSkew) return false;
  clock_offset_.Learn(local, *date);
  runtime_.logger->Warning(
      "the clock differs from the service's: signatures are corrected",
      {{"service", service_},
       {"offsetSeconds",
        std::chrono::duration_cast<std::chrono::seconds>(clock_offset_.offset()).count()}});
  return true;
}

void ServiceCaller::Count(const ServiceCall& call, std::string_view code, MonoTime started) {
  runtime_.metrics
      ->GetCounter(
          "keyturn_aws_requests_total", "Requests to AWS services by outcome.",
          {{"service", service_}, {"operation", call.operation}, {"code", std::string(code)}})
      .Increment();
  const std::chrono::duration<double> elapsed = runtime_.clock->MonoNow() - started;
  runtime_.metrics
      ->GetHistogram("keyturn_aws_request_seconds", "Duration of requests to AWS services.",
                     LatencyBounds(), {{"service", service_}, {"operation", call.operation}})
      .Observe(elapsed.count());
}

}  // namespace keyturn::aws
