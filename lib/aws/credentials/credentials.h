// AWS credentials and where they come from.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "lib/base/call_context.h"
#include "lib/base/clock.h"
#include "lib/base/result.h"
#include "lib/base/secret_bytes.h"

namespace keyturn::aws {

// One set of credentials. Immutable once shared.
struct Credentials {
  std::string access_key_id;
  SecretBytes secret_access_key;
  SecretBytes session_token;  // empty for long-term keys
  // On this machine's clock, so that it compares with Clock::WallNow(): what a service answered is
  // corrected by that answer's Date when both clocks differ by more than a minute. An answer
  // without Date is taken as it is.
  std::optional<WallTime> expiration;
  std::string account_id;  // empty when unknown
};

// Delivers credentials that are valid at the time of the call. THREAD: safe; may block on the
// network.
class CredentialsProvider {
 public:
  virtual ~CredentialsProvider() = default;

  // ERRORS: NOT_FOUND when this source is not configured at all (a chain goes on to the next); any
  // other code when it is configured and fails (a chain stops there).
  virtual Result<std::shared_ptr<const Credentials>> GetCredentials(const CallContext& context) = 0;

  // Forgets cached credentials, so that the next call fetches anew: after the service answered that
  // they are expired or unknown.
  virtual void Invalidate() {}

  // "web identity arn:aws:iam::123456789012:role/app", for messages. No secrets.
  virtual std::string Describe() const = 0;
};

}  // namespace keyturn::aws
