// SPDX-License-Identifier: Apache-2.0
#include <set>

#include "lib/base/strings.h"
#include "lib/delivery/atomic_writer.h"

namespace keyturn::delivery {
namespace {

// Bytes, as in Linux' PATH_MAX and NAME_MAX and in kubelet.
constexpr size_t kMaxPath = 4096;
constexpr size_t kMaxComponent = 255;
// Permission bits. More would be lost by chown(2), so that every later comparison would differ.
constexpr uint32_t kMaxMode = 0777;

Status Invalid(std::string_view path, std::string_view why) {
  return InvalidArgumentError(StrCat("file path \"", QuoteForMessage(path), "\": ", why));
}

// Joins the components that mean something. ".." is no component that cleaning may resolve: a path
// that needs it is a mistake or an attack.
Result<std::string> CleanPath(std::string_view path) {
  if (path.substr(0, 1) == "/") return Invalid(path, "must be relative");
  if (path.find('\0') != std::string_view::npos) return Invalid(path, "contains a NUL byte");
  std::string clean;
  for (const std::string_view component : Split(path, '/')) {
    if (component.empty() || component == ".") continue;
    if (component == "..") return Invalid(path, "must not contain \"..\"");
    if (component.size() > kMaxComponent) {
      return Invalid(path, StrCat("a component is longer than ", kMaxComponent, " bytes"));
    }
    if (!clean.empty()) clean += '/';
    clean += component;
  }
  if (clean.empty()) return Invalid(path, "names no file");
  if (clean.size() > kMaxPath) {
    return Invalid(path, StrCat("is longer than ", kMaxPath, " bytes"));
  }
  if (clean.substr(0, 2) == "..") {
    return Invalid(path, "must not start with \"..\", which is reserved");
  }
  return clean;
}

// Some proper prefix of `path` that is a file, or empty.
std::string FileAbove(const std::set<std::string>& files, const std::string& path) {
  for (size_t slash = path.find('/'); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    if (const auto found = files.find(path.substr(0, slash)); found != files.end()) return *found;
  }
  return {};
}

}  // namespace

Status ValidatePayload(std::vector<RenderedFile>& files) {
  std::set<std::string> paths;
  for (RenderedFile& file : files) {
    KEYTURN_ASSIGN_OR_RETURN(std::string clean, CleanPath(file.path));
    if (!paths.insert(clean).second) return Invalid(file.path, "is given twice");
    if (file.mode > kMaxMode) return Invalid(file.path, "mode has bits beyond 0777");
    file.path = std::move(clean);
  }
  for (const std::string& path : paths) {
    if (const std::string above = FileAbove(paths, path); !above.empty()) {
      return Invalid(path, StrCat("\"", QuoteForMessage(above), "\" is a file already"));
    }
  }
  return OkStatus();
}

}  // namespace keyturn::delivery
