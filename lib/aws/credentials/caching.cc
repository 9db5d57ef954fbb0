// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <stop_token>
#include <utility>

#include "lib/aws/credentials/providers.h"
#include "lib/base/check.h"
#include "lib/base/mutex.h"
#include "lib/base/strings.h"
#include "lib/base/time_format.h"

namespace keyturn::aws {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using SharedCredentials = std::shared_ptr<const Credentials>;

// botocore's windows, shortened for short-lived sessions: 15 minutes of a 15-minute session would
// mean a refresh for every call.
constexpr milliseconds kMaxAdvisoryWindow{std::chrono::minutes(15)};
constexpr int kAdvisoryLifeDivisor = 4;
constexpr milliseconds kMaxMandatoryWindow{std::chrono::minutes(10)};
constexpr int kMandatoryLifeDivisor = 6;
// A window is cut by up to this part, so that pods started together do not call STS together.
// Below 1/3, which keeps the advisory window the longer one.
constexpr double kWindowJitter = 0.1;

// Between refreshes that fail while the credentials are still valid.
constexpr milliseconds kFirstBackoff{5'000};
constexpr milliseconds kMaxBackoff{60'000};

milliseconds Scale(milliseconds value, double factor) {
  return milliseconds(static_cast<int64_t>(static_cast<double>(value.count()) * factor));
}

// One call of the inner provider, whose outcome several callers wait for.
struct Flight {
  bool done = false;
  bool abandoned = false;  // the leading caller's own deadline or stop request ended it
  Status status;
};

class CachingProvider final : public CredentialsProvider {
 public:
  CachingProvider(const ProviderRuntime& runtime, std::shared_ptr<CredentialsProvider> inner)
      : clock_(*runtime.clock),
        random_(*runtime.random),
        logger_(*runtime.logger),
        inner_(std::move(inner)) {}

  Result<SharedCredentials> GetCredentials(const CallContext& context) override {
    // Outside every lock: the callback takes the lock, and its destructor waits for the callback.
    const std::stop_callback wake(context.stop, [this] {
      MutexLock lock(mutex_);
      changed_.NotifyAll();
    });
    while (true) {
      const Step step = NextStep();
      if (step.credentials != nullptr) return step.credentials;
      if (step.lead) return Lead(*step.flight, context);
      if (auto outcome = Follow(*step.flight, context)) return *std::move(outcome);
    }
  }

  void Invalidate() override {
    {
      MutexLock lock(mutex_);
      current_ = nullptr;
    }
    inner_->Invalidate();
  }

  std::string Describe() const override { return inner_->Describe(); }

 private:
  enum class Need { kNone, kAdvisory, kMandatory };

  // What a caller does next: returns `credentials`, or leads or follows `flight`.
  struct Step {
    SharedCredentials credentials;
    std::shared_ptr<Flight> flight;
    bool lead = false;
  };

  Step NextStep() {
    MutexLock lock(mutex_);
    const Need need = CurrentNeed();
    if (need == Need::kNone || (need == Need::kAdvisory && flight_ != nullptr)) {
      return {.credentials = current_, .flight = nullptr};
    }
    const bool lead = flight_ == nullptr;
    if (lead) flight_ = std::make_shared<Flight>();
    return {.credentials = nullptr, .flight = flight_, .lead = lead};
  }

  Need CurrentNeed() const KEYTURN_REQUIRES(mutex_) {
    if (!IsValid()) return Need::kMandatory;
    if (!current_->expiration) return Need::kNone;
    const auto left = *current_->expiration - clock_.WallNow();
    if (left > advisory_window_ || clock_.MonoNow() < retry_at_) return Need::kNone;
    return left > mandatory_window_ ? Need::kAdvisory : Need::kMandatory;
  }

  bool IsValid() const KEYTURN_REQUIRES(mutex_) {
    return current_ != nullptr &&
           (!current_->expiration || clock_.WallNow() < *current_->expiration);
  }

  // Calls the inner provider without the lock and tells the followers.
  Result<SharedCredentials> Lead(Flight& flight, const CallContext& context) {
    Result<SharedCredentials> fetched = CheckFresh(inner_->GetCredentials(context));
    MutexLock lock(mutex_);
    flight.done = true;
    flight.status = fetched.status();
    flight.abandoned = !fetched.ok() && HasEnded(context);
    flight_ = nullptr;
    changed_.NotifyAll();
    if (fetched.ok()) {
      Store(*fetched);
      return fetched;
    }
    if (!IsValid()) return fetched;
    NoteFailedRefresh(fetched.status());
    return current_;
  }

  // Waits for the flight; empty when this caller should look again.
  std::optional<Result<SharedCredentials>> Follow(const Flight& flight,
                                                  const CallContext& context) {
    MutexLock lock(mutex_);
    while (!flight.done) {
      if (HasEnded(context)) return ValidOr(EndedError(context));
      Wait(context.deadline);
    }
    if (flight.status.ok() || flight.abandoned) return std::nullopt;
    return ValidOr(flight.status);
  }

  Result<SharedCredentials> ValidOr(const Status& status) const KEYTURN_REQUIRES(mutex_) {
    if (IsValid()) return current_;
    return status;
  }

  void Wait(MonoTime deadline) KEYTURN_REQUIRES(mutex_) {
    if (deadline == MonoTime::max()) return changed_.Wait(mutex_);
    // The condition variable knows the steady clock only; under a fake clock both differ.
    const auto left = deadline - clock_.MonoNow();
    changed_.WaitUntil(mutex_, std::chrono::steady_clock::now() + left);
  }

  bool HasEnded(const CallContext& context) const {
    return context.stop.stop_requested() || clock_.MonoNow() >= context.deadline;
  }

  Status EndedError(const CallContext& context) const {
    const std::string what = "waiting for credentials of " + inner_->Describe();
    if (context.stop.stop_requested()) return CancelledError(what + ": stopped");
    return DeadlineExceededError(what + ": the deadline passed");
  }

  // A source that answers expired credentials has failed, else every call would ask it again.
  Result<SharedCredentials> CheckFresh(Result<SharedCredentials> fetched) const {
    if (!fetched.ok() || !(*fetched)->expiration) return fetched;
    if (clock_.WallNow() < *(*fetched)->expiration) return fetched;
    return UnavailableError(StrCat(inner_->Describe(), ": answered credentials that expired at ",
                                   FormatRfc3339(*(*fetched)->expiration),
                                   " (is this machine's clock right?)"));
  }

  void Store(const SharedCredentials& fetched) KEYTURN_REQUIRES(mutex_) {
    current_ = fetched;
    failures_ = 0;
    retry_at_ = MonoTime::min();
    if (!fetched->expiration) return;
    const auto life = duration_cast<milliseconds>(*fetched->expiration - clock_.WallNow());
    const double factor = 1 - kWindowJitter * random_.NextDouble();
    advisory_window_ = Scale(std::min(kMaxAdvisoryWindow, life / kAdvisoryLifeDivisor), factor);
    mandatory_window_ = Scale(std::min(kMaxMandatoryWindow, life / kMandatoryLifeDivisor), factor);
  }

  void NoteFailedRefresh(const Status& status) KEYTURN_REQUIRES(mutex_) {
    milliseconds backoff = kFirstBackoff;
    for (int i = 0; i < failures_ && backoff < kMaxBackoff; ++i) backoff *= 2;
    backoff = Scale(std::min(backoff, kMaxBackoff), 1 - 0.5 * random_.NextDouble());
    ++failures_;
    retry_at_ = clock_.MonoNow() + backoff;
    logger_.Warning("credential refresh failed, the present credentials stay in use",
                    {{"source", inner_->Describe()},
                     {"expires", FormatRfc3339(*current_->expiration)},
                     {"retry_in_ms", backoff.count()},
                     {"error", status.ToString()}});
  }

  const Clock& clock_;
  Random& random_;
  Logger& logger_;
  const std::shared_ptr<CredentialsProvider> inner_;

  Mutex mutex_;
  CondVar changed_;
  SharedCredentials current_ KEYTURN_GUARDED_BY(mutex_);
  std::shared_ptr<Flight> flight_ KEYTURN_GUARDED_BY(mutex_);
  milliseconds advisory_window_ KEYTURN_GUARDED_BY(mutex_){0};
  milliseconds mandatory_window_ KEYTURN_GUARDED_BY(mutex_){0};
  MonoTime retry_at_ KEYTURN_GUARDED_BY(mutex_) = MonoTime::min();
  int failures_ KEYTURN_GUARDED_BY(mutex_) = 0;
};

}  // namespace

std::unique_ptr<CredentialsProvider> CreateCachingProvider(
    const ProviderRuntime& runtime, std::shared_ptr<CredentialsProvider> inner) {
  return std::make_unique<CachingProvider>(runtime, std::move(inner));
}

}  // namespace keyturn::aws
