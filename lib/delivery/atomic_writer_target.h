// What lies in a target directory, and its visible links. Internal to AtomicWriter.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "lib/base/result.h"
#include "lib/fs/file_system.h"

namespace keyturn::delivery::internal {

inline constexpr char kDataLink[] = "..data";
// Transient. Also the temporary name of a link that replaces a wrong one.
inline constexpr char kTemporaryLink[] = "..data_tmp";

struct TargetScan {
  std::optional<std::string> current;    // the generation that ..data names, if it is a directory
  std::vector<std::string> generations;  // every directory with a generation's name
  bool has_temporary = false;            // a leftover of any type
  bool data_is_foreign = false;          // ..data exists and is no symlink
  std::map<std::string, std::string> links;  // ours, that is, pointing below ..data: name → text
  std::set<std::string> foreign;             // every other name that does not start with ".."
};

// Lists `target`. What vanishes meanwhile is left out. ERRORS: those of List, Stat and ReadLink;
// then nothing may be concluded about what is unused.
Result<TargetScan> ScanTarget(fs::FileSystem& fs, const std::string& target);

// ALREADY_EXISTS when one of `names`, or ..data, is taken by something that is not ours.
Status CheckNamesAreFree(const TargetScan& scan, const std::string& target,
                         const std::set<std::string>& names);

// "..data/name".
std::string LinkText(const std::string& name);

// Creates the links of `names` that are missing, replaces wrong ones by rename (a reader never
// finds the name missing), then removes our other links. True when anything was changed.
// REQUIRES: `scan` is current and CheckNamesAreFree was OK.
Result<bool> FixLinks(fs::FileSystem& fs, const TargetScan& scan, const std::string& target,
                      const std::set<std::string>& names);

}  // namespace keyturn::delivery::internal
