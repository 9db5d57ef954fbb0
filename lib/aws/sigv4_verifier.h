// Verifying Signature Version 4: the server's side of sigv4.h.
// Source: as sigv4.h; error codes and texts as AWS services were observed to answer.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "lib/aws/signing_key.h"
#include "lib/base/clock.h"
#include "lib/base/secret_bytes.h"
#include "lib/net/http_types.h"

namespace keyturn::aws {

// A request as it was received; views outlive the call.
struct ReceivedRequest {
  std::string_view method;
  std::string_view target;  // path and query, as in the request line
  const net::HttpHeaders& headers;
  std::string_view body;
};

// Who a request says has signed it, and how. Nothing of it is proven before Check().
struct SignatureClaim {
  std::string access_key_id;
  SigningScope scope;
  std::string amz_date;
  WallTime time;
  std::vector<std::string> signed_headers;
  std::string signature;
  SecretBytes session_token;                    // empty: none was sent
  std::optional<std::chrono::seconds> expires;  // of a presigned request
};

// What the JSON services answer with HTTP 400.
struct SignatureRefusal {
  std::string code;
  std::string message;  // holds parts of the request, no secret
};

struct VerifyingOptions {
  bool normalize_path = true;      // false for S3-like services
  bool double_encode_path = true;  // false for S3-like services
};

// THREAD: safe.
class SigV4Verifier {
 public:
  // Source: AWS answers "(… - 5 min.)".
  static constexpr std::chrono::minutes kWindow{5};
  // Source: IAM user guide, X-Amz-Expires: at most seven days.
  static constexpr std::chrono::seconds kMaxExpires{604'800};

  explicit SigV4Verifier(VerifyingOptions options = {});

  // Takes the Authorization header apart, else the X-Amz-* query parameters.
  static std::variant<SignatureClaim, SignatureRefusal> Read(const ReceivedRequest& request);

  // Empty when `secret_access_key` has made the signature and its time is right. Compares in
  // constant time. Every x-amz-* header of the request must be signed, X-Amz-Security-Token apart
  // (clients may add it after signing).
  std::optional<SignatureRefusal> Check(const ReceivedRequest& request, const SignatureClaim& claim,
                                        const SecretBytes& secret_access_key, WallTime now);

 private:
  const VerifyingOptions options_;
  SigningKeyCache keys_;
};

}  // namespace keyturn::aws
