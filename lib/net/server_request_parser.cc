// SPDX-License-Identifier: Apache-2.0
#include "lib/net/server_request_parser.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include <boost/beast/http/basic_parser.hpp>

#include "lib/base/check.h"
#include "lib/base/strings.h"

namespace keyturn::net::server {
namespace {

namespace http = boost::beast::http;
using ErrorCode = boost::beast::error_code;
using boost::beast::string_view;

// More fields than any client sends; bounds the memory that tiny fields cost.
constexpr size_t kMaxFields = 256;

std::string_view View(string_view text) {
  return {text.data(), text.size()};
}

bool IsAsciiVisible(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7F; });
}

// Source: RFC 9112 §3.2 (origin, absolute and asterisk form).
bool IsTarget(std::string_view method, std::string_view target) {
  if (!IsAsciiVisible(target) || target.find('#') != std::string_view::npos) return false;
  if (target == "*") return method == "OPTIONS";
  return target.starts_with('/') || target.starts_with("http://") || target.starts_with("https://");
}

// uri-host [":" port], loosely: what could end the authority or add user information is refused.
bool IsHost(std::string_view host) {
  return IsAsciiVisible(host) && host.find_first_of("/\\?#@,\"<>") == std::string_view::npos;
}

int StatusOf(const ErrorCode& error) {
  if (error == http::error::header_limit) return 431;
  if (error == http::error::body_limit) return 413;
  if (error == http::error::bad_version) return 505;
  return 400;
}

}  // namespace

class RequestParser::Impl final : public http::basic_parser<true> {
 public:
  explicit Impl(const ServerLimits& limits) : limits_(limits) {
    // Beast's own limit counts per call; the sum is checked in OnField.
    header_limit(static_cast<uint32_t>(std::min<size_t>(limits.max_header_bytes, UINT32_MAX)));
    body_limit(limits.max_body_bytes);
    eager(true);
  }

  Progress Feed(std::string_view bytes, size_t& consumed) {
    consumed = 0;
    if (!started_) {
      consumed = SkipEmptyLine(bytes);
      bytes.remove_prefix(consumed);
      // A lone CR may be the beginning of an empty line.
      if (bytes.empty() || (bytes == "\r" && consumed == 0)) return Progress::kNeedMore;
      started_ = true;
    }
    if (IsPartOfLastChunk(bytes)) return Progress::kNeedMore;
    ErrorCode error;
    const size_t used = put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
    consumed += used;
    if (error && error != http::error::need_more) return Fail(StatusOf(error));
    if (is_done()) return Progress::kComplete;
    // What Beast holds back is one line, or a header or trailer without its end.
    if (header_bytes_ + (bytes.size() - used) > limits_.max_header_bytes && !header_done_) {
      return Fail(431);
    }
    if (bytes.size() - used > limits_.max_header_bytes) return Fail(400);
    return Progress::kNeedMore;
  }

  bool started() const { return started_; }

  bool TakeContinueWish() { return header_done_ && std::exchange(wants_continue_, false); }

  int error_status() const { return error_status_; }

  bool is_http10() const { return http10_; }

  ServerRequest TakeRequest() { return std::move(request_); }

 private:
  // Source: RFC 9112 §2.2: one empty line before a request is ignored.
  size_t SkipEmptyLine(std::string_view bytes) {
    if (skipped_line_ || !bytes.starts_with("\r\n")) return 0;
    skipped_line_ = true;
    return 2;
  }

  // Beast 1.74 asserts that the last chunk is offered again with at least five bytes, and no
  // complete message has fewer ("0\r\n\r\n").
  bool IsPartOfLastChunk(std::string_view bytes) const {
    return header_done_ && chunked_ && bytes.size() < 5 && bytes.starts_with('0');
  }

  Progress Fail(int status) {
    if (error_status_ == 0) error_status_ = status;
    return Progress::kFailed;
  }

  void Refuse(int status, ErrorCode& error) {
    error_status_ = status;
    error = http::error::bad_field;
  }

  void on_request_impl(http::verb, string_view method, string_view target, int version,
                       ErrorCode& error) override {
    request_.method = View(method);
    request_.target = View(target);
    http10_ = version == 10;
    AddHeaderBytes(method.size() + target.size() + sizeof "  HTTP/1.1\r\n" - 1, error);
    if (error) return;
    if (request_.method == "TRACE" || request_.method == "CONNECT") return Refuse(405, error);
    if (!IsTarget(request_.method, request_.target)) return Refuse(400, error);
  }

  void on_field_impl(http::field field, string_view name, string_view value,
                     ErrorCode& error) override {
    // A trailer could smuggle in what the header checks refuse; nobody needs one.
    if (header_done_) return;
    AddHeaderBytes(name.size() + value.size() + sizeof ": \r\n" - 2, error);
    if (error) return;
    if (request_.headers.fields().size() >= kMaxFields) return Refuse(431, error);
    CheckField(field, View(value), error);
    if (!error) request_.headers.Add(std::string(View(name)), std::string(View(value)));
  }

  // Beast would accept some of these; a proxy in front of us might read them differently, and the
  // difference is what request smuggling lives on. Source: RFC 9112 §6.1, §6.3, §11.2.
  void CheckField(http::field field, std::string_view value, ErrorCode& error) {
    switch (field) {
      case http::field::host:
        if (std::exchange(has_host_, true) || !IsHost(value)) Refuse(400, error);
        break;
      case http::field::content_length:
        if (std::exchange(has_length_, true) || !ParseUnsigned<uint64_t>(value)) Refuse(400, error);
        break;
      case http::field::transfer_encoding:
        if (http10_) return Refuse(400, error);
        if (!EqualsIgnoreCaseAscii(value, "chunked")) Refuse(501, error);
        chunked_ = true;
        break;
      case http::field::expect:
        if (!EqualsIgnoreCaseAscii(value, "100-continue")) return Refuse(417, error);
        wants_continue_ = !http10_;
        break;
      default:
        break;
    }
  }

  void AddHeaderBytes(size_t count, ErrorCode& error) {
    header_bytes_ += count;
    if (header_bytes_ + sizeof "\r\n" - 1 > limits_.max_header_bytes) Refuse(431, error);
  }

  void on_header_impl(ErrorCode& error) override {
    header_done_ = true;
    if (!http10_ && !has_host_) Refuse(400, error);
  }

  // The announced length is not reserved: only bytes that arrive cost memory.
  void on_body_init_impl(const boost::optional<std::uint64_t>&, ErrorCode&) override {}

  std::size_t on_body_impl(string_view body, ErrorCode&) override {
    wants_continue_ = wants_continue_ && body.empty();
    request_.body += View(body);
    return body.size();
  }

  void on_chunk_header_impl(std::uint64_t, string_view extensions, ErrorCode& error) override {
    wants_continue_ = false;
    extension_bytes_ += extensions.size();
    if (extension_bytes_ > limits_.max_header_bytes) Refuse(400, error);
  }

  std::size_t on_chunk_body_impl(std::uint64_t, string_view body, ErrorCode&) override {
    request_.body += View(body);
    return body.size();
  }

  void on_response_impl(int, string_view, int, ErrorCode&) override {}

  void on_finish_impl(ErrorCode&) override {}

  const ServerLimits& limits_;
  ServerRequest request_;
  size_t header_bytes_ = 0;
  size_t extension_bytes_ = 0;
  int error_status_ = 0;
  bool started_ = false;
  bool skipped_line_ = false;
  bool http10_ = false;
  bool has_host_ = false;
  bool has_length_ = false;
  bool wants_continue_ = false;
  bool chunked_ = false;
  bool header_done_ = false;
};

RequestParser::RequestParser(const ServerLimits& limits) : impl_(std::make_unique<Impl>(limits)) {}

RequestParser::~RequestParser() = default;

RequestParser::Progress RequestParser::Feed(std::string_view bytes, size_t& consumed) {
  return impl_->Feed(bytes, consumed);
}

bool RequestParser::started() const {
  return impl_->started();
}

bool RequestParser::TakeContinueWish() {
  return impl_->TakeContinueWish();
}

int RequestParser::error_status() const {
  return impl_->error_status();
}

ServerRequest RequestParser::TakeRequest() {
  return impl_->TakeRequest();
}

bool RequestParser::keep_alive() const {
  return impl_->keep_alive();
}

bool RequestParser::is_http10() const {
  return impl_->is_http10();
}

}  // namespace keyturn::net::server
