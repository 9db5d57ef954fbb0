// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <set>
#include <string>

#include "lib/base/strings.h"
#include "lib/plan/checks.h"
#include "lib/plan/names.h"
#include "lib/plan/plan.h"
#include "lib/plan/validate_files.h"

namespace keyturn::plan {
namespace {

// Shorter intervals are a bill, not freshness: pushes bring changes sooner.
constexpr std::chrono::seconds kMinInterval{1};
// Source: sts service model, roleDurationSecondsType.
constexpr std::chrono::seconds kMinSession{900};
constexpr std::chrono::seconds kMaxSession{43200};

constexpr std::array<std::string_view, 3> kServices = {"secretsmanager", "sts", "ssm"};

// Signals by which programs are told to reload or wind down. Not KILL and STOP, which no program
// can answer.
constexpr std::array<std::string_view, 8> kSignals = {"HUP",  "INT",  "QUIT",  "TERM",
                                                      "USR1", "USR2", "WINCH", "CONT"};

// Source: TASK_COMM_LEN of linux/sched.h, less the final NUL.
constexpr size_t kMaxProcessName = 15;
constexpr size_t kMaxArguments = 64;
// Leaves room for the temporary name under which a sentinel is replaced.
constexpr size_t kMaxSentinelName = 200;
constexpr size_t kMaxSentinelPath = 1024;

bool IsMissing(std::string_view text, std::string_view part) {
  return text.find(part) == std::string_view::npos;
}

Status ValidateCaPem(const std::string& pem) {
  if (pem.empty()) return OkStatus();
  if (!IsMissing(pem, "PRIVATE KEY-----")) {
    return FieldError("aws.caPem", "holds a private key: certificates only");
  }
  if (IsMissing(pem, "-----BEGIN CERTIFICATE-----") ||
      IsMissing(pem, "-----END CERTIFICATE-----")) {
    return FieldError("aws.caPem", "must be PEM with at least one '-----BEGIN CERTIFICATE-----'");
  }
  return OkStatus();
}

Status ValidateEndpoints(const AwsSettings& aws) {
  for (const auto& [service, url] : aws.endpoints) {
    if (std::find(kServices.begin(), kServices.end(), service) == kServices.end()) {
      return ValueError("aws.endpoints", service, "names must be 'secretsmanager', 'sts' or 'ssm'");
    }
    KEYTURN_RETURN_IF_ERROR(CheckServiceUrl("aws.endpoints." + service, url));
  }
  // As the SDKs: an endpoint of one's own cannot be promised to be FIPS.
  if (!aws.endpoints.empty() && aws.fips.value_or(false)) {
    return FieldError("aws.fips",
                      "excludes 'endpoints': name the FIPS endpoints there, or neither");
  }
  return OkStatus();
}

Status ValidateAws(const AwsSettings& aws) {
  if (!aws.region.empty()) KEYTURN_RETURN_IF_ERROR(CheckRegion("aws.region", aws.region));
  KEYTURN_RETURN_IF_ERROR(ValidateEndpoints(aws));
  if (!aws.proxy.empty()) KEYTURN_RETURN_IF_ERROR(CheckProxyUrl("aws.proxy", aws.proxy));
  return ValidateCaPem(aws.ca_pem);
}

// A field, whether it is set, and the identity types that have it.
struct IdentityField {
  std::string_view name;
  bool set;
  std::set<IdentityType> types;
};

Status CheckFieldsOfType(const Identity& identity, const std::string& field) {
  using enum IdentityType;
  const std::array<IdentityField, 8> fields = {{
      {"roleArn", !identity.role_arn.empty(), {kWebIdentity, kAssumeRole}},
      {"tokenFile", !identity.token_file.empty(), {kWebIdentity, kPodIdentity, kContainer}},
      {"sessionName", !identity.session_name.empty(), {kWebIdentity, kAssumeRole}},
      {"source", !identity.source.empty(), {kAssumeRole}},
      {"externalId", !identity.external_id.empty(), {kAssumeRole}},
      {"profile", !identity.profile.empty(), {kProfile}},
      {"uri", !identity.uri.empty(), {kPodIdentity, kContainer}},
      {"duration", identity.duration.has_value(), {kWebIdentity, kAssumeRole}},
  }};
  for (const IdentityField& entry : fields) {
    if (!entry.set || entry.types.count(identity.type) != 0) continue;
    return FieldError(StrCat(field, ".", entry.name),
                      StrCat("does not belong to type '", IdentityTypeName(identity.type),
                             "': remove it or change the type"));
  }
  return OkStatus();
}

Status CheckFieldShapes(const Identity& identity, const std::string& field) {
  struct Check {
    const std::string& value;
    std::string_view name;
    Status (*check)(std::string_view, std::string_view);
  };

  const std::array<Check, 5> checks = {{
      {identity.role_arn, ".roleArn", CheckRoleArn},
      {identity.token_file, ".tokenFile", CheckAbsolutePath},
      {identity.session_name, ".sessionName", CheckSessionName},
      {identity.external_id, ".externalId", CheckExternalId},
      {identity.uri, ".uri", CheckCredentialsUrl},
  }};
  for (const Check& entry : checks) {
    if (entry.value.empty()) continue;
    KEYTURN_RETURN_IF_ERROR(entry.check(StrCat(field, entry.name), entry.value));
  }
  if (identity.duration && (*identity.duration < kMinSession || *identity.duration > kMaxSession)) {
    return FieldError(field + ".duration", "must be between 15m and 12h");
  }
  return OkStatus();
}

// Walks the chain of sources. It ends at another type or at an undefined "default" (the
// environment); longer than the number of identities means a cycle.
Status CheckChain(const std::string& name, const Plan& plan) {
  auto at = plan.identities.find(name);
  for (size_t steps = 0; steps <= plan.identities.size(); ++steps) {
    if (at == plan.identities.end() || at->second.type != IdentityType::kAssumeRole) {
      return OkStatus();
    }
    const std::string& source = at->second.source;
    const std::string field = StrCat("identities.", at->first, ".source");
    at = plan.identities.find(source);
    if (at == plan.identities.end() && source != kDefaultIdentity) {
      return ValueError(field, source, "must be the name of another identity");
    }
  }
  return FieldError(StrCat("identities.", name, ".source"),
                    "goes round in a circle: the chain must end at an identity of another type");
}

Status ValidateIdentity(const std::string& name, const Identity& identity, const Plan& plan) {
  KEYTURN_RETURN_IF_ERROR(CheckIdentityName("identities", name));
  const std::string field = "identities." + name;
  KEYTURN_RETURN_IF_ERROR(CheckFieldsOfType(identity, field));
  KEYTURN_RETURN_IF_ERROR(CheckFieldShapes(identity, field));
  if (identity.type != IdentityType::kAssumeRole) return OkStatus();
  if (identity.role_arn.empty()) {
    return FieldError(field + ".roleArn", "is missing: type 'assumeRole' needs the role to assume");
  }
  if (identity.source.empty()) {
    return FieldError(field + ".source",
                      "is missing: type 'assumeRole' needs the identity that assumes the role");
  }
  return CheckChain(name, plan);
}

Status ValidateIdentities(const Plan& plan) {
  if (plan.identities.size() > kMaxIdentities) {
    return FieldError("identities", StrCat("must be at most ", kMaxIdentities));
  }
  for (const auto& [name, identity] : plan.identities) {
    KEYTURN_RETURN_IF_ERROR(ValidateIdentity(name, identity, plan));
  }
  return OkStatus();
}

Status ValidateRefresh(const Refresh& refresh) {
  if (refresh.interval < kMinInterval) {
    return FieldError("refresh.interval", "must be at least 1s");
  }
  if (refresh.max_staleness < refresh.interval) {
    return FieldError("refresh.maxStaleness", "must be at least refresh.interval");
  }
  if (refresh.hint_url.empty()) return OkStatus();
  return CheckHintUrl("refresh.hintUrl", refresh.hint_url);
}

std::string_view FirstComponent(std::string_view path) {
  return path.substr(0, path.find('/'));
}

// One check for each kind of notification.
struct NotifyValidator {
  const Plan& plan;
  std::string field;

  Status operator()(const HttpNotify& notify) const {
    return CheckLoopbackUrl(field + ".http", notify.url);
  }

  Status operator()(const SentinelNotify& notify) const {
    const std::string path = field + ".sentinel";
    KEYTURN_RETURN_IF_ERROR(CheckFilePath(path, notify.path));
    if (notify.path.size() > kMaxSentinelPath) {
      return FieldError(path, StrCat("is longer than ", kMaxSentinelPath, " bytes"));
    }
    for (const std::string_view name : Split(notify.path, '/')) {
      if (name.substr(0, 2) == ".." || name.size() > kMaxSentinelName) {
        return ValueError(path, notify.path,
                          StrCat("must have components of at most ", kMaxSentinelName,
                                 " bytes that do not begin with '..'"));
      }
    }
    // What is published under a name is a link into a generation, which nobody may change.
    for (const Target& target : plan.targets) {
      for (const File& file : target.files) {
        if (FirstComponent(file.path) != FirstComponent(notify.path)) continue;
        return ValueError(path, notify.path, "must differ from the names of the files");
      }
    }
    return OkStatus();
  }

  Status operator()(const SignalNotify& notify) const {
    if (std::find(kSignals.begin(), kSignals.end(), notify.signal) == kSignals.end()) {
      return ValueError(
          field + ".signal", notify.signal,
          "must be one of HUP, INT, QUIT, TERM, USR1, USR2, WINCH, CONT (without 'SIG')");
    }
    if (notify.process.empty()) {
      return FieldError(field + ".process", "is missing: 'signal' needs the process's name");
    }
    if (notify.process.find_first_of("/\n") != std::string::npos) {
      return ValueError(field + ".process", notify.process,
                        "must be a name as in /proc/PID/comm, not a path");
    }
    if (notify.process.size() <= kMaxProcessName) return OkStatus();
    return ValueError(field + ".process", notify.process,
                      StrCat("must be '", notify.process.substr(0, kMaxProcessName),
                             "', because the kernel cuts names at ", kMaxProcessName, " bytes"));
  }

  Status operator()(const ExecNotify& notify) const {
    const std::string path = field + ".exec";
    if (notify.argv.empty() || notify.argv.size() > kMaxArguments) {
      return FieldError(path, StrCat("must have 1 to ", kMaxArguments, " elements"));
    }
    for (const std::string& argument : notify.argv) {
      if (!IsMissing(argument, std::string_view("\0", 1))) {
        return FieldError(path, "must not contain a NUL character");
      }
    }
    return CheckAbsolutePath(path + "[0]", notify.argv.front());
  }
};

Status ValidateNotify(const Plan& plan) {
  if (plan.notify.size() > kMaxNotify) {
    return FieldError("notify", StrCat("must have at most ", kMaxNotify, " entries"));
  }
  for (size_t i = 0; i < plan.notify.size(); ++i) {
    const NotifyValidator validator{plan, StrCat("notify[", i, "]")};
    KEYTURN_RETURN_IF_ERROR(std::visit(validator, plan.notify[i]));
  }
  return OkStatus();
}

}  // namespace

std::chrono::milliseconds DefaultMaxStaleness(std::chrono::milliseconds interval) {
  return std::max(Refresh().max_staleness, 2 * interval);
}

Status ValidatePlan(const Plan& plan) {
  KEYTURN_RETURN_IF_ERROR(ValidateAws(plan.aws));
  KEYTURN_RETURN_IF_ERROR(ValidateIdentities(plan));
  KEYTURN_RETURN_IF_ERROR(ValidateRefresh(plan.refresh));
  KEYTURN_RETURN_IF_ERROR(ValidateTargets(plan));
  return ValidateNotify(plan);
}

}  // namespace keyturn::plan
