// ResponseReader: bytes from a server to one HttpResponse, within limits.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "lib/base/result.h"
#include "lib/net/http_transport.h"

namespace keyturn::net {

enum class ResponseKind {
  kNormal,
  kBodyless,  // the answer to HEAD or CONNECT: what its head says about a body is not true
};

// Skips 1xx answers. Refuses what different parsers read differently: Transfer-Encoding together
// with Content-Length, codings other than "chunked", contradicting lengths. THREAD: one at a time.
class ResponseReader {
 public:
  ResponseReader(const TransportLimits& limits, ResponseKind kind, const BodySink* sink);
  ~ResponseReader();
  ResponseReader(const ResponseReader&) = delete;
  ResponseReader& operator=(const ResponseReader&) = delete;

  // Takes what it can use from the front of `data` and says how much; the caller keeps the rest and
  // offers it again, with more behind it. A head or a chunk's head is taken only once it is whole.
  // ERRORS: RESOURCE_EXHAUSTED beyond a limit, DATA_LOSS when malformed, the sink's own Status.
  // REQUIRES: not done().
  Result<size_t> Feed(std::string_view data);
  // The peer ended the stream in order. ERRORS: DATA_LOSS when the response is not complete.
  Status FinishAtEnd();

  bool done() const;
  // True when the connection may carry another exchange. REQUIRES: done().
  bool keep_alive() const;
  // REQUIRES: done().
  HttpResponse Take();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace keyturn::net
