// SPDX-License-Identifier: Apache-2.0
#include "lib/plan/validate_files.h"

#include <map>
#include <set>
#include <string>

#include "lib/base/strings.h"
#include "lib/json/jmespath.h"
#include "lib/json/pointer.h"
#include "lib/plan/checks.h"

namespace keyturn::plan {
namespace {

// chown(2) takes the largest value for "leave it alone".
constexpr uint32_t kMaxGid = 0xFFFFFFFE;
constexpr uint32_t kMaxMode = 0777;

bool MakesDirectory(const File& file) {
  return file.format == Format::kFiles || file.format == Format::kPem;
}

Status ValidateSecretReference(const Source& source, const std::string& field) {
  KEYTURN_RETURN_IF_ERROR(CheckSecretId(field + ".secret", source.secret));
  if (!source.stage.empty()) KEYTURN_RETURN_IF_ERROR(CheckStage(field + ".stage", source.stage));
  if (source.version_id.empty()) return OkStatus();
  return CheckVersionId(field + ".versionId", source.version_id);
}

Status ValidateParameterReference(const Source& source, const std::string& field) {
  if (!source.stage.empty()) {
    return FieldError(field + ".stage",
                      "belongs to secrets only; a parameter's version is written NAME:VERSION");
  }
  if (!source.version_id.empty()) {
    return FieldError(field + ".versionId",
                      "belongs to secrets only; a parameter's version is written NAME:VERSION");
  }
  return CheckParameterName(field + ".parameter", source.parameter);
}

Status ValidateReference(const Source& source, const std::string& field) {
  if (source.secret.empty() == source.parameter.empty()) {
    return FieldError(field, "needs exactly one of 'secret' and 'parameter'");
  }
  return source.parameter.empty() ? ValidateSecretReference(source, field)
                                  : ValidateParameterReference(source, field);
}

Status ValidateKey(const Source& source, const std::string& field) {
  const Status pointer = json::ValidatePointer(source.key);
  if (pointer.ok()) return OkStatus();
  if (source.key.front() != '/') {
    return FieldError(field + ".key", StrCat("is a JSON Pointer: write '/",
                                             QuoteForMessage(source.key), "' or use 'jmesPath'"));
  }
  return AnnotateStatus(pointer, field + ".key");
}

Status ValidateSelection(const Source& source, const std::string& field) {
  if (source.has_key && !source.jmes_path.empty()) {
    return FieldError(field, "'key' and 'jmesPath' exclude each other: keep one");
  }
  if (source.has_key) return ValidateKey(source, field);
  if (source.jmes_path.empty()) return OkStatus();
  return AnnotateStatus(json::JmesPath::Compile(source.jmes_path).status(), field + ".jmesPath");
}

std::string IdentityNames(const Plan& plan) {
  std::string names;
  for (const auto& [name, identity] : plan.identities) {
    names += StrCat(names.empty() ? "" : ", ", name);
  }
  return names.empty() ? "none" : names;
}

Status ValidateSource(const Source& source, const std::string& field, const Plan& plan) {
  KEYTURN_RETURN_IF_ERROR(ValidateReference(source, field));
  KEYTURN_RETURN_IF_ERROR(ValidateSelection(source, field));
  if (!source.region.empty())
    KEYTURN_RETURN_IF_ERROR(CheckRegion(field + ".region", source.region));
  // "default" may be missing: the environment's credentials then.
  if (source.identity == kDefaultIdentity || plan.identities.count(source.identity) != 0) {
    return OkStatus();
  }
  return ValueError(field + ".identity", source.identity,
                    StrCat("must be one of identities (defined: ", IdentityNames(plan), ")"));
}

Status ValidateTemplate(const File& file, const std::string& field, const Plan& plan) {
  if (file.with.empty()) {
    return FieldError(field, "'template' needs 'with', which names its secrets");
  }
  if (file.mustache.empty()) {
    return FieldError(field,
                      "'with' needs 'template'; for one secret without a template use "
                      "'from'");
  }
  if (MakesDirectory(file)) {
    return FieldError(field + ".format", StrCat("'", FormatName(file.format),
                                                "' makes several files and takes no template"));
  }
  for (const auto& [name, source] : file.with) {
    const std::string input = StrCat(field, ".with.", QuoteForMessage(name, 64));
    KEYTURN_RETURN_IF_ERROR(CheckInputName(field + ".with", name));
    KEYTURN_RETURN_IF_ERROR(ValidateSource(source, input, plan));
  }
  return OkStatus();
}

Status ValidateContent(const File& file, const std::string& field, const Plan& plan) {
  const bool has_template = !file.with.empty() || !file.mustache.empty();
  if (file.from.has_value() == has_template) {
    return FieldError(field, "needs exactly one of 'from' and 'template' (with 'with')");
  }
  if (has_template) return ValidateTemplate(file, field, plan);
  return ValidateSource(*file.from, field + ".from", plan);
}

Status ValidateFile(const File& file, const std::string& field, const Plan& plan) {
  // Formats that make several files may put them into the target itself.
  if (file.path != "." || !MakesDirectory(file)) {
    KEYTURN_RETURN_IF_ERROR(CheckFilePath(field + ".path", file.path));
  }
  if (file.mode > kMaxMode) {
    return FieldError(field + ".mode", "must be at most 0777 (no setuid, setgid or sticky bit)");
  }
  if (file.gid && *file.gid > kMaxGid) {
    return FieldError(field + ".gid", StrCat("must be at most ", kMaxGid));
  }
  return ValidateContent(file, field, plan);
}

// What earlier files of one target occupy.
class Occupied {
 public:
  Status Add(const File& file, const std::string& field) {
    const auto [taken, added] = entries_.emplace(file.path, field);
    if (!added) {
      return ValueError(field, file.path,
                        StrCat("is used by ", taken->second,
                               " already: must be "
                               "unique in its target"));
    }
    if (!MakesDirectory(file)) files_.insert(file.path);
    return OkStatus();
  }

  // No file is a directory of another path. Called when all are known.
  Status CheckParents() const {
    for (const auto& [path, field] : entries_) {
      for (size_t slash = path.find('/'); slash != std::string::npos;
           slash = path.find('/', slash + 1)) {
        const auto file = files_.find(path.substr(0, slash));
        if (file == files_.end()) continue;
        return ValueError(field, path,
                          StrCat("must not lie below '", QuoteForMessage(*file), "', which ",
                                 entries_.at(*file), " makes a file"));
      }
    }
    return OkStatus();
  }

 private:
  std::map<std::string, std::string> entries_;  // path → field
  std::set<std::string> files_;
};

Status ValidateFiles(const Target& target, const std::string& field, const Plan& plan) {
  if (target.files.empty()) return FieldError(field + ".files", "must name at least one file");
  Occupied occupied;
  for (size_t i = 0; i < target.files.size(); ++i) {
    const std::string file = StrCat(field, ".files[", i, "]");
    KEYTURN_RETURN_IF_ERROR(ValidateFile(target.files[i], file, plan));
    KEYTURN_RETURN_IF_ERROR(occupied.Add(target.files[i], file + ".path"));
  }
  return occupied.CheckParents();
}

bool IsBelow(std::string_view path, std::string_view folder) {
  return path.size() > folder.size() && path.substr(0, folder.size()) == folder &&
         path[folder.size()] == '/';
}

// Two publishers in one directory, or one inside another's generation, would remove each other's
// files.
Status CheckApart(const Plan& plan, size_t index) {
  const std::string& path = plan.targets[index].path;
  for (size_t i = 0; i < index; ++i) {
    const std::string& other = plan.targets[i].path;
    if (path == other || IsBelow(path, other) || IsBelow(other, path)) {
      return ValueError(StrCat("targets[", index, "].path"), path,
                        StrCat("must be apart from targets[", i, "].path '", QuoteForMessage(other),
                               "', neither the same nor nested"));
    }
  }
  return OkStatus();
}

}  // namespace

Status ValidateTargets(const Plan& plan) {
  if (plan.targets.empty()) return FieldError("targets", "must name at least one target");
  size_t files = 0;
  for (const Target& target : plan.targets) files += target.files.size();
  if (files > kMaxFiles) {
    return FieldError("targets", StrCat("have ", files, " files: at most ", kMaxFiles));
  }
  for (size_t i = 0; i < plan.targets.size(); ++i) {
    const std::string field = StrCat("targets[", i, "]");
    KEYTURN_RETURN_IF_ERROR(CheckAbsolutePath(field + ".path", plan.targets[i].path));
    KEYTURN_RETURN_IF_ERROR(CheckApart(plan, i));
    KEYTURN_RETURN_IF_ERROR(ValidateFiles(plan.targets[i], field, plan));
  }
  return OkStatus();
}

}  // namespace keyturn::plan
