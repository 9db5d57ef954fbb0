// SPDX-License-Identifier: Apache-2.0
#include "lib/aws/credentials/provider_util.h"

#include <unistd.h>

#include <algorithm>
#include <array>

#include "lib/base/strings.h"

namespace keyturn::aws {
namespace {

constexpr size_t kMaxSessionNameSize = 64;

bool IsControl(char character) {
  const auto byte = static_cast<unsigned char>(character);
  return byte < 0x20 || byte == 0x7F;
}

bool IsSessionNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_+=,.@-").find(c) != std::string_view::npos;
}

std::string HostName(const config::Environment& environment) {
  if (auto name = environment.Get("HOSTNAME")) return *std::move(name);
  std::array<char, 256> buffer{};
  if (gethostname(buffer.data(), buffer.size() - 1) != 0) return "unknown";
  return buffer.data();
}

}  // namespace

Status ConfiguredSourceError(const Status& status, std::string_view context) {
  const bool not_found = status.code() == StatusCode::kNotFound;
  return {not_found ? StatusCode::kFailedPrecondition : status.code(),
          StrCat(context, ": ", status.message())};
}

Result<SecretBytes> ReadTokenFile(fs::FileSystem& file_system, const std::string& path) {
  const std::string context = StrCat("reading token file ", QuoteForMessage(path, 512));
  Result<SecretBytes> content = file_system.ReadFile(path, kMaxTokenBytes);
  if (!content.ok()) return ConfiguredSourceError(content.status(), context);
  if (content->empty()) return FailedPreconditionError(context + ": the file is empty");
  return content;
}

bool IsHeaderSafe(std::string_view text) {
  return std::none_of(text.begin(), text.end(), IsControl);
}

bool IsKeySafe(std::string_view text) {
  return IsHeaderSafe(text) && text.find(' ') == std::string_view::npos;
}

std::string DefaultSessionName(const config::Environment& environment) {
  std::string name = "keyturn-" + HostName(environment);
  name.resize(std::min(name.size(), kMaxSessionNameSize));
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !IsSessionNameCharacter(c); }, '-');
  return name;
}

}  // namespace keyturn::aws
