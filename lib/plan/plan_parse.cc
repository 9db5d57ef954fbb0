// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <utility>

#include "lib/base/strings.h"
#include "lib/config/units.h"
#include "lib/json/checked_parse.h"
#include "lib/json/json.h"
#include "lib/plan/checks.h"
#include "lib/plan/names.h"
#include "lib/plan/plan.h"

namespace keyturn::plan {
namespace {

using json::Json;

// The article and name of a value's type, for "is a number, must be …".
std::string_view TypeOf(const Json& value) {
  if (value.is_string()) return "a string";
  if (value.is_number()) return "a number";
  if (value.is_boolean()) return "a boolean";
  if (value.is_array()) return "an array";
  if (value.is_object()) return "an object";
  return "null";
}

Status WrongType(const std::string& field, const Json& value, std::string_view expected) {
  return FieldError(field, StrCat("is ", TypeOf(value), ", must be ", expected));
}

// Reads the members of one object. The first error sticks and later reads do nothing, so that a
// reader of a struct is a plain list of its fields.
class ObjectReader {
 public:
  // `path` is empty for the Plan itself.
  ObjectReader(const Json& object, std::string path,
               const std::vector<std::string_view>& known_fields)
      : object_(object), path_(std::move(path)) {
    if (!object.is_object()) {
      Fail(WrongType(path_.empty() ? "the Plan" : path_, object, "an object"));
      return;
    }
    for (auto member = object.begin(); member != object.end(); ++member) {
      CheckKnown(member.key(), known_fields);
    }
  }

  const Status& status() const { return status_; }

  bool ok() const { return status_.ok(); }

  std::string FieldPath(std::string_view name) const {
    return path_.empty() ? std::string(name) : StrCat(path_, ".", name);
  }

  void Fail(Status status) {
    if (status_.ok()) status_ = std::move(status);
  }

  // The member, or null when it is absent or an error came before.
  const Json* Find(std::string_view name) const {
    if (!ok()) return nullptr;
    const auto found = object_.find(std::string(name));
    return found == object_.end() ? nullptr : &*found;
  }

  // True when the field is there; "" is refused unless `may_be_empty`.
  bool String(std::string_view name, std::string& out, bool may_be_empty = false) {
    const Json* value = Find(name);
    if (value == nullptr) return false;
    if (!value->is_string()) return Refuse(WrongType(FieldPath(name), *value, "a string"));
    out = value->get<std::string>();
    if (!out.empty() || may_be_empty) return true;
    return Refuse(FieldError(FieldPath(name), "must not be empty: leave the field out instead"));
  }

  template <typename T>
  void Bool(std::string_view name, T& out) {
    const Json* value = Find(name);
    if (value == nullptr) return;
    if (value->is_boolean()) {
      out = value->get<bool>();
    } else {
      Fail(WrongType(FieldPath(name), *value, "true or false"));
    }
  }

  template <typename T, size_t N>
  void Enum(std::string_view name, const Names<T, N>& names, T& out) {
    std::string text;
    if (!String(name, text)) return;
    std::vector<std::string_view> spellings;
    for (const auto& [spelling, value] : names) {
      if (spelling == text) {
        out = value;
        return;
      }
      spellings.push_back(spelling);
    }
    Fail(ValueError(FieldPath(name), text, StrCat("must be one of ", List(spellings))));
  }

  // "10m" and the like; true when the field is there.
  bool Duration(std::string_view name, std::chrono::milliseconds& out) {
    std::string text;
    if (!String(name, text)) return false;
    const auto duration = config::ParseDuration(text);
    if (!duration.ok())
      return Refuse(AnnotateStatus(AsInvalid(duration.status()), FieldPath(name)));
    out = *duration;
    return true;
  }

  // Calls `read(member, path)` for each element of an array.
  template <typename Read>
  void Array(std::string_view name, size_t max_size, Read read) {
    const Json* value = Find(name);
    if (value == nullptr) return;
    if (!value->is_array()) return Fail(WrongType(FieldPath(name), *value, "an array"));
    if (value->size() > max_size) {
      return Fail(FieldError(FieldPath(name), StrCat("must have at most ", max_size, " elements")));
    }
    for (size_t i = 0; i < value->size() && ok(); ++i) {
      Fail(read((*value)[i], StrCat(FieldPath(name), "[", i, "]")));
    }
  }

  // Calls `read(name, member, path)` for each member of an object.
  template <typename Read>
  void Map(std::string_view name, Read read) {
    const Json* value = Find(name);
    if (value == nullptr) return;
    if (!value->is_object()) return Fail(WrongType(FieldPath(name), *value, "an object"));
    for (auto member = value->begin(); member != value->end() && ok(); ++member) {
      const std::string path = StrCat(FieldPath(name), ".", QuoteForMessage(member.key(), 64));
      Fail(read(member.key(), *member, path));
    }
  }

 private:
  static std::string List(const std::vector<std::string_view>& names) {
    std::string out;
    for (const std::string_view name : names) out += StrCat(out.empty() ? "'" : ", '", name, "'");
    return out;
  }

  static Status AsInvalid(const Status& status) { return InvalidArgumentError(status.message()); }

  bool Refuse(Status status) {
    Fail(std::move(status));
    return false;
  }

  void CheckKnown(const std::string& name, const std::vector<std::string_view>& known) {
    for (const std::string_view field : known) {
      if (field == name) return;
    }
    const std::string_view near = NearestSpelling(name, known);
    Fail(FieldError(FieldPath(QuoteForMessage(name, 64)),
                    near.empty() ? StrCat("is no field; known are ", List(known))
                                 : StrCat("is no field, did you mean '", near, "'?")));
  }

  const Json& object_;
  const std::string path_;
  Status status_;
};

Status ReadStringElement(const Json& value, const std::string& path, std::string& out) {
  if (!value.is_string()) return WrongType(path, value, "a string");
  out = value.get<std::string>();
  return OkStatus();
}

Status ReadAws(const Json& value, const std::string& path, AwsSettings& out) {
  ObjectReader reader(value, path, {"region", "endpoints", "caPem", "proxy", "fips", "dualStack"});
  reader.String("region", out.region);
  reader.Map("endpoints", [&out](const std::string& service, const Json& url, const auto& field) {
    return ReadStringElement(url, field, out.endpoints[service]);
  });
  reader.String("caPem", out.ca_pem);
  reader.String("proxy", out.proxy);
  reader.Bool("fips", out.fips);
  reader.Bool("dualStack", out.dual_stack);
  return reader.status();
}

void ReadSessionDuration(ObjectReader& reader, Identity& out) {
  std::chrono::milliseconds duration{};
  if (!reader.Duration("duration", duration)) return;
  out.duration = std::chrono::duration_cast<std::chrono::seconds>(duration);
  if (*out.duration != duration) {
    reader.Fail(FieldError(reader.FieldPath("duration"), "must be a whole number of seconds"));
  }
}

Status ReadIdentity(const Json& value, const std::string& path, Identity& out) {
  ObjectReader reader(value, path,
                      {"type", "roleArn", "tokenFile", "sessionName", "source", "externalId",
                       "profile", "uri", "duration"});
  if (reader.ok() && reader.Find("type") == nullptr) {
    return FieldError(path + ".type",
                      "is missing: one of 'webIdentity', 'podIdentity', 'container', "
                      "'environment', 'profile', 'assumeRole'");
  }
  reader.Enum("type", kIdentityTypes, out.type);
  reader.String("roleArn", out.role_arn);
  reader.String("tokenFile", out.token_file);
  reader.String("sessionName", out.session_name);
  reader.String("source", out.source);
  reader.String("externalId", out.external_id);
  reader.String("profile", out.profile);
  reader.String("uri", out.uri);
  ReadSessionDuration(reader, out);
  return reader.status();
}

Status ReadRefresh(const Json& value, const std::string& path, Refresh& out) {
  ObjectReader reader(value, path, {"interval", "maxStaleness", "onRevoked", "push", "hintUrl"});
  reader.Duration("interval", out.interval);
  out.max_staleness = DefaultMaxStaleness(out.interval);
  reader.Duration("maxStaleness", out.max_staleness);
  reader.Enum("onRevoked", kOnRevoked, out.on_revoked);
  reader.Enum("push", kPush, out.push);
  reader.String("hintUrl", out.hint_url);
  return reader.status();
}

Status ReadSource(const Json& value, const std::string& path, Source& out) {
  ObjectReader reader(
      value, path,
      {"secret", "parameter", "key", "jmesPath", "stage", "versionId", "identity", "region"});
  reader.String("secret", out.secret);
  reader.String("parameter", out.parameter);
  out.has_key = reader.String("key", out.key, true);
  reader.String("jmesPath", out.jmes_path);
  reader.String("stage", out.stage);
  reader.String("versionId", out.version_id);
  reader.String("identity", out.identity);
  reader.String("region", out.region);
  return reader.status();
}

void ReadMode(ObjectReader& reader, uint32_t& out) {
  const Json* value = reader.Find("mode");
  if (value == nullptr) return;
  const std::string field = reader.FieldPath("mode");
  // A number would be read as decimal: 440 is not 0440.
  if (!value->is_string()) {
    return reader.Fail(WrongType(field, *value, "a string of octal digits such as \"0440\""));
  }
  const std::string text = value->get<std::string>();
  const auto mode = config::ParseFileMode(text);
  if (mode.ok()) {
    out = *mode;
  } else {
    reader.Fail(ValueError(field, text,
                           "must be octal, such as \"0440\", and at most 0777 (no setuid, setgid "
                           "or sticky bit)"));
  }
}

void ReadGid(ObjectReader& reader, std::optional<uint32_t>& out) {
  const Json* value = reader.Find("gid");
  if (value == nullptr) return;
  if (value->is_number_unsigned() && value->get<uint64_t>() < UINT32_MAX) {
    out = value->get<uint32_t>();
  } else {
    reader.Fail(FieldError(reader.FieldPath("gid"), "must be a number from 0 to 4294967294"));
  }
}

Status ReadFile(const Json& value, const std::string& path, File& out) {
  ObjectReader reader(value, path,
                      {"path", "from", "with", "template", "format", "mode", "gid", "optional"});
  reader.String("path", out.path);
  if (const Json* from = reader.Find("from")) {
    reader.Fail(ReadSource(*from, path + ".from", out.from.emplace()));
  }
  reader.Map("with", [&out](const std::string& name, const Json& source, const auto& field) {
    return ReadSource(source, field, out.with[name]);
  });
  reader.String("template", out.mustache);
  reader.Enum("format", kFormats, out.format);
  ReadMode(reader, out.mode);
  ReadGid(reader, out.gid);
  reader.Bool("optional", out.optional);
  return reader.status();
}

Status ReadTarget(const Json& value, const std::string& path, Target& out) {
  ObjectReader reader(value, path, {"path", "allowDisk", "files"});
  reader.String("path", out.path);
  reader.Bool("allowDisk", out.allow_disk);
  reader.Array("files", kMaxFiles, [&out](const Json& file, const std::string& field) {
    return ReadFile(file, field, out.files.emplace_back());
  });
  return reader.status();
}

Status ReadExec(const Json& value, const std::string& path, ExecNotify& out) {
  if (!value.is_array()) {
    return WrongType(path, value, "an array: the program and its arguments, without a shell");
  }
  for (size_t i = 0; i < value.size(); ++i) {
    KEYTURN_RETURN_IF_ERROR(
        ReadStringElement(value[i], StrCat(path, "[", i, "]"), out.argv.emplace_back()));
  }
  return OkStatus();
}

Status ReadNotify(const Json& value, const std::string& path, std::vector<Notify>& out) {
  ObjectReader reader(value, path, {"http", "sentinel", "signal", "process", "exec"});
  if (!reader.ok()) return reader.status();
  const bool is_signal = reader.Find("signal") != nullptr;
  if (value.size() != (is_signal && reader.Find("process") != nullptr ? 2U : 1U) ||
      (!is_signal && reader.Find("process") != nullptr)) {
    return FieldError(path,
                      "needs exactly one of 'http', 'sentinel', 'exec' and 'signal' with "
                      "'process'");
  }
  std::string text;
  if (const Json* exec = reader.Find("exec")) {
    reader.Fail(
        ReadExec(*exec, path + ".exec", std::get<ExecNotify>(out.emplace_back(ExecNotify()))));
  } else if (reader.String("http", text)) {
    out.emplace_back(HttpNotify{text});
  } else if (reader.String("sentinel", text)) {
    out.emplace_back(SentinelNotify{text});
  } else if (reader.String("signal", text)) {
    reader.String("process",
                  std::get<SignalNotify>(out.emplace_back(SignalNotify{text, {}})).process);
  }
  return reader.status();
}

Status CheckVersion(const ObjectReader& reader) {
  if (!reader.ok()) return reader.status();
  const Json* version = reader.Find("version");
  if (version == nullptr) return FieldError("version", "is missing: write \"version\": 1");
  if (!version->is_number_integer() || *version != 1) {
    return FieldError("version", "must be the number 1, the only version that this program knows");
  }
  return OkStatus();
}

Status ReadPlan(const Json& value, Plan& out) {
  ObjectReader reader(value, "", {"version", "aws", "identities", "refresh", "targets", "notify"});
  KEYTURN_RETURN_IF_ERROR(CheckVersion(reader));
  if (const Json* aws = reader.Find("aws")) reader.Fail(ReadAws(*aws, "aws", out.aws));
  reader.Map("identities", [&out](const std::string& name, const Json& member, const auto& field) {
    return ReadIdentity(member, field, out.identities[name]);
  });
  if (const Json* refresh = reader.Find("refresh")) {
    reader.Fail(ReadRefresh(*refresh, "refresh", out.refresh));
  }
  reader.Array("targets", kMaxFiles, [&out](const Json& target, const std::string& field) {
    return ReadTarget(target, field, out.targets.emplace_back());
  });
  reader.Array("notify", kMaxNotify, [&out](const Json& entry, const std::string& field) {
    return ReadNotify(entry, field, out.notify);
  });
  return reader.status();
}

}  // namespace

Result<Plan> ParsePlan(std::string_view text) {
  // The deepest legal value is targets[].files[].with.NAME.field.
  constexpr size_t kMaxDepth = 16;
  const auto parsed = json::CheckedParse(text, {kMaxPlanBytes, kMaxDepth});
  if (!parsed.ok()) return AnnotateStatus(parsed.status(), "the Plan is not usable JSON");
  Plan plan;
  KEYTURN_RETURN_IF_ERROR(ReadPlan(*parsed, plan));
  KEYTURN_RETURN_IF_ERROR(ValidatePlan(plan));
  return plan;
}

}  // namespace keyturn::plan
