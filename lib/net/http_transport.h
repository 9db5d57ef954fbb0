// HttpTransport: one blocking HTTP exchange. Implemented over Boost.Beast (lib/net) and cpprestsdk
// (lib/net_cpprest); tests/conformance runs one suite over both.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "lib/base/call_context.h"
#include "lib/base/log.h"
#include "lib/base/result.h"
#include "lib/net/http_types.h"

namespace keyturn::net {

// Takes a part of a response body; a failed Status ends the exchange with that Status.
using BodySink = std::function<Status(std::string_view part)>;

// Sends a request and reads the whole response.
//
// Redirects are never followed: a 3xx is the answer. 1xx answers are skipped (101 is an error). A
// request on a reused connection that the server closed before any answer byte is sent once more on
// a new connection; every other failure is returned.
//
// ERRORS: DEADLINE_EXCEEDED when `context.deadline` passes (name look-up, connect, handshake and
// body included); CANCELLED on a stop request; UNAVAILABLE for look-up, connect and connection
// failures; UNAUTHENTICATED when the server's certificate or name does not verify;
// RESOURCE_EXHAUSTED when headers or body exceed the limits; DATA_LOSS for a truncated or malformed
// response. Messages name host and port, never headers or bodies. THREAD: safe; concurrent calls
// use separate connections. INVALID_ARGUMENT for a request that could not be sent as it is: a
// malformed method, URL or header, or a header field that would change the framing.
class HttpTransport {
 public:
  virtual ~HttpTransport() = default;
  virtual Result<HttpResponse> Send(const HttpRequest& request, const CallContext& context,
                                    const BodySink* sink = nullptr) = 0;
};

// Which proxy a request goes through; empty URLs mean none. Proxies are HTTP ones, spoken to in the
// clear; user information becomes Proxy-Authorization. The rules of curl's environment variables:
// NO_PROXY is a comma list of host suffixes, IP addresses, CIDR blocks or "*", with ":port" if
// wanted.
struct ProxySettings {
  std::string https_proxy;  // for https URLs: CONNECT through it
  std::string http_proxy;   // for http URLs: absolute-form requests
  std::string no_proxy;
};

struct ClientTlsSettings {
  // PEM certificates to trust. When empty: `ca_path`.
  std::string ca_pem;
  // A hashed directory or a bundle file; used when ca_pem is empty.
  std::string ca_path = "/etc/ssl/certs";
};

struct TransportLimits {
  size_t max_header_bytes = 64 * 1024;
  // Of HttpResponse::body. A sink sets its own limit: a watch runs for hours and keeps nothing.
  size_t max_body_bytes = 8 * 1024 * 1024;  // 20 secrets of 64 KiB in base64 are 1.75 MB
  // Upper bound of each step (look-up, connect, proxy tunnel, handshake), within the deadline;
  // UNAVAILABLE when it passes. AWS SDKs' "standard" defaults use 3.1 s for connect.
  std::chrono::milliseconds connect_timeout{5'000};
  // Idle connections older than this are not reused; AWS closes after 20 s or more.
  std::chrono::milliseconds idle_timeout{15'000};
};

struct TransportOptions {
  ProxySettings proxy;
  ClientTlsSettings tls;
  TransportLimits limits;
  const Clock* clock = nullptr;  // REQUIRED; outlives the transport
};

// ERRORS: INVALID_ARGUMENT for a bad proxy URL or CA.
Result<std::unique_ptr<HttpTransport>> CreateBeastTransport(TransportOptions options);

}  // namespace keyturn::net
