// SPDX-License-Identifier: Apache-2.0
#include "lib/net/response_reader.h"

#include <algorithm>
#include <optional>
#include <utility>  // must precede Asio, whose 1.74 headers miss it under C++20

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include "lib/base/strings.h"

namespace keyturn::net {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::beast::error_code;
using BeastView = boost::beast::string_view;

// Reserving what Content-Length promises spares copies of a secret; a lie must not cost memory.
constexpr uint64_t kMaxReserve = 256 * 1024;
// Enough for 100 Continue and a few 103 Early Hints.
constexpr int kMaxInterimResponses = 8;

std::string_view ToView(BeastView text) {
  return {text.data(), text.size()};
}

struct Limits {
  size_t max_header_bytes;
  size_t max_body_bytes;
};

// Beast's parser with our containers: it checks the grammar, we count and collect.
class Parser final : public http::basic_parser<false> {
 public:
  Parser(Limits limits, ResponseKind kind, const BodySink* sink) : limits_(limits), sink_(sink) {
    eager(true);
    skip(kind == ResponseKind::kBodyless);
    header_limit(static_cast<uint32_t>(std::min<size_t>(limits.max_header_bytes, UINT32_MAX)));
    body_limit(UINT64_MAX);  // counted here, because a sink has no limit
  }

  // Why the parser stopped, when it was us who stopped it.
  const Status& status() const { return status_; }

  HttpResponse& response() { return response_; }

  // Beast 1.74 asserts five bytes when it looks again at a chunked body whose only chunk is the
  // last one. No such body is shorter, so nothing is lost by waiting for them.
  size_t min_input() const { return in_body_ && chunked() && !in_chunks_ ? 5 : 1; }

 private:
  void Stop(Status status, error_code& ec) {
    status_ = std::move(status);
    ec = http::error::end_of_stream;  // any error ends put(); status_ says which it was
  }

  void CountHeader(size_t size, error_code& ec) {
    header_bytes_ += size;
    if (header_bytes_ <= limits_.max_header_bytes) return;
    Stop(ResourceExhaustedError(
             StrCat("the response header exceeds ", limits_.max_header_bytes, " bytes")),
         ec);
  }

  void on_request_impl(http::verb, BeastView, BeastView, int, error_code&) override {}

  void on_response_impl(int code, BeastView reason, int, error_code& ec) override {
    response_.status = code;
    CountHeader(reason.size(), ec);
  }

  void on_field_impl(http::field field, BeastView name, BeastView value, error_code& ec) override {
    CountHeader(name.size() + value.size() + 4, ec);
    if (ec || in_body_) return;  // trailers are counted and dropped
    // Another coding would reach the caller undecoded, as if it were the content.
    if (field == http::field::transfer_encoding &&
        !EqualsIgnoreCaseAscii(TrimWhitespace(ToView(value)), "chunked")) {
      Stop(DataLossError("the response has a transfer coding other than chunked"), ec);
      return;
    }
    response_.headers.Add(std::string(ToView(name)), std::string(ToView(value)));
  }

  void on_header_impl(error_code&) override { in_body_ = true; }

  void on_body_init_impl(const boost::optional<uint64_t>& length, error_code& ec) override {
    if (sink_ != nullptr || !length) return;
    if (*length > limits_.max_body_bytes) return StopAtBodyLimit(ec);
    response_.body.reserve(static_cast<size_t>(std::min(*length, kMaxReserve)));
  }

  void StopAtBodyLimit(error_code& ec) {
    Stop(ResourceExhaustedError(
             StrCat("the response body exceeds ", limits_.max_body_bytes, " bytes")),
         ec);
  }

  size_t on_body_impl(BeastView part, error_code& ec) override {
    TakeBody(ToView(part), ec);
    return part.size();
  }

  void on_chunk_header_impl(uint64_t, BeastView, error_code&) override { in_chunks_ = true; }

  size_t on_chunk_body_impl(uint64_t, BeastView part, error_code& ec) override {
    TakeBody(ToView(part), ec);
    return part.size();
  }

  void on_finish_impl(error_code&) override {}

  void TakeBody(std::string_view part, error_code& ec) {
    if (sink_ != nullptr) {
      if (Status status = (*sink_)(part); !status.ok()) Stop(std::move(status), ec);
      return;
    }
    if (part.size() > limits_.max_body_bytes - response_.body.size()) return StopAtBodyLimit(ec);
    response_.body.append(part);
  }

  const Limits limits_;
  const BodySink* const sink_;
  bool in_body_ = false;
  bool in_chunks_ = false;
  size_t header_bytes_ = 0;
  HttpResponse response_;
  Status status_;
};

Status Describe(const Parser& parser, const error_code& error) {
  if (!parser.status().ok()) return parser.status();
  if (error == http::error::header_limit) {
    return ResourceExhaustedError("the response header is too long");
  }
  // Beast's messages are fixed texts: they quote nothing of the input.
  return DataLossError(StrCat("the response is malformed: ", error.message()));
}

}  // namespace

struct ResponseReader::Impl {
  Impl(Limits limits_in, ResponseKind kind_in, const BodySink* sink_in)
      : limits(limits_in), kind(kind_in), sink(sink_in) {
    parser.emplace(limits, kind, sink);
  }

  // Makes room for the final answer after an interim one.
  Status SkipInterim() {
    if (parser->response().status == 101) {
      return DataLossError("the server switched protocols without being asked");
    }
    if (++interim_responses > kMaxInterimResponses) {
      return DataLossError("the server sends interim responses without end");
    }
    parser.emplace(limits, kind, sink);
    return OkStatus();
  }

  bool IsInterim() { return parser->is_done() && parser->response().status / 100 == 1; }

  const Limits limits;
  const ResponseKind kind;
  const BodySink* const sink;
  int interim_responses = 0;
  std::optional<Parser> parser;
};

ResponseReader::ResponseReader(const TransportLimits& limits, ResponseKind kind,
                               const BodySink* sink)
    : impl_(std::make_unique<Impl>(Limits{limits.max_header_bytes, limits.max_body_bytes}, kind,
                                   sink)) {}

ResponseReader::~ResponseReader() = default;

Result<size_t> ResponseReader::Feed(std::string_view data) {
  size_t used = 0;
  while (used < data.size() && !done()) {
    error_code error;
    const std::string_view rest = data.substr(used);
    if (rest.size() < impl_->parser->min_input()) break;
    used += impl_->parser->put(asio::const_buffer(rest.data(), rest.size()), error);
    if (error == http::error::need_more) break;
    if (error) return Describe(*impl_->parser, error);
    if (impl_->IsInterim()) KEYTURN_RETURN_IF_ERROR(impl_->SkipInterim());
  }
  return used;
}

Status ResponseReader::FinishAtEnd() {
  error_code error;
  if (!impl_->parser->got_some()) return DataLossError("the connection ended before the response");
  if (!impl_->parser->is_done()) impl_->parser->put_eof(error);
  return error ? DataLossError("the response is truncated") : OkStatus();
}

bool ResponseReader::done() const {
  return impl_->parser->is_done();
}

bool ResponseReader::keep_alive() const {
  return impl_->parser->keep_alive();
}

HttpResponse ResponseReader::Take() {
  return std::move(impl_->parser->response());
}

}  // namespace keyturn::net
