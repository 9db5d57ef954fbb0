// ServiceCaller: one call of an AWS service, from credentials to the answer: signs, sends, retries,
// learns the clock's offset, counts.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lib/aws/aws_error.h"
#include "lib/aws/clients.h"
#include "lib/aws/clock_offset.h"
#include "lib/aws/retry.h"
#include "lib/aws/sigv4.h"

namespace keyturn::aws {

// Whose signature a call carries. Neither: none.
struct CallAuth {
  CredentialsProvider* provider = nullptr;             // asked for every attempt
  std::shared_ptr<const Credentials> fixed = nullptr;  // as they are
};

struct ServiceCall {
  std::string operation;  // "GetSecretValue": message and metric label
  std::string subject;    // "prod/db": for the message
  std::vector<std::pair<std::string, std::string>>
      headers;       // beside those of the caller and the signature
  std::string body;  // may hold a token: cleansed with the call
  CallAuth auth;
  const SecretBytes* secret = nullptr;           // in the body; never in a message
  std::chrono::milliseconds attempt_timeout{0};  // 0: kAttemptTimeout
};

// An answer with a 2xx status. `redactor` knows the secrets that the call used, for messages inside
// the answer.
struct ServiceAnswer {
  std::string body;
  Redactor redactor;
  std::chrono::milliseconds clock_lead{0};  // of the service's clock over ours: see ClockLead()
};

// How a service words a refusal.
using ErrorParser = AwsError (*)(const net::HttpResponse& response);

// THREAD: safe.
class ServiceCaller {
 public:
  // One attempt: a server that accepts and then says nothing must not use up the whole deadline.
  // In-region answers take milliseconds; a cold key-management call takes seconds.
  static constexpr std::chrono::milliseconds kAttemptTimeout{15'000};

  ServiceCaller(const ClientRuntime& runtime, ClientOptions options, std::string service,
                ErrorParser parse_error);

  // ERRORS: as StatusCodeOf; of the transport; UNAUTHENTICATED when there are no credentials,
  // whatever the reason (a provider's NOT_FOUND or PERMISSION_DENIED is not the secret's).
  Result<ServiceAnswer> Call(const ServiceCall& call, const CallContext& context);

  // Whether the latest answer with a 2xx status carried the header of the await protocol. A refusal
  // decides nothing: a proxy may have written it.
  bool offers_await() const { return offers_await_.load(); }

  void ForgetAwaitOffer() { offers_await_.store(false); }

 private:
  struct CallState;
  AttemptOutcome Attempt(CallState& state);
  Status Exchange(CallState& state);
  Result<net::HttpResponse> Send(const CallState& state);
  net::HttpRequest BuildRequest(const CallState& state);
  bool Mend(CallState& state);
  bool LearnClockOffset(const net::HttpResponse& response);
  void Count(const ServiceCall& call, std::string_view code, MonoTime started);

  const ClientRuntime runtime_;
  const ClientOptions options_;
  const std::string service_;
  const ErrorParser parse_error_;
  SigV4Signer signer_;
  ClockOffset clock_offset_;
  RetryQuota quota_;
  std::atomic<bool> offers_await_ = false;
};

}  // namespace keyturn::aws
