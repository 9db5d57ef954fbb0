// SPDX-License-Identifier: Apache-2.0
#include "lib/net/server_response.h"

#include <algorithm>
#include <array>

#include "lib/base/strings.h"
#include "lib/base/time_format.h"

namespace keyturn::net::server {
namespace {

struct Reason {
  int status;
  std::string_view text;
};

// Source: https://www.iana.org/assignments/http-status-codes
constexpr std::array<Reason, 29> kReasons = {{
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
}};

std::string_view ReasonOf(int status) {
  const auto found = std::find_if(kReasons.begin(), kReasons.end(),
                                  [status](const Reason& r) { return r.status == status; });
  return found == kReasons.end() ? "Other" : found->text;
}

// Source: RFC 9110 §5.6.2.
bool IsTokenCharacter(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool IsValueCharacter(char c) {
  return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7F);
}

bool IsField(const std::string& name, const std::string& value) {
  return !name.empty() && std::all_of(name.begin(), name.end(), IsTokenCharacter) &&
         std::all_of(value.begin(), value.end(), IsValueCharacter);
}

bool IsOurs(std::string_view name) {
  return EqualsIgnoreCaseAscii(name, "Content-Length") || EqualsIgnoreCaseAscii(name, "Date") ||
         EqualsIgnoreCaseAscii(name, "Connection") ||
         EqualsIgnoreCaseAscii(name, "Transfer-Encoding");
}

// Source: RFC 9110 §6.4.1. A 304 may announce the length that a 200 would have; we do not know it.
bool HasNoContent(int status) {
  return status == 204 || status == 304;
}

}  // namespace

std::optional<std::string> SerializeResponse(const HttpResponse& response,
                                             const ResponseForm& form) {
  if (response.status < 200 || response.status > 599) return std::nullopt;
  const bool no_content = HasNoContent(response.status);
  std::string out;
  out.reserve(512 + (form.head ? 0 : response.body.size()));
  out += StrCat("HTTP/1.1 ", response.status, " ", ReasonOf(response.status), "\r\n");
  for (const auto& [name, value] : response.headers.fields()) {
    if (!IsField(name, value)) return std::nullopt;
    if (!IsOurs(name)) out += StrCat(name, ": ", value, "\r\n");
  }
  out += StrCat("Date: ", form.date, "\r\n");
  if (!no_content) out += StrCat("Content-Length: ", response.body.size(), "\r\n");
  if (!form.keep_alive) out += "Connection: close\r\n";
  if (form.keep_alive && form.http10) out += "Connection: keep-alive\r\n";
  out += "\r\n";
  if (!no_content && !form.head) out += response.body;
  return out;
}

HttpResponse PlainResponse(int status) {
  HttpResponse response;
  response.status = status;
  response.headers.Add("Content-Type", "text/plain");
  // Source: RFC 9110 §15.5.6: a 405 must list what is allowed.
  if (status == 405) response.headers.Add("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
  response.body = StrCat(ReasonOf(status), "\n");
  return response;
}

std::string_view DateText::Get(WallTime now) {
  const WallTime second = std::chrono::floor<std::chrono::seconds>(now);
  if (text_.empty() || second != second_) {
    second_ = second;
    text_ = FormatHttpDate(now);
  }
  return text_;
}

}  // namespace keyturn::net::server
