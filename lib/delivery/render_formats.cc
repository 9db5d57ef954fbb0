// SPDX-License-Identifier: Apache-2.0
#include "lib/delivery/render_formats.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <utility>

#include "lib/base/strings.h"

namespace keyturn::delivery::internal {
namespace {

// MariaDB reads an option file with fgets into 4096 bytes and takes the rest of a longer line for
// another option. Measured: 4,094 bytes and the line end still pass.
constexpr size_t kMaxOptionLine = 4093;
// Linux NAME_MAX.
constexpr size_t kMaxFileName = 255;

Status MemberError(const Status& status, const std::string& name) {
  return AnnotateStatus(status, StrCat("key ", QuoteForMessage(name)));
}

Result<std::string> EscapeMember(plan::Format format, const Field& member) {
  auto escaped = Escape(format, Placement::kBare, {member.text, true});
  if (!escaped.ok()) return MemberError(escaped.status(), member.name);
  return escaped;
}

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// One '_' for each character that no name has. Source: POSIX.1-2017 §3.235 Name.
std::string VariableName(std::string_view key) {
  std::string name;
  if (!key.empty() && key[0] >= '0' && key[0] <= '9') name += '_';
  for (const char c : key) {
    const bool continues = (static_cast<unsigned char>(c) & 0xC0U) == 0x80;  // of a UTF-8 sequence
    if (!continues) name += IsNameCharacter(c) ? c : '_';
  }
  return name;
}

// How to reach a database: the members that RDS writes into its secrets, and two usual synonyms.
// Source: Secrets Manager user guide, "JSON structure of AWS Secrets Manager secrets".
class Connection {
 public:
  explicit Connection(const Members& members) : members_(members) {}

  const Field* Find(std::string_view name) const {
    for (const std::string_view candidate : {name, Synonym(name)}) {
      for (const Field& member : members_) {
        if (member.name == candidate && !member.is_null) return &member;
      }
    }
    return nullptr;
  }

  Result<const Field*> Require(std::string_view name) const {
    const Field* member = Find(name);
    if (member == nullptr) return NotFoundError(StrCat("there is no key ", name));
    return member;
  }

  // Empty when there is none.
  Result<std::string> Port() const {
    const Field* port = Find("port");
    if (port == nullptr || port->text.empty()) return std::string();
    const auto number = ParseUnsigned<uint16_t>(port->text);
    if (!number || *number == 0) return InvalidArgumentError("key port is not a port number");
    return port->text;
  }

 private:
  static std::string_view Synonym(std::string_view name) {
    if (name == "username") return "user";
    return name == "dbname" ? "database" : name;
  }

  const Members& members_;
};

Result<std::string> RequireEscaped(const Connection& connection, std::string_view name,
                                   plan::Format format) {
  KEYTURN_ASSIGN_OR_RETURN(const Field* member, connection.Require(name));
  return EscapeMember(format, *member);
}

Result<std::string> SchemeOf(const Field& engine) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kSchemes = {{
      {"postgres", "postgresql"},
      {"postgresql", "postgresql"},
      {"aurora-postgresql", "postgresql"},
      {"mysql", "mysql"},
      {"mariadb", "mysql"},
      {"aurora", "mysql"},
      {"aurora-mysql", "mysql"},
      {"mongo", "mongodb"},
  }};
  for (const auto& [name, scheme] : kSchemes) {
    if (engine.text == name) return std::string(scheme);
  }
  return InvalidArgumentError(
      "key engine is none of postgres, postgresql, aurora-postgresql, mysql, mariadb, aurora, "
      "aurora-mysql, mongo");
}

// Source: RFC 3986 §3.2.2: an IPv6 address stands in brackets.
Result<std::string> HostPart(const Field& host) {
  KEYTURN_ASSIGN_OR_RETURN(const std::string encoded, EscapeMember(plan::Format::kDsn, host));
  const bool is_ipv6 = host.text.find(':') != std::string::npos &&
                       host.text.find_first_not_of("0123456789abcdefABCDEF:.") == std::string::npos;
  return is_ipv6 ? StrCat("[", host.text, "]") : encoded;
}

Status AppendOption(std::string& out, std::string_view option, const Field* member) {
  if (member == nullptr) return {};
  KEYTURN_ASSIGN_OR_RETURN(const std::string value, EscapeMember(plan::Format::kMycnf, *member));
  const std::string line = StrCat(option, "=", value);
  if (line.size() > kMaxOptionLine) {
    return InvalidArgumentError(
        StrCat("key ", QuoteForMessage(member->name), ": too long for an option file"));
  }
  out += StrCat(line, "\n");
  return {};
}

// The role of a member of a certificate export, by its name without case and separators.
enum class PemRole { kNone, kCertificate, kChain, kKey };

PemRole RoleOf(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, PemRole>, 18> kRoles = {{
      {"certificate", PemRole::kCertificate},
      {"cert", PemRole::kCertificate},
      {"crt", PemRole::kCertificate},
      {"tlscrt", PemRole::kCertificate},
      {"tlscert", PemRole::kCertificate},
      {"fullchain", PemRole::kCertificate},
      {"certificatechain", PemRole::kChain},
      {"certchain", PemRole::kChain},
      {"chain", PemRole::kChain},
      {"cachain", PemRole::kChain},
      {"cacrt", PemRole::kChain},
      {"cacert", PemRole::kChain},
      {"ca", PemRole::kChain},
      {"issuingca", PemRole::kChain},
      {"privatekey", PemRole::kKey},
      {"key", PemRole::kKey},
      {"tlskey", PemRole::kKey},
      {"certificatekey", PemRole::kKey},
  }};
  std::string plain = ToLowerAscii(name);
  std::erase_if(plain, [](char c) { return c == '_' || c == '-' || c == '.'; });
  for (const auto& [known, role] : kRoles) {
    if (plain == known) return role;
  }
  return PemRole::kNone;
}

}  // namespace

Result<std::string> FormatEnv(const Members& members) {
  std::string out;
  std::map<std::string, std::string> keys;  // by variable
  for (const Field& member : members) {
    const std::string name = VariableName(member.name);
    if (name.empty() || name == "_") {  // shells set $_ themselves
      return MemberError(InvalidArgumentError("gives no variable name"), member.name);
    }
    const auto [previous, is_new] = keys.emplace(name, member.name);
    if (!is_new) {
      return InvalidArgumentError(StrCat("keys ", QuoteForMessage(previous->second), " and ",
                                         QuoteForMessage(member.name), " both become variable ",
                                         QuoteForMessage(name)));
    }
    KEYTURN_ASSIGN_OR_RETURN(const std::string value, EscapeMember(plan::Format::kEnv, member));
    out += StrCat(name, "=", value, "\n");
  }
  return out;
}

Result<std::string> FormatProperties(const Members& members) {
  std::string out;
  for (const Field& member : members) {
    KEYTURN_ASSIGN_OR_RETURN(const std::string key, EscapePropertiesKey(member.name));
    KEYTURN_ASSIGN_OR_RETURN(const std::string value,
                             EscapeMember(plan::Format::kProperties, member));
    out += StrCat(key, "=", value, "\n");
  }
  return out;
}

Result<std::string> FormatDsn(const Members& members) {
  const Connection connection(members);
  KEYTURN_ASSIGN_OR_RETURN(const Field* engine, connection.Require("engine"));
  KEYTURN_ASSIGN_OR_RETURN(std::string out, SchemeOf(*engine));
  KEYTURN_ASSIGN_OR_RETURN(const std::string user,
                           RequireEscaped(connection, "username", plan::Format::kDsn));
  KEYTURN_ASSIGN_OR_RETURN(const std::string password,
                           RequireEscaped(connection, "password", plan::Format::kDsn));
  KEYTURN_ASSIGN_OR_RETURN(const Field* host, connection.Require("host"));
  KEYTURN_ASSIGN_OR_RETURN(const std::string host_part, HostPart(*host));
  KEYTURN_ASSIGN_OR_RETURN(const std::string port, connection.Port());
  out += StrCat("://", user, ":", password, "@", host_part);
  if (!port.empty()) out += StrCat(":", port);
  if (const Field* database = connection.Find("dbname"); database != nullptr) {
    KEYTURN_ASSIGN_OR_RETURN(const std::string name, EscapeMember(plan::Format::kDsn, *database));
    out += StrCat("/", name);
  }
  return out;
}

Result<std::string> FormatPgpass(const Members& members) {
  const Connection connection(members);
  KEYTURN_ASSIGN_OR_RETURN(std::string out,
                           RequireEscaped(connection, "host", plan::Format::kPgpass));
  KEYTURN_ASSIGN_OR_RETURN(const std::string port, connection.Port());
  out += StrCat(":", port.empty() ? "*" : port, ":");
  const bool has_database = connection.Find("dbname") != nullptr;
  KEYTURN_ASSIGN_OR_RETURN(const std::string database,
                           has_database
                               ? RequireEscaped(connection, "dbname", plan::Format::kPgpass)
                               : Result<std::string>("*"));
  KEYTURN_ASSIGN_OR_RETURN(const std::string user,
                           RequireEscaped(connection, "username", plan::Format::kPgpass));
  KEYTURN_ASSIGN_OR_RETURN(const std::string password,
                           RequireEscaped(connection, "password", plan::Format::kPgpass));
  return out + StrCat(database, ":", user, ":", password, "\n");
}

Result<std::string> FormatMycnf(const Members& members) {
  const Connection connection(members);
  KEYTURN_ASSIGN_OR_RETURN(const Field* user, connection.Require("username"));
  KEYTURN_ASSIGN_OR_RETURN(const Field* password, connection.Require("password"));
  KEYTURN_ASSIGN_OR_RETURN(const std::string port, connection.Port());
  std::string out = "[client]\n";
  KEYTURN_RETURN_IF_ERROR(AppendOption(out, "user", user));
  KEYTURN_RETURN_IF_ERROR(AppendOption(out, "password", password));
  KEYTURN_RETURN_IF_ERROR(AppendOption(out, "host", connection.Find("host")));
  if (!port.empty()) out += StrCat("port=", port, "\n");
  if (const Field* database = connection.Find("dbname"); database != nullptr) {
    out += "\n[mysql]\n";
    KEYTURN_RETURN_IF_ERROR(AppendOption(out, "database", database));
  }
  return out;
}

Status CheckFileName(std::string_view name) {
  const bool has_control = std::any_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
  });
  if (!name.empty() && name.size() <= kMaxFileName && name != "." && !name.starts_with("..") &&
      name.find('/') == std::string_view::npos && !has_control) {
    return {};
  }
  return InvalidArgumentError(StrCat(
      "key ", QuoteForMessage(name),
      " is no file name: it may not be empty, \".\", begin with \"..\", hold '/' or a control "
      "character, or exceed 255 bytes"));
}

Result<std::string> JoinPemMembers(const Members& members) {
  std::string certificate;
  std::string others;
  for (const Field& member : members) {
    const PemRole role = RoleOf(member.name);
    if (role == PemRole::kNone) continue;
    (role == PemRole::kCertificate ? certificate : others) += StrCat(member.text, "\n");
  }
  if (certificate.empty()) return NotFoundError("there is no key certificate, cert or tls.crt");
  return certificate + others;
}

}  // namespace keyturn::delivery::internal
