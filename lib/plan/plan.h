// The Plan: which secrets become which files, how they are refreshed and who is told.
// Reference with examples: docs/plan.md. JSON Schema: docs/plan.schema.json.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "lib/base/result.h"

namespace keyturn::plan {

struct AwsSettings {
  std::string region;
  std::map<std::string, std::string> endpoints;  // service id → URL
  std::string ca_pem;
  std::string proxy;
  std::optional<bool> fips;
  std::optional<bool> dual_stack;

  friend bool operator==(const AwsSettings&, const AwsSettings&) = default;
};

enum class IdentityType {
  kWebIdentity,
  kPodIdentity,
  kContainer,
  kEnvironment,
  kProfile,
  kAssumeRole
};

struct Identity {
  IdentityType type = IdentityType::kWebIdentity;
  std::string role_arn;                          // webIdentity, assumeRole
  std::string token_file;                        // webIdentity, podIdentity, container
  std::string session_name;                      // webIdentity, assumeRole
  std::string source;                            // assumeRole: another identity's name
  std::string external_id;                       // assumeRole
  std::string profile;                           // profile
  std::string uri;                               // podIdentity, container: credentials endpoint
  std::optional<std::chrono::seconds> duration;  // webIdentity, assumeRole: 900 s … 43200 s

  friend bool operator==(const Identity&, const Identity&) = default;
};

inline constexpr std::string_view kDefaultIdentity = "default";
inline constexpr std::string_view kStageCurrent = "AWSCURRENT";

// A secret or a parameter, and what of it. Exactly one of `secret` and `parameter` is set.
struct Source {
  std::string secret;
  std::string parameter;
  std::string key;        // JSON Pointer into the value; empty: the whole value
  bool has_key = false;   // "" is a legal pointer (the whole document)
  std::string jmes_path;  // alternative to key
  std::string stage;      // empty: AWSCURRENT, unless version_id is set
  std::string version_id;
  std::string identity{kDefaultIdentity};
  std::string region;  // empty: the ARN's, else aws.region

  friend bool operator==(const Source&, const Source&) = default;
};

enum class Format { kRaw, kJson, kEnv, kProperties, kYaml, kFiles, kDsn, kPgpass, kMycnf, kPem };

std::string_view FormatName(Format format);

// One file (or, with the formats `files` and `pem`, one directory of files).
struct File {
  std::string path;
  std::optional<Source> from;
  std::map<std::string, Source> with;  // inputs of `mustache`
  std::string mustache;                // field `template`
  Format format = Format::kRaw;
  uint32_t mode = 0444;
  std::optional<uint32_t> gid;
  bool optional =
      false;  // a missing secret or key leaves the file out instead of failing the target

  friend bool operator==(const File&, const File&) = default;
};

struct Target {
  std::string path;
  bool allow_disk = false;
  std::vector<File> files;

  friend bool operator==(const Target&, const Target&) = default;
};

enum class OnRevoked { kKeep, kRemove };
enum class Push { kAuto, kOff };

struct Refresh {
  std::chrono::milliseconds interval{std::chrono::minutes(10)};
  std::chrono::milliseconds max_staleness{std::chrono::hours(1)};
  OnRevoked on_revoked = OnRevoked::kKeep;
  Push push = Push::kAuto;
  std::string hint_url;

  friend bool operator==(const Refresh&, const Refresh&) = default;
};

struct HttpNotify {
  std::string url;

  friend bool operator==(const HttpNotify&, const HttpNotify&) = default;
};

struct SentinelNotify {
  std::string path;  // relative to every target

  friend bool operator==(const SentinelNotify&, const SentinelNotify&) = default;
};

struct SignalNotify {
  std::string signal;   // "HUP", without SIG
  std::string process;  // comm of the process, as in /proc/<pid>/comm

  friend bool operator==(const SignalNotify&, const SignalNotify&) = default;
};

struct ExecNotify {
  std::vector<std::string> argv;  // no shell

  friend bool operator==(const ExecNotify&, const ExecNotify&) = default;
};

using Notify = std::variant<HttpNotify, SentinelNotify, SignalNotify, ExecNotify>;

struct Plan {
  AwsSettings aws;
  std::map<std::string, Identity> identities;
  Refresh refresh;
  std::vector<Target> targets;
  std::vector<Notify> notify;

  friend bool operator==(const Plan&, const Plan&) = default;
};

// Limits. A Plan travels in a container argument and an annotation.
inline constexpr size_t kMaxPlanBytes = 96 * 1024;
inline constexpr size_t kMaxFiles = 1000;
inline constexpr size_t kMaxIdentities = 32;
inline constexpr size_t kMaxNotify = 16;

// maxStaleness when the Plan does not say: one hour, but never less than two intervals, because one
// late answer is no staleness.
std::chrono::milliseconds DefaultMaxStaleness(std::chrono::milliseconds interval);

// Reads and validates a Plan. Unknown fields are errors with the nearest valid spelling; every
// error names the field by its path ("targets[0].files[2].mode") and says what is allowed. ERRORS:
// INVALID_ARGUMENT. SECURITY: a Plan holds no secret values; its text may be quoted.
Result<Plan> ParsePlan(std::string_view json);

// What ParsePlan checks beyond shape: names, paths, ranges, references, conflicts. For compilers
// that make a Plan from something else. ERRORS: INVALID_ARGUMENT, as ParsePlan.
Status ValidatePlan(const Plan& plan);

// The canonical JSON text: defaults left out, keys in a stable order. ParsePlan(FormatPlan(p)) ==
// p.
std::string FormatPlan(const Plan& plan);

}  // namespace keyturn::plan
