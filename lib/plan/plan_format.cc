// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <utility>

#include "lib/base/strings.h"
#include "lib/config/units.h"
#include "lib/json/checked_parse.h"
#include "lib/json/json.h"
#include "lib/plan/names.h"
#include "lib/plan/plan.h"

namespace keyturn::plan {
namespace {

using json::Json;

void Put(Json& object, const char* name, const std::string& text,
         std::string_view default_text = {}) {
  if (text != default_text) object[name] = text;
}

template <typename T>
void PutOptional(Json& object, const char* name, const std::optional<T>& value) {
  if (value) object[name] = *value;
}

// Leaves an empty section out.
void PutSection(Json& object, const char* name, Json section) {
  if (!section.empty()) object[name] = std::move(section);
}

Json AwsToJson(const AwsSettings& aws) {
  Json out = Json::object();
  Put(out, "region", aws.region);
  PutSection(out, "endpoints", Json(aws.endpoints));
  Put(out, "caPem", aws.ca_pem);
  Put(out, "proxy", aws.proxy);
  PutOptional(out, "fips", aws.fips);
  PutOptional(out, "dualStack", aws.dual_stack);
  return out;
}

Json IdentityToJson(const Identity& identity) {
  Json out = {{"type", IdentityTypeName(identity.type)}};
  Put(out, "roleArn", identity.role_arn);
  Put(out, "tokenFile", identity.token_file);
  Put(out, "sessionName", identity.session_name);
  Put(out, "source", identity.source);
  Put(out, "externalId", identity.external_id);
  Put(out, "profile", identity.profile);
  Put(out, "uri", identity.uri);
  if (identity.duration) out["duration"] = config::FormatDuration(*identity.duration);
  return out;
}

Json RefreshToJson(const Refresh& refresh) {
  const Refresh defaults;
  Json out = Json::object();
  if (refresh.interval != defaults.interval) {
    out["interval"] = config::FormatDuration(refresh.interval);
  }
  if (refresh.max_staleness != DefaultMaxStaleness(refresh.interval)) {
    out["maxStaleness"] = config::FormatDuration(refresh.max_staleness);
  }
  if (refresh.on_revoked != defaults.on_revoked) {
    out["onRevoked"] = NameOf(kOnRevoked, refresh.on_revoked);
  }
  if (refresh.push != defaults.push) out["push"] = NameOf(kPush, refresh.push);
  Put(out, "hintUrl", refresh.hint_url);
  return out;
}

Json SourceToJson(const Source& source) {
  Json out = Json::object();
  Put(out, "secret", source.secret);
  Put(out, "parameter", source.parameter);
  if (source.has_key) out["key"] = source.key;
  Put(out, "jmesPath", source.jmes_path);
  Put(out, "stage", source.stage);
  Put(out, "versionId", source.version_id);
  Put(out, "identity", source.identity, kDefaultIdentity);
  Put(out, "region", source.region);
  return out;
}

// "0440". REQUIRES: at most 0777.
std::string ModeText(uint32_t mode) {
  std::string out = "0000";
  for (size_t i = 3; i > 0; --i, mode >>= 3) out[i] = static_cast<char>('0' + (mode & 7U));
  return out;
}

Json FileToJson(const File& file) {
  const File defaults;
  Json out = Json::object();
  Put(out, "path", file.path);
  if (file.from) out["from"] = SourceToJson(*file.from);
  for (const auto& [name, source] : file.with) out["with"][name] = SourceToJson(source);
  Put(out, "template", file.mustache);
  if (file.format != defaults.format) out["format"] = FormatName(file.format);
  if (file.mode != defaults.mode) out["mode"] = ModeText(file.mode);
  PutOptional(out, "gid", file.gid);
  if (file.optional) out["optional"] = true;
  return out;
}

Json TargetToJson(const Target& target) {
  Json out = {{"path", target.path}, {"files", Json::array()}};
  if (target.allow_disk) out["allowDisk"] = true;
  for (const File& file : target.files) out["files"].push_back(FileToJson(file));
  return out;
}

struct NotifyToJson {
  Json operator()(const HttpNotify& notify) const { return {{"http", notify.url}}; }

  Json operator()(const SentinelNotify& notify) const { return {{"sentinel", notify.path}}; }

  Json operator()(const SignalNotify& notify) const {
    return {{"signal", notify.signal}, {"process", notify.process}};
  }

  Json operator()(const ExecNotify& notify) const { return {{"exec", notify.argv}}; }
};

}  // namespace

std::string_view FormatName(Format format) {
  return NameOf(kFormats, format);
}

std::string FormatPlan(const Plan& plan) {
  Json out = {{"version", 1}};
  PutSection(out, "aws", AwsToJson(plan.aws));
  for (const auto& [name, identity] : plan.identities) {
    out["identities"][name] = IdentityToJson(identity);
  }
  PutSection(out, "refresh", RefreshToJson(plan.refresh));
  for (const Target& target : plan.targets) out["targets"].push_back(TargetToJson(target));
  for (const Notify& entry : plan.notify) {
    out["notify"].push_back(std::visit(NotifyToJson(), entry));
  }
  return json::Dump(out);
}

}  // namespace keyturn::plan
