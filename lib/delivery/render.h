// Rendering: from secret values to the bytes of files.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/result.h"
#include "lib/base/secret_bytes.h"
#include "lib/delivery/fetch.h"
#include "lib/plan/plan.h"

namespace keyturn::delivery {

// One file of a generation. `path` is relative to the target and clean.
struct RenderedFile {
  std::string path;
  SecretBytes content;
  uint32_t mode = 0444;
  std::optional<uint32_t> uid;
  std::optional<uint32_t> gid;
};

// The values that one file needs: under "" for `from`, under its name for each of `with`.
using RenderInputs = std::map<std::string, FetchedPtr>;

// Renders one entry of a Plan: one file, or several for the formats `files` and `pem`.
// ERRORS: NOT_FOUND for a missing key ("file app.conf: secret prod/db has no key /password"),
// INVALID_ARGUMENT for a value that the format cannot carry (a newline in .pgpass, NUL in env,
// invalid UTF-8 in JSON) and for a malformed template. SECURITY: no message holds a value or a part
// of one.
Result<std::vector<RenderedFile>> RenderFile(const plan::File& file, const RenderInputs& inputs);

}  // namespace keyturn::delivery
