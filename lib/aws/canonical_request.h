// The canonical request of Signature Version 4: the one text that client and server both derive
// from a request. Source:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace keyturn::aws {

using HeaderFields = std::vector<std::pair<std::string, std::string>>;

// Percent-encodes every byte but the unreserved ones of RFC 3986 §2.3, with upper-case digits.
std::string UriEncode(std::string_view text, bool keep_slash = false);
// Decodes percent-encoding; a '%' that begins no valid triplet stands for itself, and so does '+'.
std::string UriDecode(std::string_view text);

// `raw_path` as in the request line. Normalising removes dot segments (RFC 3986 §5.2.4) and empty
// segments. Encoding twice means that a '%' of the request line becomes "%25"; encoding once keeps
// it.
std::string CanonicalPath(std::string_view raw_path, bool normalize, bool double_encode);

// The parameters of `raw_query` (without '?'), each decoded once and encoded again, sorted by name,
// then by value.
std::string CanonicalQuery(std::string_view raw_query);

// A header value as it is signed: trimmed, every run of blanks (line folds included) one space.
std::string CanonicalHeaderValue(std::string_view value);

struct CanonicalHeaders {
  std::string block;         // "name:value\n" for each name, sorted; repeated fields joined by ','
  std::string signed_names;  // "content-type;host;x-amz-date"
};

CanonicalHeaders CanonicalizeHeaders(const HeaderFields& fields);

// The pieces in canonical form, in the order in which they are signed.
struct CanonicalParts {
  std::string method;
  std::string path;
  std::string query;
  CanonicalHeaders headers;
  std::string payload_hash;  // lower-case hexadecimal, or a marker such as "UNSIGNED-PAYLOAD"
};

std::string JoinCanonicalRequest(const CanonicalParts& parts);

}  // namespace keyturn::aws
