// SPDX-License-Identifier: Apache-2.0
#include "lib/aws/sigv4_verifier.h"

#include <algorithm>
#include <map>

#include "lib/aws/canonical_request.h"
#include "lib/base/strings.h"
#include "lib/base/time_format.h"
#include "lib/crypto/digest.h"

namespace keyturn::aws {
namespace {

using Parameters = std::map<std::string, std::string, std::less<>>;
using Outcome = std::optional<SignatureRefusal>;

constexpr size_t kMaxQuoted = 300;
constexpr size_t kDateSize = 8;  // of "20261123T100000Z"

SignatureRefusal Incomplete(std::string message) {
  return {"IncompleteSignatureException", std::move(message)};
}

SignatureRefusal Invalid(std::string message) {
  return {"InvalidSignatureException", std::move(message)};
}

// AWS appends the texts that it computed. They would hand the session token back, so we do not.
SignatureRefusal Mismatch() {
  return Invalid(
      "The request signature we calculated does not match the signature you provided. Check your "
      "AWS Secret Access Key and signing method. Consult the service documentation for details.");
}

std::string Quote(std::string_view text) {
  return StrCat("'", QuoteForMessage(text, kMaxQuoted), "'");
}

struct Target {
  std::string_view path;
  std::string_view query;
};

Target SplitTarget(std::string_view target) {
  const size_t mark = std::min(target.find('?'), target.size());
  return {target.substr(0, mark), target.substr(std::min(mark + 1, target.size()))};
}

// "Credential=…, SignedHeaders=…, Signature=…".
Outcome ReadAuthorization(std::string_view header, Parameters& out) {
  for (const std::string_view field : Split(header.substr(kSigningAlgorithm.size()), ',')) {
    const std::string_view part = TrimWhitespace(field);
    if (part.empty()) continue;
    const size_t equals = part.find('=');
    if (equals == std::string_view::npos) {
      return Incomplete(StrCat(Quote(part),
                               " not a valid key=value pair (missing equal-sign) in Authorization "
                               "header: ",
                               Quote(header), "."));
    }
    const auto [entry, is_new] =
        out.try_emplace(std::string(part.substr(0, equals)), part.substr(equals + 1));
    if (!is_new) return Incomplete(StrCat("Authorization header repeats ", Quote(entry->first)));
  }
  return std::nullopt;
}

// The X-Amz-* parameters, by their names without the prefix.
Outcome ReadQuery(std::string_view query, Parameters& out) {
  constexpr std::string_view kPrefix = "X-Amz-";
  for (const std::string_view field : Split(query, '&')) {
    const size_t equals = std::min(field.find('='), field.size());
    const std::string name = UriDecode(field.substr(0, equals));
    if (!name.starts_with(kPrefix)) continue;
    const std::string_view value = field.substr(std::min(equals + 1, field.size()));
    const bool is_new = out.try_emplace(name.substr(kPrefix.size()), UriDecode(value)).second;
    if (!is_new) return Incomplete(StrCat("The query repeats ", Quote(name)));
  }
  return std::nullopt;
}

std::string_view Find(const Parameters& parameters, std::string_view name) {
  const auto entry = parameters.find(name);
  return entry == parameters.end() ? std::string_view() : std::string_view(entry->second);
}

Outcome RequireParameters(const Parameters& parameters, std::string_view date, bool in_query) {
  std::string missing;
  for (const char* name : {"Credential", "Signature", "SignedHeaders"}) {
    if (!Find(parameters, name).empty()) continue;
    missing += in_query ? StrCat("AWS query-string parameters must include 'X-Amz-", name, "'. ")
                        : StrCat("Authorization header requires '", name, "' parameter. ");
  }
  if (date.empty()) {
    missing += in_query ? "AWS query-string parameters must include 'X-Amz-Date'. "
                        : "Authorization header requires existence of either a 'X-Amz-Date' or a "
                          "'Date' header. ";
  }
  if (missing.empty()) return std::nullopt;
  return Incomplete(std::string(TrimWhitespace(missing)));
}

Outcome ReadCredential(std::string_view text, SignatureClaim& claim) {
  constexpr size_t kElements = 5;
  const auto parts = Split(text, '/');
  if (parts.size() != kElements) {
    return Incomplete(
        StrCat("Credential must have exactly 5 slash-delimited elements, e.g. "
               "keyid/date/region/service/term, got ",
               Quote(text)));
  }
  if (parts[4] != kScopeTerminator) {
    return Invalid(
        StrCat("Credential should be scoped with a valid terminator: 'aws4_request', not ",
               Quote(parts[4]), "."));
  }
  claim.access_key_id = parts[0];
  claim.scope = {std::string(parts[1]), std::string(parts[2]), std::string(parts[3])};
  return std::nullopt;
}

Outcome ReadDate(std::string_view text, SignatureClaim& claim) {
  auto time = ParseAmzDate(text);
  if (!time) time = ParseHttpDate(text);
  if (!time) {
    return Incomplete(StrCat("Date must be in ISO-8601 'basic format'. Got ", Quote(text),
                             ". See http://en.wikipedia.org/wiki/ISO_8601"));
  }
  claim.time = *time;
  claim.amz_date = FormatAmzDate(*time);
  const std::string_view day = std::string_view(claim.amz_date).substr(0, kDateSize);
  if (claim.scope.date == day) return std::nullopt;
  return Invalid(
      StrCat("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of "
             "date from HTTP: ",
             Quote(claim.scope.date), " != '", day, "', from '", claim.amz_date, "'."));
}

Outcome ReadExpires(std::string_view text, SignatureClaim& claim) {
  const auto seconds = ParseUnsigned<uint32_t>(text);
  if (!seconds || *seconds == 0 || *seconds > SigV4Verifier::kMaxExpires.count()) {
    return Incomplete("X-Amz-Expires must be a number of seconds from 1 to 604800.");
  }
  claim.expires = std::chrono::seconds(*seconds);
  return std::nullopt;
}

void ReadSignedHeaders(std::string_view text, SignatureClaim& claim) {
  for (const std::string_view name : Split(text, ';')) claim.signed_headers.emplace_back(name);
}

std::string_view DateHeader(const net::HttpHeaders& headers) {
  const auto amz_date = headers.Get("X-Amz-Date");
  return amz_date ? *amz_date : headers.Get("Date").value_or("");
}

Outcome ReadClaim(const ReceivedRequest& request, bool in_query, SignatureClaim& claim) {
  Parameters parameters;
  const Outcome malformed =
      in_query ? ReadQuery(SplitTarget(request.target).query, parameters)
               : ReadAuthorization(request.headers.Get("Authorization").value_or(""), parameters);
  if (malformed) return malformed;
  const std::string_view date =
      in_query ? Find(parameters, "Date") : TrimWhitespace(DateHeader(request.headers));
  if (Outcome refusal = RequireParameters(parameters, date, in_query)) return refusal;
  if (Outcome refusal = ReadCredential(Find(parameters, "Credential"), claim)) return refusal;
  if (Outcome refusal = ReadDate(date, claim)) return refusal;
  ReadSignedHeaders(Find(parameters, "SignedHeaders"), claim);
  claim.signature = Find(parameters, "Signature");
  const std::string_view token =
      in_query ? Find(parameters, "Security-Token")
               : TrimWhitespace(request.headers.Get("X-Amz-Security-Token").value_or(""));
  claim.session_token = SecretBytes(token);
  return in_query ? ReadExpires(Find(parameters, "Expires"), claim) : std::nullopt;
}

Outcome CheckTime(const SignatureClaim& claim, WallTime now) {
  const std::string date = FormatAmzDate(now);
  if (claim.time > now + SigV4Verifier::kWindow) {
    return Invalid(StrCat("Signature not yet current: ", claim.amz_date, " is still later than ",
                          FormatAmzDate(now + SigV4Verifier::kWindow), " (", date, " + 5 min.)"));
  }
  const auto life = claim.expires ? *claim.expires : std::chrono::seconds(SigV4Verifier::kWindow);
  if (claim.time >= now - life) return std::nullopt;
  const std::string span =
      claim.expires ? StrCat(claim.expires->count(), " s") : std::string("5 min.");
  return Invalid(StrCat("Signature expired: ", claim.amz_date, " is now earlier than ",
                        FormatAmzDate(now - life), " (", date, " - ", span, ")"));
}

bool IsSigned(const SignatureClaim& claim, std::string_view lower_name) {
  return std::find(claim.signed_headers.begin(), claim.signed_headers.end(), lower_name) !=
         claim.signed_headers.end();
}

// What the request's headers say must be covered by the signature, or anybody on the way could
// change the operation.
Outcome CheckCoverage(const ReceivedRequest& request, const SignatureClaim& claim) {
  if (!IsSigned(claim, "host")) {
    return Invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.");
  }
  for (const auto& [name, value] : request.headers.fields()) {
    const std::string lower = ToLowerAscii(name);
    const bool must = lower.starts_with("x-amz-") && lower != "x-amz-security-token";
    if (must && !IsSigned(claim, lower)) return Mismatch();
  }
  return std::nullopt;
}

HeaderFields SignedFields(const ReceivedRequest& request, const SignatureClaim& claim) {
  HeaderFields fields;
  for (const auto& [name, value] : request.headers.fields()) {
    if (IsSigned(claim, ToLowerAscii(name))) fields.emplace_back(name, value);
  }
  return fields;
}

// The query without the signature, which signs the rest.
std::string UnsignedQuery(std::string_view query) {
  std::vector<std::string> kept;
  for (const std::string_view field : Split(query, '&')) {
    if (UriDecode(field.substr(0, field.find('='))) != "X-Amz-Signature") kept.emplace_back(field);
  }
  return Join(kept, "&");
}

}  // namespace

SigV4Verifier::SigV4Verifier(VerifyingOptions options) : options_(options) {}

std::variant<SignatureClaim, SignatureRefusal> SigV4Verifier::Read(const ReceivedRequest& request) {
  const std::string_view authorization = request.headers.Get("Authorization").value_or("");
  const bool in_header = authorization.starts_with(kSigningAlgorithm);
  const std::string algorithm = StrCat("X-Amz-Algorithm=", kSigningAlgorithm);
  const auto fields = Split(SplitTarget(request.target).query, '&');
  const bool in_query = std::find(fields.begin(), fields.end(), algorithm) != fields.end();
  if (!in_header && !in_query) {
    return SignatureRefusal{"MissingAuthenticationTokenException", "Missing Authentication Token"};
  }
  SignatureClaim claim;
  if (Outcome refusal = ReadClaim(request, !in_header, claim)) return *refusal;
  return claim;
}

std::optional<SignatureRefusal> SigV4Verifier::Check(const ReceivedRequest& request,
                                                     const SignatureClaim& claim,
                                                     const SecretBytes& secret_access_key,
                                                     WallTime now) {
  if (Outcome refusal = CheckTime(claim, now)) return refusal;
  if (Outcome refusal = CheckCoverage(request, claim)) return refusal;
  const Target target = SplitTarget(request.target);
  CanonicalParts parts;
  parts.method = request.method;
  parts.path = CanonicalPath(target.path, options_.normalize_path, options_.double_encode_path);
  parts.query =
      CanonicalQuery(claim.expires ? UnsignedQuery(target.query) : std::string(target.query));
  parts.headers = CanonicalizeHeaders(SignedFields(request, claim));
  parts.payload_hash = crypto::HexEncode(crypto::AsView(crypto::Sha256(request.body)));
  // Also refuses a signed header that is absent, and names out of order.
  if (parts.headers.signed_names != Join(claim.signed_headers, ";")) return Mismatch();
  const auto declared = request.headers.Get("x-amz-content-sha256");
  if (declared && *declared != parts.payload_hash) return Mismatch();
  const std::string expected =
      keys_.Sign(secret_access_key, claim.scope,
                 StringToSign(claim.amz_date, claim.scope, JoinCanonicalRequest(parts)));
  return crypto::ConstantTimeEquals(expected, claim.signature) ? std::nullopt : Outcome(Mismatch());
}

}  // namespace keyturn::aws
