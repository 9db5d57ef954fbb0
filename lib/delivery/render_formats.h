// The formats that need no JSON: from members or text to files. Internal to rendering.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "lib/base/result.h"
#include "lib/delivery/render_document.h"

namespace keyturn::delivery::internal {

// Errors name the member ("key host: …"), not the source.
using Members = std::vector<Field>;

// KEY='value' lines for `set -a; . file` of a POSIX shell. Characters that no variable name has
// become '_'. ERRORS: INVALID_ARGUMENT for NUL, for two keys that become one name and for a key
// that becomes "" or "_".
Result<std::string> FormatEnv(const Members& members);

// Source: java.util.Properties.load: ISO 8859-1, everything else as \uXXXX.
Result<std::string> FormatProperties(const Members& members);

// engine://username:password@host:port/dbname as PostgreSQL's and MySQL's clients read it. Members
// as in the secrets that RDS makes. ERRORS: NOT_FOUND without engine, host, username or password.
Result<std::string> FormatDsn(const Members& members);

// One line of PostgreSQL's password file; a missing port or dbname matches any.
Result<std::string> FormatPgpass(const Members& members);

// An option file of MySQL and MariaDB. The database is in [mysql], because in [client] it stops
// tools that have no such option (mysqladmin).
Result<std::string> FormatMycnf(const Members& members);

// OK when `name` can be a file of a published directory.
Status CheckFileName(std::string_view name);

// The text of a PEM bundle from the members of a certificate export (ACM's, cert-manager's and
// Vault's names). ERRORS: NOT_FOUND without a certificate.
Result<std::string> JoinPemMembers(const Members& members);

}  // namespace keyturn::delivery::internal
