// SPDX-License-Identifier: Apache-2.0
#include "lib/delivery/atomic_writer_generation.h"

#include <array>
#include <chrono>
#include <cstdio>
#include <map>

#include "lib/base/strings.h"

namespace keyturn::delivery::internal {
namespace {

constexpr size_t kSuffixDigits = 8;
constexpr std::string_view kNamePattern = "..dddd_dd_dd_dd_dd_dd.";
constexpr uid_t kKeepUid = static_cast<uid_t>(-1);
constexpr gid_t kKeepGid = static_cast<gid_t>(-1);

Status WriteOne(fs::FileSystem& fs, const std::string& path, const RenderedFile& file) {
  KEYTURN_ASSIGN_OR_RETURN(const std::unique_ptr<fs::File> out, fs.CreateFile(path, 0600));
  KEYTURN_RETURN_IF_ERROR(out->Write(file.content.Reveal(InsecureSecretAccess::Get())));
  // Explicitly, because the umask took part in CreateFile. Before chown, because afterwards the
  // file may be another's.
  KEYTURN_RETURN_IF_ERROR(out->Chmod(file.mode));
  if (!file.uid && !file.gid) return OkStatus();
  return out->Chown(file.uid.value_or(kKeepUid), file.gid.value_or(kKeepGid));
}

using Tree = std::map<std::string, fs::FileInfo>;

// Everything below `directory` by relative path.
Status ReadTree(fs::FileSystem& fs, const std::string& directory, const std::string& prefix,
                Tree& tree) {
  KEYTURN_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs.List(directory));
  for (const std::string& name : names) {
    const std::string path = StrCat(directory, "/", name);
    KEYTURN_ASSIGN_OR_RETURN(const fs::FileInfo info, fs.Stat(path));
    tree.emplace(prefix + name, info);
    if (info.type != fs::FileType::kDirectory) continue;
    KEYTURN_RETURN_IF_ERROR(ReadTree(fs, path, StrCat(prefix, name, "/"), tree));
  }
  return OkStatus();
}

bool IsPublishedDirectory(const fs::FileInfo& info) {
  return info.type == fs::FileType::kDirectory && info.mode == kPublishedDirectoryMode;
}

// New files inherit what the generation's directory got, so it tells the owner of a file that
// names none.
bool SameAttributes(const fs::FileInfo& info, const RenderedFile& file,
                    const fs::FileInfo& directory) {
  return info.type == fs::FileType::kRegular && info.mode == file.mode &&
         info.uid == file.uid.value_or(directory.uid) &&
         info.gid == file.gid.value_or(directory.gid) && info.size == file.content.size();
}

bool SameContent(fs::FileSystem& fs, const std::string& path, const RenderedFile& file) {
  const Result<SecretBytes> content = fs.ReadFile(path, file.content.size());
  return content.ok() && *content == file.content;
}

}  // namespace

std::string MakeGenerationName(WallTime now, Random& random) {
  const auto day = std::chrono::floor<std::chrono::days>(now);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(std::chrono::floor<std::chrono::seconds>(now - day));
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "..%04d_%02u_%02u_%02d_%02d_%02d.",
                static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<int>(time.hours().count()),
                static_cast<int>(time.minutes().count()), static_cast<int>(time.seconds().count()));
  return StrCat(text.data(), random.HexString(kSuffixDigits));
}

bool IsGenerationName(std::string_view name) {
  if (name.size() <= kNamePattern.size()) return false;
  for (size_t i = 0; i < kNamePattern.size(); ++i) {
    const bool is_digit = name[i] >= '0' && name[i] <= '9';
    if (kNamePattern[i] == 'd' ? !is_digit : name[i] != kNamePattern[i]) return false;
  }
  return name.find('/') == std::string_view::npos;
}

std::set<std::string> DirectoriesOf(const std::vector<RenderedFile>& files) {
  std::set<std::string> directories;
  for (const RenderedFile& file : files) {
    const std::string& path = file.path;
    for (size_t at = path.find('/'); at != std::string::npos; at = path.find('/', at + 1)) {
      directories.insert(path.substr(0, at));
    }
  }
  return directories;
}

std::set<std::string> VisibleNames(const std::vector<RenderedFile>& files) {
  std::set<std::string> names;
  for (const RenderedFile& file : files) names.insert(file.path.substr(0, file.path.find('/')));
  return names;
}

Status WriteGeneration(fs::FileSystem& fs, const std::string& directory,
                       const std::vector<RenderedFile>& files) {
  const std::set<std::string> below = DirectoriesOf(files);
  for (const std::string& name : below) {
    KEYTURN_RETURN_IF_ERROR(
        fs.MakeDirectory(StrCat(directory, "/", name), kUnpublishedDirectoryMode));
  }
  for (const RenderedFile& file : files) {
    KEYTURN_RETURN_IF_ERROR(WriteOne(fs, StrCat(directory, "/", file.path), file));
  }
  // Last, because chmod clears the setgid bit that lets files inherit the target's group.
  for (const std::string& name : below) {
    KEYTURN_RETURN_IF_ERROR(fs.Chmod(StrCat(directory, "/", name), kPublishedDirectoryMode));
  }
  return fs.Chmod(directory, kPublishedDirectoryMode);
}

bool GenerationHolds(fs::FileSystem& fs, const std::string& directory,
                     const std::vector<RenderedFile>& files) {
  const Result<fs::FileInfo> root = fs.Stat(directory);
  if (!root.ok() || !IsPublishedDirectory(*root)) return false;
  Tree tree;
  if (!ReadTree(fs, directory, "", tree).ok()) return false;
  const std::set<std::string> below = DirectoriesOf(files);
  if (tree.size() != files.size() + below.size()) return false;
  for (const std::string& name : below) {
    const auto found = tree.find(name);
    if (found == tree.end() || !IsPublishedDirectory(found->second)) return false;
  }
  for (const RenderedFile& file : files) {
    const auto found = tree.find(file.path);
    if (found == tree.end() || !SameAttributes(found->second, file, *root)) return false;
    if (!SameContent(fs, StrCat(directory, "/", file.path), file)) return false;
  }
  return true;
}

}  // namespace keyturn::delivery::internal
