// SPDX-License-Identifier: Apache-2.0
#include "lib/delivery/atomic_writer_target.h"

#include "lib/base/strings.h"
#include "lib/delivery/atomic_writer_generation.h"

namespace keyturn::delivery::internal {
namespace {

bool StartsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

// Empty when ..data names no directory of ours: then nothing is published.
Result<std::optional<std::string>> ReadCurrent(fs::FileSystem& fs, const std::string& target) {
  KEYTURN_ASSIGN_OR_RETURN(std::string name, fs.ReadLink(StrCat(target, "/", kDataLink)));
  if (!IsGenerationName(name)) return std::optional<std::string>();
  const Result<fs::FileInfo> info = fs.Stat(StrCat(target, "/", name));
  if (info.ok() && info->type == fs::FileType::kDirectory) return std::optional(std::move(name));
  if (info.ok() || info.status().code() == StatusCode::kNotFound) {
    return std::optional<std::string>();
  }
  return info.status();
}

Status NoteReserved(fs::FileSystem& fs, const std::string& target, const std::string& name,
                    fs::FileType type, TargetScan& scan) {
  if (name == kTemporaryLink) scan.has_temporary = true;
  if (name == kDataLink && type != fs::FileType::kSymlink) {
    scan.data_is_foreign = true;
  } else if (name == kDataLink) {
    KEYTURN_ASSIGN_OR_RETURN(scan.current, ReadCurrent(fs, target));
  }
  if (type == fs::FileType::kDirectory && IsGenerationName(name)) scan.generations.push_back(name);
  return OkStatus();
}

Status NoteEntry(fs::FileSystem& fs, const std::string& target, const std::string& name,
                 TargetScan& scan) {
  const std::string path = StrCat(target, "/", name);
  KEYTURN_ASSIGN_OR_RETURN(const fs::FileInfo info, fs.Stat(path));
  if (StartsWith(name, "..")) return NoteReserved(fs, target, name, info.type, scan);
  if (info.type == fs::FileType::kSymlink) {
    KEYTURN_ASSIGN_OR_RETURN(std::string text, fs.ReadLink(path));
    if (StartsWith(text, StrCat(kDataLink, "/"))) {
      scan.links.emplace(name, std::move(text));
      return OkStatus();
    }
  }
  scan.foreign.insert(name);
  return OkStatus();
}

Status ReplaceLink(fs::FileSystem& fs, const std::string& target, const std::string& name) {
  const std::string temporary = StrCat(target, "/", kTemporaryLink);
  KEYTURN_RETURN_IF_ERROR(fs.Symlink(LinkText(name), temporary));
  return fs.Rename(temporary, StrCat(target, "/", name));
}

Status MakeLink(fs::FileSystem& fs, const TargetScan& scan, const std::string& target,
                const std::string& name) {
  if (scan.links.count(name) > 0) return ReplaceLink(fs, target, name);
  return fs.Symlink(LinkText(name), StrCat(target, "/", name));
}

}  // namespace

std::string LinkText(const std::string& name) {
  return StrCat(kDataLink, "/", name);
}

Result<TargetScan> ScanTarget(fs::FileSystem& fs, const std::string& target) {
  KEYTURN_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs.List(target));
  TargetScan scan;
  for (const std::string& name : names) {
    const Status status = NoteEntry(fs, target, name, scan);
    if (!status.ok() && status.code() != StatusCode::kNotFound) return status;
  }
  return scan;
}

Status CheckNamesAreFree(const TargetScan& scan, const std::string& target,
                         const std::set<std::string>& names) {
  if (scan.data_is_foreign) {
    return AlreadyExistsError(
        StrCat("publish into ", target, ": ", kDataLink, " exists and is no symbolic link"));
  }
  for (const std::string& name : names) {
    if (scan.foreign.count(name) == 0) continue;
    return AlreadyExistsError(StrCat("publish into ", target, ": ", QuoteForMessage(name),
                                     " exists and was not published by keyturn"));
  }
  return OkStatus();
}

Result<bool> FixLinks(fs::FileSystem& fs, const TargetScan& scan, const std::string& target,
                      const std::set<std::string>& names) {
  bool changed = false;
  for (const std::string& name : names) {
    const auto found = scan.links.find(name);
    if (found != scan.links.end() && found->second == LinkText(name)) continue;
    KEYTURN_RETURN_IF_ERROR(MakeLink(fs, scan, target, name));
    changed = true;
  }
  for (const auto& [name, text] : scan.links) {
    if (names.count(name) > 0) continue;
    const Status status = fs.Unlink(StrCat(target, "/", name));
    if (!status.ok() && status.code() != StatusCode::kNotFound) return status;
    changed = true;
  }
  return changed;
}

}  // namespace keyturn::delivery::internal
