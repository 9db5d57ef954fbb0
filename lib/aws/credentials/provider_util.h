// What several credential providers need: token files, session names, the rule on NOT_FOUND.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "lib/base/result.h"
#include "lib/base/secret_bytes.h"
#include "lib/config/environment.h"
#include "lib/fs/file_system.h"

namespace keyturn::aws {

// The longest WebIdentityToken that STS takes; container tokens are of the same kind.
// Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
inline constexpr size_t kMaxTokenBytes = 20'000;

// A failure of a source that is configured: "context: …", and NOT_FOUND becomes
// FAILED_PRECONDITION, because NOT_FOUND would make a chain go on to another identity.
Status ConfiguredSourceError(const Status& status, std::string_view context);

// The content of a token file as it is. ERRORS: never NOT_FOUND; FAILED_PRECONDITION when missing
// or empty, RESOURCE_EXHAUSTED beyond kMaxTokenBytes. Messages name the file, never its content.
Result<SecretBytes> ReadTokenFile(fs::FileSystem& file_system, const std::string& path);

// True if `text` may stand in an HTTP header field: no control bytes (CR and LF above all).
bool IsHeaderSafe(std::string_view text);

// True if `text` can be a key id or a secret key: IsHeaderSafe and no blanks, which copying adds.
bool IsKeySafe(std::string_view text);

// "keyturn-<host name>": HOSTNAME if set (the pod's name in Kubernetes), else gethostname(2). Other
// than [A-Za-z0-9_+=,.@-] becomes '-'; at most 64 characters. The name appears in the role's audit
// trail. Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
std::string DefaultSessionName(const config::Environment& environment);

}  // namespace keyturn::aws
