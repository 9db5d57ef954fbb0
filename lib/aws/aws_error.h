// What AWS services answer when they refuse, and the Status that it becomes.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/aws/credentials/credentials.h"
#include "lib/base/status.h"
#include "lib/net/http_types.h"

namespace keyturn::aws {

// A refusal, protocol-neutral. `code` is empty when the answer is not of the service's shape: an
// HTML page of a proxy, say.
struct AwsError {
  int http_status = 0;
  std::string code;
  std::string message;
  std::string request_id;
};

// "com.amazon.coral.service#AccessDeniedException:http://…" → "AccessDeniedException".
std::string NormalizeErrorCode(std::string_view code);

// x-amzn-RequestId, or empty.
std::string RequestIdOf(const net::HttpResponse& response);

// The table of codes. A known code wins over the HTTP status below 500. Without a code the answer
// is not the service's, so it is UNAVAILABLE and never NOT_FOUND or PERMISSION_DENIED: those two
// make consumers give up a secret.
StatusCode StatusCodeOf(const AwsError& error);

// The code as a metric label: a known one, else "http_502". Bounded, whatever a server invents.
std::string MetricCodeOf(const AwsError& error);

// True if new credentials may mend it.
bool IsCredentialsError(const AwsError& error);
// True if the wall clock may be the cause. Signature errors count: the caller compares the Date
// header before it believes them.
bool MayBeClockSkew(const AwsError& error);

// Texts that must not come back in a message.
class Redactor {
 public:
  Redactor() = default;

  void Add(const SecretBytes& secret) { secrets_.push_back(&secret); }

  // Credentials of the call; null is fine. They are kept alive.
  void Add(std::shared_ptr<const Credentials> credentials);

  // Text of a server, fit for a message: its first line (signature errors repeat the whole request
  // below it), at most 300 bytes, no control characters; "[redacted]" when it holds any 16
  // characters in a row of a secret, plainly or percent-encoded.
  std::string Clean(std::string_view server_text) const;

 private:
  bool Holds(std::string_view text, const SecretBytes& secret) const;
  std::vector<const SecretBytes*> secrets_;  // outlive this
  std::vector<std::shared_ptr<const Credentials>> credentials_;
};

// "GetSecretValue prod/db: AccessDeniedException: … (request id …)".
Status ToStatus(const AwsError& error, std::string_view what, const Redactor& redactor);

}  // namespace keyturn::aws
