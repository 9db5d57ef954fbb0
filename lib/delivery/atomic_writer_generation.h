// One generation: the directory that holds the files of one publication. Internal to AtomicWriter.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/random.h"
#include "lib/delivery/render.h"
#include "lib/fs/file_system.h"

namespace keyturn::delivery::internal {

inline constexpr mode_t kPublishedDirectoryMode = 0755;
// While it is being built nobody else may look into it.
inline constexpr mode_t kUnpublishedDirectoryMode = 0700;
// Length of a name that MakeGenerationName gives.
inline constexpr size_t kGenerationNameSize = 30;

// "..2026_11_23_10_00_00.a1b2c3d4": UTC and a random suffix, since clocks jump back.
std::string MakeGenerationName(WallTime now, Random& random);

// True for names of this form, with any suffix: also kubelet's own.
bool IsGenerationName(std::string_view name);

// The directories that `files` need, without the generation itself; parents before children.
std::set<std::string> DirectoriesOf(const std::vector<RenderedFile>& files);

// The first components: the names that readers see.
std::set<std::string> VisibleNames(const std::vector<RenderedFile>& files);

// Fills `directory`, which exists with kUnpublishedDirectoryMode, and opens it to readers as the
// last step. On error it stays as it is, for the caller to remove.
Status WriteGeneration(fs::FileSystem& fs, const std::string& directory,
                       const std::vector<RenderedFile>& files);

// True when `directory` holds exactly `files`: names, types, bytes, modes, owners. What cannot be
// read counts as different.
bool GenerationHolds(fs::FileSystem& fs, const std::string& directory,
                     const std::vector<RenderedFile>& files);

}  // namespace keyturn::delivery::internal
