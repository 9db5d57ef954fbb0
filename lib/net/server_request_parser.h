// RequestParser: bytes from a peer to a ServerRequest, strictly. Boost.Beast reads the grammar; the
// rules that Beast leaves open (framing conflicts, Host, total sizes) are enforced here.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "lib/net/http_server.h"

namespace keyturn::net::server {

// One request. Not thread-safe.
class RequestParser {
 public:
  enum class Progress {
    kNeedMore,
    kComplete,  // TakeRequest; bytes behind it belong to the next request
    kFailed,    // error_status says what to answer; framing is lost, the connection must end
  };

  // `limits` outlives the parser. Uses max_header_bytes (request line, header, each chunk header
  // and the trailer) and max_body_bytes.
  explicit RequestParser(const ServerLimits& limits);
  ~RequestParser();
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  // Reads a prefix of `bytes` and sets `consumed` to its length. The rest must be offered again,
  // together with what follows it. REQUIRES: the last Feed gave kNeedMore.
  Progress Feed(std::string_view bytes, size_t& consumed);

  // True after any byte of the request.
  bool started() const;
  // True once when the peer waits for "100 Continue" before it sends the body.
  bool TakeContinueWish();
  // 400, 405, 413, 417, 431, 501 or 505. REQUIRES: Feed gave kFailed.
  int error_status() const;

  // The rest is valid after kComplete. `peer` is left empty.
  ServerRequest TakeRequest();
  // What version and Connection header ask for.
  bool keep_alive() const;
  bool is_http10() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace keyturn::net::server
