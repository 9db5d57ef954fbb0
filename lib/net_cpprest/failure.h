// What cpprestsdk's failures and response heads mean in our terms.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <exception>
#include <optional>

#include "lib/base/status.h"
#include "lib/net/http_transport.h"

namespace keyturn::net {

// A failure before a head was there. `certificate_error` is why the server's certificate was
// refused, if it was. SECURITY: only known texts of the library are passed on, never its what().
Status HeadFailure(const std::exception_ptr& exception,
                   const std::optional<Status>& certificate_error);

// A failure after it: the response is truncated or malformed.
Status BodyFailure(const std::exception_ptr& exception);

// What the library accepts and we do not: 1xx as an answer, contradicting or odd lengths, other
// transfer codings, sizes over the limits. `streams`: a body of any length is welcome.
Status CheckHead(const HttpResponse& response, const TransportLimits& limits, bool streams,
                 bool is_head_request);

}  // namespace keyturn::net
