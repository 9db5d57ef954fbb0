// Requests as they go over the wire, and the refusal of those that would smuggle.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "lib/base/result.h"
#include "lib/net/http_types.h"
#include "lib/net/proxy.h"

namespace keyturn::net {

// "host:port", always with the port: how messages name a server.
std::string Endpoint(const Url& url);

// OK when `request` may be sent. ERRORS: INVALID_ARGUMENT for a method that is no token, a target,
// host, header name or value with characters that could end a line, and for header fields that
// would change the framing (Transfer-Encoding, Expect, Upgrade, Trailer).
Status CheckRequest(const HttpRequest& request);

// True for the fields that the transport writes itself: Host, Content-Length, Connection.
bool IsTransportField(std::string_view name);

// Head and body. `proxy` is null except for requests in absolute form.
// REQUIRES: CheckRequest(request) is OK. SECURITY: cleanse the text after use.
std::string SerializeRequest(const HttpRequest& request, const Proxy* proxy);

// The request that opens a tunnel to `url`.
std::string SerializeConnect(const Url& url, const Proxy& proxy);

}  // namespace keyturn::net
