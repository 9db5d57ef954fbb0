// CpprestTransport: HttpTransport over cpprestsdk's http_client, for dynamic programs.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "lib/net/http_transport.h"
#include "lib/net/resolver.h"

namespace keyturn::net {

// The contract of HttpTransport, as far as cpprestsdk 2.10.18 can keep it. URLs and proxies with
// an IPv6 literal go through the Beast transport, because the library cannot reach them.
//
// What differs from the Beast transport:
//  - Any 1xx answer is DATA_LOSS: the library takes it for the final answer.
//  - A chunk length that no memory can hold ends at the deadline instead of with DATA_LOSS; without
//    a deadline such a call ends after five minutes.
//  - A response head, and a single chunk, are measured only once they are in memory; an endless one
//    is bounded by the deadline alone. Bytes between chunks and chunk ends are not checked.
//  - `limits.connect_timeout` bounds the name look-up only; connect and handshake end at the
//    deadline. `limits.idle_timeout` is the library's own: 30 to 60 s. What a server closes in
//    that time costs one silent re-send, so requests must carry an idempotency token.
//  - Repeated header fields are joined with ", ", and their order is lost.
//  - Each tunnel through a proxy leaks 32 bytes inside the library.
//  - Bodies without chunks reach a sink in pieces of 64 KiB.
//
// REQUIRES: InitializeCpprest() was called first in main; its runtime outlives the transport.
// ERRORS: INVALID_ARGUMENT for a bad proxy URL or CA.
Result<std::unique_ptr<HttpTransport>> CreateCpprestTransport(TransportOptions options);

// The same with `lookup` in place of getaddrinfo for the check that precedes each new connection;
// for tests of silent name servers.
Result<std::unique_ptr<HttpTransport>> CreateCpprestTransportWithLookup(TransportOptions options,
                                                                        LookupFunction lookup);

}  // namespace keyturn::net
