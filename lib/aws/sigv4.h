// Signature Version 4.
// Source:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "lib/aws/credentials/credentials.h"
#include "lib/base/clock.h"
#include "lib/net/http_types.h"

namespace keyturn::aws {

class SigningKeyCache;

struct SigningOptions {
  std::string region;
  std::string service;
  bool normalize_path = true;      // false for S3-like services
  bool double_encode_path = true;  // false for S3-like services
  bool sign_body_header = false;   // adds X-Amz-Content-Sha256
  bool omit_session_token =
      false;  // leave X-Amz-Security-Token out of the signature (added after it)
};

// The intermediate texts of a signature: for tests and for an error that must show them.
// SECURITY: canonical_request holds the session token; it goes into no log and no message.
struct SignatureParts {
  std::string canonical_request;
  std::string string_to_sign;
  std::string signature;
  std::string signed_headers;
};

// Signs requests; caches the derived key of (secret, date, region, service), which costs four
// HMACs. THREAD: safe.
class SigV4Signer {
 public:
  SigV4Signer();
  ~SigV4Signer();

  // Adds X-Amz-Date, X-Amz-Security-Token and Authorization to `request`, which must be complete
  // otherwise. Signing the same request again replaces them. Headers that proxies change
  // (User-Agent, Connection, Expect, Transfer-Encoding, X-Amzn-Trace-Id) are left out of the
  // signature.
  SignatureParts SignHeaders(net::HttpRequest& request, const Credentials& credentials,
                             WallTime now, const SigningOptions& options);
  // Adds the X-Amz-* query parameters with X-Amz-Signature ("presigning"). REQUIRES: the URL
  // carries none of them yet.
  SignatureParts SignQuery(net::HttpRequest& request, const Credentials& credentials, WallTime now,
                           std::chrono::seconds expires, const SigningOptions& options);

 private:
  std::string Sign(const Credentials& credentials, WallTime now, const SigningOptions& options,
                   SignatureParts& parts);

  std::unique_ptr<SigningKeyCache> keys_;
};

}  // namespace keyturn::aws
