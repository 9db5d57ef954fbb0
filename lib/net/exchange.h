// One request and its response on one connection.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "lib/net/call_budget.h"
#include "lib/net/connection.h"
#include "lib/net/response_reader.h"

namespace keyturn::net {

struct ExchangeResult {
  Status status;  // OK: `response` is there
  HttpResponse response;
  // The connection broke or ended before the first byte of an answer: on a reused connection that
  // is how a server's idle timeout looks, and the request may be sent again.
  bool closed_unanswered = false;
  // The connection can carry another exchange.
  bool reusable = false;
};

struct ExchangeInput {
  std::string_view wire;  // the request as SerializeRequest gives it
  ResponseKind kind = ResponseKind::kNormal;
  const BodySink* sink = nullptr;
};

// An answer that comes before the request is read to its end (413 and the like) counts.
ExchangeResult Exchange(Connection& connection, const ExchangeInput& input,
                        const TransportLimits& limits, IoWaiter& waiter, const CallBudget& budget);

}  // namespace keyturn::net
