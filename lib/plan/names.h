// The spellings of the Plan's enumerations.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string_view>
#include <utility>

#include "lib/plan/plan.h"

namespace keyturn::plan {

template <typename T, size_t N>
using Names = std::array<std::pair<std::string_view, T>, N>;

inline constexpr Names<Format, 10> kFormats = {{{"raw", Format::kRaw},
                                                {"json", Format::kJson},
                                                {"env", Format::kEnv},
                                                {"properties", Format::kProperties},
                                                {"yaml", Format::kYaml},
                                                {"files", Format::kFiles},
                                                {"dsn", Format::kDsn},
                                                {"pgpass", Format::kPgpass},
                                                {"mycnf", Format::kMycnf},
                                                {"pem", Format::kPem}}};

inline constexpr Names<IdentityType, 6> kIdentityTypes = {
    {{"webIdentity", IdentityType::kWebIdentity},
     {"podIdentity", IdentityType::kPodIdentity},
     {"container", IdentityType::kContainer},
     {"environment", IdentityType::kEnvironment},
     {"profile", IdentityType::kProfile},
     {"assumeRole", IdentityType::kAssumeRole}}};

inline constexpr Names<OnRevoked, 2> kOnRevoked = {
    {{"keep", OnRevoked::kKeep}, {"remove", OnRevoked::kRemove}}};

inline constexpr Names<Push, 2> kPush = {{{"auto", Push::kAuto}, {"off", Push::kOff}}};

template <typename T, size_t N>
constexpr std::string_view NameOf(const Names<T, N>& names, T value) {
  for (const auto& [name, candidate] : names) {
    if (candidate == value) return name;
  }
  return {};
}

constexpr std::string_view IdentityTypeName(IdentityType type) {
  return NameOf(kIdentityTypes, type);
}

}  // namespace keyturn::plan
