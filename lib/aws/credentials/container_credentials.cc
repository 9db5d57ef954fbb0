// SPDX-License-Identifier: Apache-2.0
#include "lib/aws/credentials/container_credentials.h"

#include <arpa/inet.h>

#include <array>
#include <utility>

#include "lib/aws/credentials/provider_util.h"
#include "lib/base/strings.h"
#include "lib/base/time_format.h"
#include "lib/json/checked_parse.h"
#include "lib/json/json.h"

namespace keyturn::aws {
namespace {

constexpr std::string_view kRelativeOrigin = "http://169.254.170.2";
constexpr size_t kMaxUriBytes = 2048;
constexpr size_t kMaxErrorNameSize = 64;

template <typename Address>
bool IsAddress(int family, const std::string& host, const char* literal) {
  Address given{};
  Address wanted{};
  return inet_pton(family, host.c_str(), &given) == 1 && inet_pton(family, literal, &wanted) == 1 &&
         std::string_view(reinterpret_cast<const char*>(&given), sizeof(given)) ==
             std::string_view(reinterpret_cast<const char*>(&wanted), sizeof(wanted));
}

bool IsV4(const std::string& host, const char* literal) {
  return IsAddress<in_addr>(AF_INET, host, literal);
}

bool IsV6(const std::string& host, const char* literal) {
  return IsAddress<in6_addr>(AF_INET6, host, literal);
}

// By value and not by text: "127.1" and other spellings are no addresses for inet_pton(3).
bool IsLoopback(const std::string& host) {
  in_addr address{};
  if (inet_pton(AF_INET, host.c_str(), &address) == 1) return ntohl(address.s_addr) >> 24U == 127;
  return host == "localhost" || IsV6(host, "::1");
}

bool IsContainerHost(const std::string& host) {
  return IsV4(host, "169.254.170.2") || IsV4(host, "169.254.170.23") || IsV6(host, "fd00:ec2::23");
}

bool IsInstanceMetadataHost(const std::string& host) {
  return IsV4(host, "169.254.169.254") || IsV6(host, "fd00:ec2::254") ||
         IsV6(host, "::ffff:169.254.169.254");
}

Status Malformed(std::string_view why) {
  return DataLossError(StrCat("the answer is malformed: ", why));
}

// The text of a member, or empty when it is absent or null.
Result<std::string_view> Member(const json::Json& answer, const char* name) {
  const auto found = answer.find(name);
  if (found == answer.end() || found->is_null()) return std::string_view();
  const auto* text = found->get_ptr<const std::string*>();
  if (text == nullptr) return Malformed(StrCat(name, " is not a string"));
  if (!IsKeySafe(*text)) return Malformed(StrCat(name, " holds a blank or a control character"));
  return std::string_view(*text);
}

Result<std::string_view> RequiredMember(const json::Json& answer, const char* name) {
  auto text = Member(answer, name);
  if (text.ok() && text->empty()) return Malformed(StrCat("it has no ", name));
  return text;
}

bool IsWordCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_-+/=.").find(c) != std::string_view::npos;
}

bool IsErrorName(std::string_view word) {
  if (word.size() > kMaxErrorNameSize || word.find_first_of("0123456789_-+/=.") != word.npos) {
    return false;
  }
  constexpr std::array<std::string_view, 3> kEndings = {"Exception", "Error", "Denied"};
  for (const std::string_view ending : kEndings) {
    if (word.size() > ending.size() && word.ends_with(ending)) return true;
  }
  return false;
}

}  // namespace

Result<net::Url> RelativeContainerUrl(std::string_view path) {
  if (path.empty() || path.front() != '/' || path.size() > kMaxUriBytes) {
    return InvalidArgumentError("the relative URI must begin with '/'");
  }
  return net::ParseUrl(StrCat(kRelativeOrigin, path));
}

Result<net::Url> FullContainerUrl(std::string_view uri) {
  if (uri.size() > kMaxUriBytes) return InvalidArgumentError("the URI is longer than 2048 bytes");
  KEYTURN_ASSIGN_OR_RETURN(net::Url url, net::ParseUrl(uri));
  if (IsInstanceMetadataHost(url.host)) {
    return PermissionDeniedError("the instance metadata service is never asked");
  }
  if (url.is_tls() || IsLoopback(url.host) || IsContainerHost(url.host)) return url;
  return PermissionDeniedError(
      StrCat("http to host '", QuoteForMessage(url.host),
             "' is refused: it must be https, a loopback address, 169.254.170.2, 169.254.170.23 or "
             "[fd00:ec2::23]"));
}

Result<Credentials> ParseContainerCredentials(std::string_view body) {
  auto answer = json::CheckedParse(body, {.max_bytes = kMaxContainerAnswerBytes, .max_depth = 8});
  if (!answer.ok()) return Malformed(answer.status().message());
  if (!answer->is_object()) return Malformed("it is not an object");
  KEYTURN_ASSIGN_OR_RETURN(const auto key_id, RequiredMember(*answer, "AccessKeyId"));
  KEYTURN_ASSIGN_OR_RETURN(const auto secret, RequiredMember(*answer, "SecretAccessKey"));
  KEYTURN_ASSIGN_OR_RETURN(const auto token, Member(*answer, "Token"));
  KEYTURN_ASSIGN_OR_RETURN(const auto account, Member(*answer, "AccountId"));
  KEYTURN_ASSIGN_OR_RETURN(const auto expiration, Member(*answer, "Expiration"));
  Credentials credentials;
  if (!expiration.empty()) {
    credentials.expiration = ParseRfc3339(expiration);
    if (!credentials.expiration) return Malformed("Expiration is not an RFC 3339 time");
  }
  credentials.access_key_id = key_id;
  credentials.secret_access_key = SecretBytes(secret);
  credentials.session_token = SecretBytes(token);
  credentials.account_id = account;
  return credentials;
}

std::string_view FindErrorName(std::string_view body) {
  while (!body.empty()) {
    size_t size = 0;
    while (size < body.size() && IsWordCharacter(body[size])) ++size;
    if (IsErrorName(body.substr(0, size))) return body.substr(0, size);
    body.remove_prefix(size == 0 ? 1 : size);
  }
  return {};
}

}  // namespace keyturn::aws
