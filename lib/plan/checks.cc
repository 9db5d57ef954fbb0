// SPDX-License-Identifier: Apache-2.0
#include "lib/plan/checks.h"

#include <algorithm>
#include <array>
#include <vector>

#include "lib/base/strings.h"
#include "lib/net/http_types.h"
#include "lib/net/ip_address.h"

namespace keyturn::plan {
namespace {

// Source: PATH_MAX and NAME_MAX of linux/limits.h; kubelet's publisher has the same bounds.
constexpr size_t kMaxPathBytes = 4096;
constexpr size_t kMaxNameBytes = 255;

// Source: the service models of Secrets Manager (SecretId, VersionId, VersionStage), STS
// (roleSessionNameType, externalIdType, arnType) and SSM (PSParameterName).
constexpr size_t kMaxSecretIdBytes = 2048;
constexpr size_t kMaxSecretNameBytes = 512;
constexpr size_t kMaxParameterBytes = 2048;
constexpr size_t kMaxRoleArnBytes = 2048;
constexpr size_t kMaxExternalIdBytes = 1224;
constexpr size_t kMaxStageBytes = 256;

bool IsAlphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// Letters, digits and `others` only.
bool ConsistsOf(std::string_view text, std::string_view others) {
  return std::all_of(text.begin(), text.end(), [others](char c) {
    return IsAlphanumeric(c) || others.find(c) != std::string_view::npos;
  });
}

bool HasControlCharacter(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

bool IsPrintableAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7F; });
}

bool IsAccountId(std::string_view text) {
  return text.size() == 12 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool StartsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

// Source: the partitions' DNS suffixes in botocore's endpoints.json, and the dual-stack ones.
bool IsAwsHost(std::string_view host) {
  const std::string name = "." + ToLowerAscii(host.substr(0, host.find_last_not_of('.') + 1));
  constexpr std::array<std::string_view, 4> kSuffixes = {
      ".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".api.amazonwebservices.com.cn"};
  return std::any_of(kSuffixes.begin(), kSuffixes.end(),
                     [&](std::string_view suffix) { return name.ends_with(suffix); });
}

bool IsHostLabel(std::string_view text) {
  return !text.empty() && text.size() <= 63 && text.front() != '-' && text.back() != '-' &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
         });
}

// arn:PARTITION:service:REGION:ACCOUNT:resource…; the resource, or empty when it is no such ARN.
std::string_view ResourceOfArn(std::string_view arn, std::string_view service, bool regional) {
  std::array<std::string_view, 5> fields;
  for (std::string_view& field : fields) {
    const size_t colon = arn.find(':');
    if (colon == std::string_view::npos) return {};
    field = arn.substr(0, colon);
    arn.remove_prefix(colon + 1);
  }
  const bool region_fits = regional ? IsHostLabel(fields[3]) : fields[3].empty();
  if (fields[0] != "arn" || !StartsWith(fields[1], "aws") || fields[2] != service ||
      !ConsistsOf(fields[1], "-") || !region_fits || !IsAccountId(fields[4])) {
    return {};
  }
  return arn;
}

// The rules that absolute and relative paths share. `path` has no leading '/'.
Status CheckComponents(std::string_view field, std::string_view whole, std::string_view path) {
  if (whole.size() > kMaxPathBytes) {
    return FieldError(field, StrCat("is longer than ", kMaxPathBytes, " bytes"));
  }
  if (HasControlCharacter(whole)) {
    return ValueError(field, whole, "must not contain control characters");
  }
  for (const std::string_view component : Split(path, '/')) {
    if (component == "..") return ValueError(field, whole, "must not contain '..'");
    if (component.empty() || component == ".") {
      return ValueError(field, whole,
                        "must have no empty or '.' component (no '//', no final '/')");
    }
    if (component.size() > kMaxNameBytes) {
      return FieldError(field, StrCat("has a component of more than ", kMaxNameBytes, " bytes"));
    }
  }
  return OkStatus();
}

bool IsLoopback(const net::Url& url) {
  if (url.host == "localhost") return true;
  const auto address = net::ParseIpAddress(url.host);
  if (!address) return false;
  if (!address->is_v6) return address->bytes[0] == 127;
  return *address == *net::ParseIpAddress("::1");
}

// Source: the SDKs' container credentials provider: ECS, EKS Pod Identity over IPv4 and IPv6.
bool IsCredentialsAddress(const net::Url& url) {
  return url.host == "169.254.170.2" || url.host == "169.254.170.23" || url.host == "fd00:ec2::23";
}

Result<net::Url> ParseField(std::string_view field, std::string_view text) {
  Result<net::Url> url = net::ParseUrl(text);
  if (url.ok()) return url;
  // Not quoted: a URL that is refused may be so for the credentials in it.
  return FieldError(field, "must be an http or https URL without user name, password and fragment");
}

}  // namespace

Status FieldError(std::string_view field, std::string_view problem) {
  return InvalidArgumentError(StrCat(field, ": ", problem));
}

Status ValueError(std::string_view field, std::string_view value, std::string_view problem) {
  return FieldError(field, StrCat(problem, ", not '", QuoteForMessage(value), "'"));
}

Status CheckAbsolutePath(std::string_view field, std::string_view path) {
  if (path.empty() || path.front() != '/') {
    return ValueError(field, path, "must be an absolute path");
  }
  if (path == "/") return ValueError(field, path, "must name something below '/'");
  return CheckComponents(field, path, path.substr(1));
}

Status CheckFilePath(std::string_view field, std::string_view path) {
  if (path.empty()) return FieldError(field, "must not be empty");
  if (path.front() == '/') {
    return ValueError(field, path, "must be relative to the target, without a leading '/'");
  }
  KEYTURN_RETURN_IF_ERROR(CheckComponents(field, path, path));
  if (StartsWith(path, "..")) {
    return ValueError(field, path, "must not begin with '..' (reserved for publishing)");
  }
  return OkStatus();
}

Status CheckSecretId(std::string_view field, std::string_view id) {
  if (id.empty() || id.size() > kMaxSecretIdBytes) {
    return FieldError(field, StrCat("must have 1 to ", kMaxSecretIdBytes, " characters"));
  }
  const bool is_arn = StartsWith(id, "arn:");
  std::string_view name = id;
  if (is_arn) {
    constexpr std::string_view kType = "secret:";
    const std::string_view resource = ResourceOfArn(id, "secretsmanager", true);
    name = StartsWith(resource, kType) ? resource.substr(kType.size()) : std::string_view();
    if (name.empty()) {
      return ValueError(field, id,
                        "must be a secret's name or "
                        "arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME");
    }
  }
  if (!ConsistsOf(name, "/_+=.@!-")) {
    return ValueError(field, id, "may contain only letters, digits and /_+=.@!-");
  }
  // An ARN's name has the suffix "-" and six characters.
  if (name.size() > kMaxSecretNameBytes + (is_arn ? 7U : 0U)) {
    return FieldError(field,
                      StrCat("names a secret of more than ", kMaxSecretNameBytes, " characters"));
  }
  return OkStatus();
}

Status CheckParameterName(std::string_view field, std::string_view name) {
  if (name.empty() || name.size() > kMaxParameterBytes) {
    return FieldError(field, StrCat("must have 1 to ", kMaxParameterBytes, " characters"));
  }
  std::string_view rest = name;
  if (StartsWith(name, "arn:")) {
    constexpr std::string_view kType = "parameter/";
    const std::string_view resource = ResourceOfArn(name, "ssm", true);
    rest = StartsWith(resource, kType) ? resource.substr(kType.size()) : std::string_view();
  }
  const std::vector<std::string_view> parts = Split(rest, ':');
  const bool has_selector = parts.size() == 2 && !parts[1].empty();
  if (parts[0].empty() || !ConsistsOf(rest, "_.-/:") || (parts.size() > 1 && !has_selector)) {
    return ValueError(field, name,
                      "must be a parameter's name (letters, digits and _.-/), optionally with "
                      ":VERSION or :LABEL, or arn:aws:ssm:REGION:ACCOUNT:parameter/NAME");
  }
  return OkStatus();
}

Status CheckRoleArn(std::string_view field, std::string_view arn) {
  constexpr std::string_view kType = "role/";
  const std::string_view resource = ResourceOfArn(arn, "iam", false);
  const bool named = StartsWith(resource, kType) && resource.size() > kType.size() &&
                     resource.back() != '/' && IsPrintableAscii(resource);
  if (!named || arn.size() > kMaxRoleArnBytes) {
    return ValueError(field, arn,
                      "must be a role's ARN such as arn:aws:iam::123456789012:role/app");
  }
  return OkStatus();
}

Status CheckSessionName(std::string_view field, std::string_view name) {
  if (name.size() >= 2 && name.size() <= 64 && ConsistsOf(name, "_+=,.@-")) return OkStatus();
  return ValueError(field, name, "must be 2 to 64 letters, digits and _+=,.@-");
}

Status CheckExternalId(std::string_view field, std::string_view id) {
  if (id.size() >= 2 && id.size() <= kMaxExternalIdBytes && ConsistsOf(id, "_+=,.@:/-")) {
    return OkStatus();
  }
  return ValueError(field, id, "must be 2 to 1224 letters, digits and _+=,.@:/-");
}

Status CheckStage(std::string_view field, std::string_view stage) {
  if (!stage.empty() && stage.size() <= kMaxStageBytes && !HasControlCharacter(stage)) {
    return OkStatus();
  }
  return ValueError(field, stage, "must be a staging label of 1 to 256 characters");
}

Status CheckVersionId(std::string_view field, std::string_view id) {
  if (id.size() >= 32 && id.size() <= 64 && IsPrintableAscii(id)) return OkStatus();
  return ValueError(field, id, "must be a version id of 32 to 64 characters (a UUID has 36)");
}

Status CheckRegion(std::string_view field, std::string_view region) {
  if (IsHostLabel(region)) return OkStatus();
  return ValueError(field, region, "must be a region such as eu-central-1");
}

Status CheckIdentityName(std::string_view field, std::string_view name) {
  if (!name.empty() && name.size() <= 64 && ConsistsOf(name, "_.-")) return OkStatus();
  return ValueError(field, name, "an identity's name must be 1 to 64 letters, digits and _.-");
}

Status CheckInputName(std::string_view field, std::string_view name) {
  const bool begins_well = !name.empty() && (name.front() < '0' || name.front() > '9');
  if (begins_well && name.size() <= 64 && ConsistsOf(name, "_-")) return OkStatus();
  return ValueError(field, name,
                    "an input's name must be 1 to 64 letters, digits and _- and not begin with a "
                    "digit");
}

Status CheckLoopbackUrl(std::string_view field, std::string_view url) {
  KEYTURN_ASSIGN_OR_RETURN(const net::Url parsed, ParseField(field, url));
  if (IsLoopback(parsed)) return OkStatus();
  return ValueError(field, parsed.host,
                    "must be a loopback address (127.0.0.1, [::1] or localhost)");
}

Status CheckServiceUrl(std::string_view field, std::string_view url) {
  KEYTURN_ASSIGN_OR_RETURN(const net::Url parsed, ParseField(field, url));
  if (parsed.is_tls() || IsLoopback(parsed)) return OkStatus();
  return ValueError(field, parsed.Origin(), "must be https (http only to loopback)");
}

Status CheckHintUrl(std::string_view field, std::string_view url) {
  KEYTURN_RETURN_IF_ERROR(CheckServiceUrl(field, url));
  KEYTURN_ASSIGN_OR_RETURN(const net::Url parsed, ParseField(field, url));
  if (!IsAwsHost(parsed.host)) return OkStatus();
  return ValueError(field, parsed.host,
                    "must not be an endpoint of AWS: AWS does not know the operation");
}

Status CheckCredentialsUrl(std::string_view field, std::string_view url) {
  KEYTURN_ASSIGN_OR_RETURN(const net::Url parsed, ParseField(field, url));
  if (parsed.is_tls() || IsLoopback(parsed) || IsCredentialsAddress(parsed)) return OkStatus();
  return ValueError(field, parsed.Origin(),
                    "must be https, or http to loopback, 169.254.170.2, 169.254.170.23 or "
                    "[fd00:ec2::23]");
}

Status CheckProxyUrl(std::string_view field, std::string_view url) {
  const Result<net::Url> parsed = ParseField(field, url);
  return parsed.ok() ? OkStatus() : parsed.status();
}

}  // namespace keyturn::plan
