// SPDX-License-Identifier: Apache-2.0
#include "lib/net_cpprest/failure.h"

#include <optional>
#include <string>
#include <string_view>

#include <cpprest/http_msg.h>
#include <openssl/sslerr.h>

#include "lib/base/strings.h"

namespace keyturn::net {
namespace {

constexpr int kReasonMask = 0xFFF;  // of a packed OpenSSL error, which the library passes as code

Status HandshakeFailure(int code, const std::optional<Status>& certificate_error) {
  if (certificate_error) return AnnotateStatus(*certificate_error, "TLS handshake");
  if ((code & kReasonMask) == SSL_R_CERTIFICATE_VERIFY_FAILED) {
    return UnauthenticatedError("TLS handshake: the server's certificate does not verify");
  }
  return UnavailableError(
      "TLS handshake: it failed (the server offers no TLS version from 1.2 up, or none at all)");
}

// The library's texts are fixed but for the proxy's status code.
Status ProxyFailure(std::string_view text) {
  const auto status = ParseUnsigned<unsigned>(text.substr(text.rfind(' ') + 1));
  if (!status) return UnavailableError("ask the proxy for a tunnel: it refused");
  return UnavailableError(StrCat("ask the proxy for a tunnel: it answered ", *status,
                                 *status == 407 ? ": it wants other credentials" : ""));
}

Status FromText(std::string_view text) {
  if (text.starts_with("Expected a 200 response from proxy")) return ProxyFailure(text);
  if (text.find("resolv") != std::string_view::npos) {
    return UnavailableError("look up the host: it failed");
  }
  if (text.starts_with("Failed to connect")) {
    return UnavailableError("connect: refused or unreachable");
  }
  if (text.starts_with("Invalid HTTP status line")) {
    return DataLossError("the response is malformed: bad status line");
  }
  return UnavailableError("wait for the response: the connection was closed");
}

std::optional<std::string_view> Find(const HttpResponse& response, std::string_view name) {
  return response.headers.Get(name);
}

size_t HeaderBytes(const HttpResponse& response) {
  size_t size = 0;
  for (const auto& [name, value] : response.headers.fields()) {
    size += name.size() + value.size() + 4;
  }
  return size;
}

}  // namespace

Status HeadFailure(const std::exception_ptr& exception,
                   const std::optional<Status>& certificate_error) {
  try {
    std::rethrow_exception(exception);
  } catch (const web::http::http_exception& error) {
    const std::string_view text = error.what();
    if (!text.starts_with("Error in SSL handshake")) return FromText(text);
    return HandshakeFailure(error.error_code().value(), certificate_error);
  } catch (...) {
    return UnavailableError("wait for the response: the HTTP client library failed");
  }
}

Status BodyFailure(const std::exception_ptr&) {
  return DataLossError("the response is truncated or malformed");
}

Status CheckHead(const HttpResponse& response, const TransportLimits& limits, bool streams,
                 bool is_head_request) {
  if (response.status < 200 || response.status > 999) {
    return DataLossError("the response is malformed: it has no final status");
  }
  if (HeaderBytes(response) > limits.max_header_bytes) {
    return ResourceExhaustedError(
        StrCat("the response header exceeds ", limits.max_header_bytes, " bytes"));
  }
  const auto coding = Find(response, "Transfer-Encoding");
  const auto length_text = Find(response, "Content-Length");
  if (coding && (length_text || !EqualsIgnoreCaseAscii(*coding, "chunked"))) {
    return DataLossError("the response is malformed: contradicting or unknown framing");
  }
  if (!length_text) return OkStatus();
  const auto length = ParseUnsigned<uint64_t>(*length_text);
  if (!length) return DataLossError("the response is malformed: bad Content-Length");
  if (streams || is_head_request || *length <= limits.max_body_bytes) return OkStatus();
  return ResourceExhaustedError(
      StrCat("the response body exceeds ", limits.max_body_bytes, " bytes"));
}

}  // namespace keyturn::net
