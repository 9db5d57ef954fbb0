// The INI dialect of ~/.aws/credentials and ~/.aws/config.
// Source: https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "lib/base/result.h"
#include "lib/base/secret_bytes.h"

namespace keyturn::aws {

// Setting name in lower case → value without surrounding blanks and comments.
using IniSection = std::map<std::string, SecretBytes, std::less<>>;
// Section name as between the brackets, blanks collapsed: "default", "profile app".
using IniFile = std::map<std::string, IniSection, std::less<>>;

// Lines are "[section]", "name = value", comments (# or ;) or, indented below a setting, nested
// settings, which are skipped. A section or setting that occurs twice is refused: the SDKs disagree
// on which one counts. ERRORS: INVALID_ARGUMENT "line 3: …". SECURITY: never quotes a line.
Result<IniFile> ParseProfileIni(std::string_view text);

}  // namespace keyturn::aws
