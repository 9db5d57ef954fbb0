// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "lib/aws/canonical_request.h"
#include "lib/aws/signing_key.h"
#include "lib/aws/sigv4.h"
#include "lib/base/strings.h"
#include "lib/base/time_format.h"
#include "lib/crypto/digest.h"

namespace keyturn::aws {
namespace {

// "Host" is the transport's, so it is signed from the URL. "Authorization" is what we make. The
// others are hop-by-hop or rewritten on the way.
constexpr std::array<std::string_view, 7> kUnsignedHeaders = {
    "host",       "authorization",  "connection", "expect", "transfer-encoding",
    "user-agent", "x-amzn-trace-id"};

bool IsSigned(std::string_view name) {
  return std::none_of(kUnsignedHeaders.begin(), kUnsignedHeaders.end(),
                      [name](std::string_view unsigned_name) {
                        return EqualsIgnoreCaseAscii(name, unsigned_name);
                      });
}

HeaderFields SignedFields(const net::HttpRequest& request, bool omit_session_token) {
  HeaderFields fields = {{"host", request.url.HostHeader()}};
  for (const auto& [name, value] : request.headers.fields()) {
    const bool omitted = omit_session_token && EqualsIgnoreCaseAscii(name, "x-amz-security-token");
    if (IsSigned(name) && !omitted) fields.emplace_back(name, value);
  }
  return fields;
}

struct Target {
  std::string_view path;
  std::string_view query;
};

Target SplitTarget(std::string_view target) {
  const size_t mark = std::min(target.find('?'), target.size());
  return {target.substr(0, mark), target.substr(std::min(mark + 1, target.size()))};
}

SigningScope ScopeOf(const SigningOptions& options, WallTime now) {
  constexpr size_t kDateSize = 8;  // of "20261123T100000Z"
  return {FormatAmzDate(now).substr(0, kDateSize), options.region, options.service};
}

std::string PayloadHash(const net::HttpRequest& request) {
  return crypto::HexEncode(crypto::AsView(crypto::Sha256(request.body)));
}

CanonicalParts PartsOf(const net::HttpRequest& request, const SigningOptions& options) {
  const Target target = SplitTarget(request.url.target);
  CanonicalParts parts;
  parts.method = request.method;
  parts.path = CanonicalPath(target.path, options.normalize_path, options.double_encode_path);
  parts.query = CanonicalQuery(target.query);
  parts.headers = CanonicalizeHeaders(SignedFields(request, options.omit_session_token));
  parts.payload_hash = PayloadHash(request);
  return parts;
}

std::string CredentialOf(const Credentials& credentials, const SigningScope& scope) {
  return StrCat(credentials.access_key_id, "/", scope.ToString());
}

void AppendQuery(std::string& target, std::string_view name, std::string_view value) {
  target += target.find('?') == std::string::npos ? '?' : '&';
  target += StrCat(name, "=", UriEncode(value));
}

}  // namespace

SigV4Signer::SigV4Signer() : keys_(std::make_unique<SigningKeyCache>()) {}

SigV4Signer::~SigV4Signer() = default;

std::string SigV4Signer::Sign(const Credentials& credentials, WallTime now,
                              const SigningOptions& options, SignatureParts& parts) {
  const SigningScope scope = ScopeOf(options, now);
  parts.string_to_sign = StringToSign(FormatAmzDate(now), scope, parts.canonical_request);
  return keys_->Sign(credentials.secret_access_key, scope, parts.string_to_sign);
}

SignatureParts SigV4Signer::SignHeaders(net::HttpRequest& request, const Credentials& credentials,
                                        WallTime now, const SigningOptions& options) {
  if (!credentials.session_token.empty()) {
    request.headers.Set("X-Amz-Security-Token",
                        std::string(credentials.session_token.Reveal(InsecureSecretAccess::Get())));
  }
  request.headers.Set("X-Amz-Date", FormatAmzDate(now));
  if (options.sign_body_header) request.headers.Set("x-amz-content-sha256", PayloadHash(request));

  const CanonicalParts canonical = PartsOf(request, options);
  SignatureParts parts;
  parts.signed_headers = canonical.headers.signed_names;
  parts.canonical_request = JoinCanonicalRequest(canonical);
  parts.signature = Sign(credentials, now, options, parts);
  request.headers.Set(
      "Authorization",
      StrCat(kSigningAlgorithm, " Credential=", CredentialOf(credentials, ScopeOf(options, now)),
             ", SignedHeaders=", parts.signed_headers, ", Signature=", parts.signature));
  return parts;
}

SignatureParts SigV4Signer::SignQuery(net::HttpRequest& request, const Credentials& credentials,
                                      WallTime now, std::chrono::seconds expires,
                                      const SigningOptions& options) {
  SignatureParts parts;
  parts.signed_headers = PartsOf(request, options).headers.signed_names;
  std::string& target = request.url.target;
  AppendQuery(target, "X-Amz-Algorithm", kSigningAlgorithm);
  AppendQuery(target, "X-Amz-Credential", CredentialOf(credentials, ScopeOf(options, now)));
  AppendQuery(target, "X-Amz-Date", FormatAmzDate(now));
  AppendQuery(target, "X-Amz-SignedHeaders", parts.signed_headers);
  AppendQuery(target, "X-Amz-Expires", std::to_string(expires.count()));
  const auto append_token = [&] {
    if (credentials.session_token.empty()) return;
    AppendQuery(target, "X-Amz-Security-Token",
                credentials.session_token.Reveal(InsecureSecretAccess::Get()));
  };
  if (!options.omit_session_token) append_token();
  parts.canonical_request = JoinCanonicalRequest(PartsOf(request, options));
  parts.signature = Sign(credentials, now, options, parts);
  if (options.omit_session_token) append_token();
  AppendQuery(target, "X-Amz-Signature", parts.signature);
  return parts;
}

}  // namespace keyturn::aws
