// The Beast transport with its name look-up open to replacement, for tests of silent name servers.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "lib/net/http_transport.h"
#include "lib/net/resolver.h"

namespace keyturn::net {

// As CreateBeastTransport, with `lookup` in place of getaddrinfo.
Result<std::unique_ptr<HttpTransport>> CreateBeastTransportWithLookup(TransportOptions options,
                                                                      LookupFunction lookup);

}  // namespace keyturn::net
