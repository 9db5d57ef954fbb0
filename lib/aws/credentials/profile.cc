// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <utility>

#include "lib/aws/credentials/profile_ini.h"
#include "lib/aws/credentials/provider_util.h"
#include "lib/aws/credentials/providers.h"
#include "lib/base/strings.h"

namespace keyturn::aws {
namespace {

// Far beyond any real file, so that a wrong path cannot fill the memory.
constexpr size_t kMaxProfileFileBytes = 256 * 1024;

// Settings that name another source of credentials. Ignoring one would use the wrong identity.
constexpr std::array<std::string_view, 10> kUnsupportedSettings = {
    "credential_process",     "sso_session",   "sso_start_url",
    "sso_account_id",         "sso_role_name", "source_profile",
    "credential_source",      "role_arn",      "login_session",
    "web_identity_token_file"};

// One of the two files, and what its section for a profile is called.
struct ProfileFile {
  std::string path;  // empty: HOME is not set
  std::string section;
  std::string alternative_section;
};

std::string_view Text(const IniSection& section, std::string_view name) {
  const auto found = section.find(name);
  if (found == section.end()) return {};
  return found->second.Reveal(InsecureSecretAccess::Get());
}

const IniSection* FindSection(const IniFile& ini, const ProfileFile& file) {
  auto found = ini.find(file.section);
  if (found == ini.end()) found = ini.find(file.alternative_section);
  return found == ini.end() ? nullptr : &found->second;
}

class ProfileProvider final : public CredentialsProvider {
 public:
  ProfileProvider(const ProviderRuntime& runtime, std::string profile)
      : file_system_(*runtime.file_system), profile_(std::move(profile)) {
    const config::Environment& environment = *runtime.environment;
    if (profile_.empty()) profile_ = environment.GetOr("AWS_PROFILE", "");
    is_chosen_ = !profile_.empty();
    if (!is_chosen_) profile_ = "default";
    const auto path = [&environment](std::string_view variable, std::string_view name) {
      if (auto set = environment.Get(variable)) return *std::move(set);
      const auto home = environment.Get("HOME");
      return home ? StrCat(*home, "/.aws/", name) : std::string();
    };
    const std::string prefixed = "profile " + profile_;
    files_[0] = {path("AWS_SHARED_CREDENTIALS_FILE", "credentials"), profile_, profile_};
    // Only "default" may stand in the config file without "profile".
    files_[1] = {path("AWS_CONFIG_FILE", "config"), prefixed,
                 profile_ == "default" ? profile_ : prefixed};
  }

  Result<std::shared_ptr<const Credentials>> GetCredentials(const CallContext&) override {
    std::shared_ptr<const Credentials> found;
    bool exists = false;
    for (const ProfileFile& file : files_) {
      KEYTURN_ASSIGN_OR_RETURN(const IniFile ini, Read(file));
      const IniSection* section = FindSection(ini, file);
      if (section == nullptr) continue;
      exists = true;
      // Both files are checked before either counts: a role in the one goes with keys in the other.
      KEYTURN_RETURN_IF_ERROR(CheckSupported(*section, file));
      if (found != nullptr || !HasKeys(*section)) continue;
      KEYTURN_ASSIGN_OR_RETURN(found, FromSection(*section, file));
    }
    if (found != nullptr) return found;
    return Missing(exists);
  }

  std::string Describe() const override {
    return StrCat("profile '", QuoteForMessage(profile_), "'");
  }

 private:
  Result<IniFile> Read(const ProfileFile& file) const {
    if (file.path.empty()) return IniFile();
    Result<SecretBytes> bytes = file_system_.ReadFile(file.path, kMaxProfileFileBytes);
    if (bytes.status().code() == StatusCode::kNotFound) return IniFile();
    if (!bytes.ok()) return Error(file, bytes.status());
    Result<IniFile> ini = ParseProfileIni(bytes->Reveal(InsecureSecretAccess::Get()));
    if (!ini.ok()) return Error(file, ini.status());
    return ini;
  }

  Status Error(const ProfileFile& file, const Status& status) const {
    return ConfiguredSourceError(status,
                                 StrCat(Describe(), " in ", QuoteForMessage(file.path, 512)));
  }

  Status CheckSupported(const IniSection& section, const ProfileFile& file) const {
    for (const std::string_view name : kUnsupportedSettings) {
      if (Text(section, name).empty()) continue;
      return Error(file, FailedPreconditionError(
                             StrCat("has ", name, ", but only static keys are supported")));
    }
    return OkStatus();
  }

  static bool HasKeys(const IniSection& section) {
    return !Text(section, "aws_access_key_id").empty() ||
           !Text(section, "aws_secret_access_key").empty();
  }

  Result<std::shared_ptr<const Credentials>> FromSection(const IniSection& section,
                                                         const ProfileFile& file) const {
    for (const std::string_view name : {"aws_access_key_id", "aws_secret_access_key"}) {
      if (Text(section, name).empty()) {
        return Error(file, FailedPreconditionError(StrCat("has no ", name)));
      }
    }
    for (const std::string_view name :
         {"aws_access_key_id", "aws_secret_access_key", "aws_session_token"}) {
      if (!IsKeySafe(Text(section, name))) {
        return Error(file, FailedPreconditionError(StrCat(name, " holds a blank")));
      }
    }
    auto credentials = std::make_shared<Credentials>();
    credentials->access_key_id = Text(section, "aws_access_key_id");
    credentials->secret_access_key = SecretBytes(Text(section, "aws_secret_access_key"));
    credentials->session_token = SecretBytes(Text(section, "aws_session_token"));
    credentials->account_id = Text(section, "aws_account_id");
    return std::shared_ptr<const Credentials>(std::move(credentials));
  }

  Status Missing(bool exists) const {
    const std::string why = StrCat(Describe(), exists ? " has no keys in " : " is not in ",
                                   PathForMessage(0), " or ", PathForMessage(1));
    if (is_chosen_) return FailedPreconditionError(why);
    return NotFoundError(StrCat(why,
                                " (AWS_PROFILE, AWS_SHARED_CREDENTIALS_FILE and "
                                "AWS_CONFIG_FILE select others)"));
  }

  std::string PathForMessage(size_t index) const {
    const std::string& path = files_.at(index).path;
    if (!path.empty()) return QuoteForMessage(path, 512);
    return index == 0 ? "~/.aws/credentials (HOME is not set)" : "~/.aws/config";
  }

  fs::FileSystem& file_system_;
  std::string profile_;
  bool is_chosen_ = false;  // by name: its absence is then an error, not a reason to look further
  std::array<ProfileFile, 2> files_;
};

}  // namespace

std::unique_ptr<CredentialsProvider> CreateProfileProvider(const ProviderRuntime& runtime,
                                                           std::string profile) {
  return std::make_unique<ProfileProvider>(runtime, std::move(profile));
}

}  // namespace keyturn::aws
