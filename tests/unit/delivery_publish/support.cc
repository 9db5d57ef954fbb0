// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/delivery_publish/support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <map>

#include "lib/base/check.h"
#include "lib/base/strings.h"
#include "lib/base/unique_fd.h"

namespace keyturn::testing {
namespace {

std::string Errno() {
  return StrCat("<errno: ", ::strerrordesc_np(errno), ">");
}

// "file 444 0:0 content", "dir 755".
std::string Describe(const std::string& path) {
  struct stat info {};

  if (::lstat(path.c_str(), &info) != 0) return Errno();
  std::array<char, 16> mode{};
  std::snprintf(mode.data(), mode.size(), "%o", info.st_mode & 07777U);
  if (S_ISDIR(info.st_mode)) return StrCat("dir ", mode.data());
  if (!S_ISREG(info.st_mode)) return "neither file nor directory";
  return StrCat("file ", mode.data(), " ", info.st_uid, ":", info.st_gid, " ", Slurp(path));
}

std::string DescribeExpected(const FileSpec& file, const std::string& generation) {
  struct stat info {};

  (void)::stat(generation.c_str(), &info);
  std::array<char, 16> mode{};
  std::snprintf(mode.data(), mode.size(), "%o", file.mode);
  return StrCat("file ", mode.data(), " ", file.uid.value_or(info.st_uid), ":",
                file.gid.value_or(info.st_gid), " ", file.content);
}

std::map<std::string, std::string> DescribeTree(const std::string& directory) {
  std::map<std::string, std::string> tree;
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory, error)) {
    tree[entry.path().lexically_relative(directory).string()] = Describe(entry.path().string());
  }
  return tree;
}

std::string Difference(const std::string& name, const std::string& found,
                       const std::string& expected) {
  return StrCat(name, ": is \"", found.substr(0, 80), "\" instead of \"", expected.substr(0, 80),
                "\"\n");
}

std::string DiffMaps(const std::map<std::string, std::string>& found,
                     const std::map<std::string, std::string>& expected) {
  std::string out;
  for (const auto& [name, text] : expected) {
    const auto it = found.find(name);
    if (it == found.end()) out += Difference(name, "<missing>", text);
    if (it != found.end() && it->second != text) out += Difference(name, it->second, text);
  }
  for (const auto& [name, text] : found) {
    if (expected.count(name) == 0) out += Difference(name, text, "<nothing>");
  }
  return out;
}

}  // namespace

std::vector<delivery::RenderedFile> Render(const Payload& payload) {
  std::vector<delivery::RenderedFile> files;
  for (const FileSpec& spec : payload) {
    files.push_back({spec.path, SecretBytes(spec.content), spec.mode, spec.uid, spec.gid});
  }
  return files;
}

TmpfsDirectory::TmpfsDirectory() : path_("/dev/shm/keyturn-publish-XXXXXX") {
  KEYTURN_CHECK(::mkdtemp(path_.data()) != nullptr);
  // Other users of the tests read below it.
  KEYTURN_CHECK(::chmod(path_.c_str(), 0755) == 0);
}

TmpfsDirectory::~TmpfsDirectory() {
  std::error_code error;
  std::filesystem::remove_all(path_, error);
}

Publisher::Publisher(fs::FileSystem& file_system, uint64_t seed, delivery::Wiper::Options options)
    : fs_(file_system), random_(seed) {
  (void)::signal(SIGIO, SIG_IGN);  // REQUIRED by the Wiper
  wiper_ = delivery::CreateWiper(fs_, clock_, logger_, metrics_, options);
}

Result<std::unique_ptr<delivery::AtomicWriter>> Publisher::Create(const std::string& target,
                                                                  bool allow_disk,
                                                                  Sleeper* sleeper) {
  if (sleeper == nullptr) sleeper = &clock_;
  return delivery::AtomicWriter::Create({&fs_, &clock_, &random_, &logger_, wiper_.get(), sleeper},
                                        {target, allow_disk});
}

double Publisher::wiped(const std::string& result) {
  return metrics_.GetCounter("keyturn_wipe_files_total", "", {{"result", result}}).value();
}

Result<delivery::PublishResult> PublishOnce(const std::string& target, const Payload& payload,
                                            uint64_t seed) {
  const std::unique_ptr<fs::FileSystem> fs = fs::CreatePosixFileSystem();
  Publisher publisher(*fs, seed);
  KEYTURN_ASSIGN_OR_RETURN(const auto writer, publisher.Create(target));
  return writer->Publish(Render(payload));
}

std::string Slurp(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return Errno();
  std::string out;
  std::array<char, 65'536> buffer{};
  while (true) {
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0) return Errno();
    if (got == 0) return out;
    out.append(buffer.data(), static_cast<size_t>(got));
  }
}

void Spill(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

std::set<std::string> Names(const std::string& directory) {
  std::set<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    names.insert(entry.path().filename().string());
  }
  return names;
}

std::string LinkTextOf(const std::string& path) {
  std::error_code error;
  const auto text = std::filesystem::read_symlink(path, error);
  return error ? StrCat("<", error.message(), ">") : text.string();
}

std::string DiffGeneration(const std::string& target, const Payload& payload) {
  const std::string generation = StrCat(target, "/..data");
  std::map<std::string, std::string> expected;
  for (const FileSpec& file : payload) {
    expected[file.path] = DescribeExpected(file, generation);
    for (size_t at = file.path.find('/'); at != std::string::npos;
         at = file.path.find('/', at + 1)) {
      expected[file.path.substr(0, at)] = "dir 755";
    }
  }
  const std::string real = StrCat(target, "/", LinkTextOf(generation));
  if (Describe(real) != "dir 755") return StrCat("generation ", real, ": ", Describe(real), "\n");
  return DiffMaps(DescribeTree(real), expected);
}

std::string DiffVisible(const std::string& target, const Payload& payload) {
  std::string out;
  for (const FileSpec& file : payload) {
    const std::string found = Slurp(StrCat(target, "/", file.path));
    if (found != file.content) out += Difference(file.path, found, file.content);
  }
  return out;
}

std::string DiffVolume(const std::string& target, const Payload& payload,
                       const std::set<std::string>& extra) {
  std::string out = DiffGeneration(target, payload) + DiffVisible(target, payload);
  std::set<std::string> expected = {"..data", LinkTextOf(StrCat(target, "/..data"))};
  for (const FileSpec& file : payload) {
    const std::string name = file.path.substr(0, file.path.find('/'));
    expected.insert(name);
    const std::string text = LinkTextOf(StrCat(target, "/", name));
    if (text != StrCat("..data/", name)) out += Difference(name, text, StrCat("..data/", name));
  }
  expected.insert(extra.begin(), extra.end());
  const std::set<std::string> found = Names(target);
  for (const std::string& name : found) {
    if (expected.count(name) == 0) out += StrCat(name, ": left over\n");
  }
  for (const std::string& name : expected) {
    if (found.count(name) == 0) out += StrCat(name, ": missing\n");
  }
  return out;
}

const std::vector<Scenario>& Scenarios() {
  static const auto* const scenarios = new std::vector<Scenario>{
      {"First", std::nullopt, {{"a", "1"}, {"d/b", "2"}, {"d/e/c", "3", 0440}}},
      {"Update", Payload{{"a", "old"}, {"d/b", "same"}}, {{"a", "new"}, {"d/b", "same"}}},
      {"Add", Payload{{"a", "1"}}, {{"a", "1"}, {"b", "2"}, {"d/c", "3"}}},
      {"Remove", Payload{{"a", "1"}, {"b", "2"}, {"d/c", "3"}}, {{"a", "1"}}},
      {"AddAndRemove", Payload{{"a", "1"}, {"x", "2"}}, {{"a", "2"}, {"y", "3"}}},
      {"NoChange", Payload{{"a", "1"}, {"d/b", "2"}}, {{"a", "1"}, {"d/b", "2"}}},
      {"ModeOnly", Payload{{"a", "1", 0444}}, {{"a", "1", 0400}}},
      {"FileToDirectory", Payload{{"a", "1"}, {"b", "2"}}, {{"a/b", "1"}, {"b", "2"}}},
      {"DirectoryToFile", Payload{{"a/b", "1"}, {"b", "2"}}, {{"a", "1"}, {"b", "2"}}},
      {"DeleteAll", Payload{{"a", "1"}, {"d/b", "2"}}, {}},
  };
  return *scenarios;
}

}  // namespace keyturn::testing
