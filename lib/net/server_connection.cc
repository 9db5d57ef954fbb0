// SPDX-License-Identifier: Apache-2.0
#include "lib/net/server_connection.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <utility>  // Boost 1.74's Asio needs it before its own headers

#include <boost/asio/post.hpp>

#include "lib/base/check.h"
#include "lib/base/secret_bytes.h"

namespace keyturn::net::server {
namespace {

using Descriptor = boost::asio::posix::stream_descriptor;
using boost::system::error_code;

// How long a refused peer may go on sending before it is cut off. Closing at once would make the
// kernel send a reset, which can overtake the answer. Source: RFC 9112 §9.6.
constexpr std::chrono::milliseconds kLingerTimeout{1'000};

// Steps before other connections of the worker get their turn.
constexpr int kStepsPerTurn = 64;

// Empties a buffer and gives its memory back. SECURITY: requests and responses carry secrets.
void Dispose(std::string& buffer) {
  Cleanse(buffer);
  std::string().swap(buffer);
}

}  // namespace

Connection::Connection(Worker& worker, std::string peer, ConnectionSlot slot, int fd,
                       const TlsContext* tls)
    : worker_(worker),
      server_(*worker.state),
      peer_(std::move(peer)),
      slot_(std::move(slot)),
      descriptor_(worker.context),
      timer_(worker.context),
      stream_(fd, tls) {}

void Connection::Start(UniqueFd fd) {
  error_code error;
  descriptor_.assign(fd.get(), error);
  if (error) return Close();  // out of memory or watches
  fd.Release();
  SetTimeout(server_.limits.handshake_timeout);
  Run();
}

void Connection::Run() {
  if (running_) return;  // Respond() from within the handler: the loop below goes on
  running_ = true;
  int steps = 0;
  bool more = true;
  while (more && steps < kStepsPerTurn) {
    more = Step();
    ++steps;
  }
  running_ = false;
  if (more) boost::asio::post(worker_.context, [self = shared_from_this()] { self->Run(); });
}

bool Connection::Step() {
  switch (state_) {
    case State::kHandshake:
      return StepHandshake();
    case State::kReceiving:
      return StepReceiving();
    case State::kHandling:
      return StepHandling();
    case State::kWriting:
      return StepWriting();
    case State::kLingering:
      return StepLingering();
    case State::kClosed:
      break;
  }
  return false;
}

bool Connection::StepHandshake() {
  switch (stream_.Handshake().status) {
    case IoStatus::kDone:
      state_ = State::kReceiving;
      SetTimeout(server_.limits.idle_timeout);
      return true;
    case IoStatus::kWantRead:
      ArmRead();
      return false;
    case IoStatus::kWantWrite:
      ArmWrite();
      return false;
    default:
      // Debug: probes and port scans fail, too, and must not fill the log.
      server_.logger.Debug("TLS handshake failed",
                           {{"peer", peer_}, {"reason", stream_.failure()}});
      Close();
      return false;
  }
}

bool Connection::StepReceiving() {
  if (!starved_) {
    Consume({});
    return true;
  }
  if (peer_eof_) {
    Close();
    return false;
  }
  const std::span<char> scratch = worker_.scratch();
  const IoResult result = stream_.Read(scratch);
  if (result.status != IoStatus::kDone) return WaitForRequestBytes(result.status);
  Consume({scratch.data(), result.bytes});
  ::explicit_bzero(scratch.data(), result.bytes);
  return true;
}

bool Connection::WaitForRequestBytes(IoStatus status) {
  if (status == IoStatus::kClosed || status == IoStatus::kFailed) {
    Close();
    return false;
  }
  if (server_.draining && IsIdle()) {
    Close();
    return false;
  }
  if (!IsIdle() && !receiving_) {
    receiving_ = true;  // once a request: the timeout must not restart with every byte
    SetTimeout(server_.limits.read_timeout);
  }
  if (status == IoStatus::kWantRead) {
    ArmRead();
  } else {
    ArmWrite();
  }
  return false;
}

void Connection::Consume(std::string_view bytes) {
  if (!input_.empty()) {
    input_ += bytes;
    bytes = input_;
  }
  if (!parser_) parser_ = std::make_unique<RequestParser>(server_.limits);
  size_t consumed = 0;
  const RequestParser::Progress progress = parser_->Feed(bytes, consumed);
  // A copy in every case: `bytes` may be input_ or the worker's scratch.
  std::string rest(bytes.substr(consumed));
  Dispose(input_);
  input_.swap(rest);
  starved_ = progress == RequestParser::Progress::kNeedMore;
  if (progress == RequestParser::Progress::kFailed) return Refuse(parser_->error_status());
  if (progress == RequestParser::Progress::kComplete) return HandleRequest();
  if (parser_->TakeContinueWish()) {
    StartWriting("HTTP/1.1 100 Continue\r\n\r\n", AfterWrite::kContinueBody);
  }
}

void Connection::HandleRequest() {
  ServerRequest request = parser_->TakeRequest();
  keep_alive_ = parser_->keep_alive();
  http10_ = parser_->is_http10();
  head_ = request.method == "HEAD";
  parser_.reset();
  starved_ = input_.empty();
  receiving_ = false;
  request.peer = peer_;
  state_ = State::kHandling;
  deadline_ = MonoTime::max();  // a handler takes the time that it takes
  auto exchange = std::make_shared<Responder::Impl>(worker_.weak_from_this(), weak_from_this());
  exchange_ = exchange;
  try {
    server_.handler(std::move(request), Responder(std::move(exchange)));
  } catch (...) {
    // The Responder has answered 500 on its way out. Without what(): it may quote the request.
    server_.logger.Error("request handler failed with an exception", {{"peer", peer_}});
  }
}

bool Connection::StepHandling() {
  // Reads ahead only to see the peer go away, and no more than a header's worth.
  while (!peer_eof_ && input_.size() < server_.limits.max_header_bytes) {
    const std::span<char> scratch = worker_.scratch();
    const IoResult result = stream_.Read(scratch);
    switch (result.status) {
      case IoStatus::kDone:
        input_.append(scratch.data(), result.bytes);
        ::explicit_bzero(scratch.data(), result.bytes);
        starved_ = false;
        break;
      case IoStatus::kWantRead:
        ArmRead();
        return false;
      case IoStatus::kWantWrite:
        ArmWrite();
        return false;
      case IoStatus::kClosed:
        // It may have shut down only its sending side: the answer is still written.
        peer_eof_ = true;
        if (const auto exchange = exchange_.lock()) exchange->MarkClosed();
        return false;
      case IoStatus::kFailed:
        Close();
        return false;
    }
  }
  return false;
}

void Connection::Respond(const HttpResponse& response) {
  if (state_ != State::kHandling) return;
  exchange_.reset();
  ResponseForm form;
  form.head = head_;
  form.http10 = http10_;
  form.date = worker_.Date();
  form.keep_alive = keep_alive_ && !server_.draining;
  std::optional<std::string> bytes = SerializeResponse(response, form);
  if (!bytes) {
    server_.logger.Error("response of the handler is malformed", {{"status", response.status}});
    bytes = SerializeResponse(PlainResponse(500), form);
  }
  StartWriting(std::move(*bytes), form.keep_alive ? AfterWrite::kNextRequest : AfterWrite::kClose);
  Run();
}

void Connection::Refuse(int status) {
  head_ = false;
  ResponseForm form;
  form.keep_alive = false;
  form.date = worker_.Date();
  StartWriting(SerializeResponse(PlainResponse(status), form).value_or(""), AfterWrite::kClose);
}

void Connection::StartWriting(std::string bytes, AfterWrite after) {
  output_ = std::move(bytes);
  output_done_ = 0;
  after_write_ = after;
  writing_slowly_ = false;
  state_ = State::kWriting;
}

bool Connection::StepWriting() {
  const IoResult result = stream_.Write(std::string_view(output_).substr(output_done_));
  switch (result.status) {
    case IoStatus::kDone:
      output_done_ += result.bytes;
      if (output_done_ == output_.size()) FinishWriting();
      return true;
    case IoStatus::kWantRead:
      ArmRead();
      break;
    case IoStatus::kWantWrite:
      ArmWrite();
      break;
    default:
      Close();
      return false;
  }
  // Only a write that blocks needs a timeout: most never set one.
  if (!writing_slowly_) SetTimeout(server_.limits.write_timeout);
  writing_slowly_ = true;
  return false;
}

void Connection::FinishWriting() {
  Dispose(output_);
  switch (after_write_) {
    case AfterWrite::kContinueBody:
      state_ = State::kReceiving;
      receiving_ = true;
      SetTimeout(server_.limits.read_timeout);
      return;
    case AfterWrite::kNextRequest:
      state_ = State::kReceiving;
      SetTimeout(server_.limits.idle_timeout);
      return;
    case AfterWrite::kClose:
      // A parser is left when the request was refused halfway.
      if ((parser_ || !input_.empty()) && !peer_eof_) return StartLingering();
      return Close();
  }
}

void Connection::StartLingering() {
  state_ = State::kLingering;
  parser_.reset();
  Dispose(input_);
  stream_.CloseNotify();
  ::shutdown(descriptor_.native_handle(), SHUT_WR);
  SetTimeout(kLingerTimeout);
}

bool Connection::StepLingering() {
  // Around the TLS layer: what comes now is thrown away unread.
  const std::span<char> scratch = worker_.scratch();
  const ssize_t count = ::recv(descriptor_.native_handle(), scratch.data(), scratch.size(), 0);
  if (count > 0) return true;
  if (count == 0 || errno != EAGAIN) {
    Close();
  } else {
    ArmRead();
  }
  return false;
}

bool Connection::IsIdle() const {
  return state_ == State::kReceiving && input_.empty() && (!parser_ || !parser_->started());
}

void Connection::CloseIfIdle() {
  if (IsIdle()) Close();
}

void Connection::Close() {
  if (state_ == State::kClosed) return;
  // Not in the middle of a record.
  if (state_ != State::kWriting) stream_.CloseNotify();
  state_ = State::kClosed;
  if (const auto exchange = exchange_.lock()) exchange->MarkClosed();
  error_code ignored;
  timer_.cancel();
  descriptor_.close(ignored);
  parser_.reset();
  Dispose(input_);
  Dispose(output_);
  slot_.Release();
  worker_.Forget(this);
}

void Connection::ArmRead() {
  if (std::exchange(read_armed_, true)) return;
  descriptor_.async_wait(Descriptor::wait_read, [self = shared_from_this()](error_code error) {
    self->read_armed_ = false;
    if (!error) self->Run();
  });
}

void Connection::ArmWrite() {
  if (std::exchange(write_armed_, true)) return;
  descriptor_.async_wait(Descriptor::wait_write, [self = shared_from_this()](error_code error) {
    self->write_armed_ = false;
    if (!error) self->Run();
  });
}

void Connection::SetTimeout(std::chrono::milliseconds timeout) {
  deadline_ = std::chrono::steady_clock::now() + timeout;
  ArmTimer();
}

// A timer that fires too early looks again; that is much cheaper than setting it anew for every
// request.
void Connection::ArmTimer() {
  if (timer_armed_ && timer_.expiry() <= deadline_) return;
  timer_.expires_at(deadline_);
  timer_armed_ = true;
  timer_.async_wait([self = shared_from_this()](error_code error) {
    if (!error) self->OnTimer();
  });
}

void Connection::OnTimer() {
  timer_armed_ = false;
  if (state_ == State::kClosed || deadline_ == MonoTime::max()) return;
  if (std::chrono::steady_clock::now() < deadline_) return ArmTimer();
  OnTimeout();
}

void Connection::OnTimeout() {
  if (state_ != State::kReceiving || IsIdle()) return Close();
  Refuse(408);
  Run();
}

}  // namespace keyturn::net::server
