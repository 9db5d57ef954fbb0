// Connection: the life of one accepted socket, from the handshake over its requests to the end.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "lib/base/clock.h"
#include "lib/base/unique_fd.h"
#include "lib/net/server_request_parser.h"
#include "lib/net/server_state.h"
#include "lib/net/server_tls.h"
#include "lib/net/server_worker.h"

namespace keyturn::net {

// One request that waits for its answer. Knows its connection weakly: neither keeps the other
// alive. THREAD: safe.
class Responder::Impl {
 public:
  Impl(std::weak_ptr<server::Worker> worker, std::weak_ptr<server::Connection> connection)
      : worker_(std::move(worker)), connection_(std::move(connection)) {}

  // False when there was an answer before.
  bool Answer(HttpResponse response);

  void MarkClosed() { closed_ = true; }

  bool closed() const { return closed_ || worker_.expired(); }

 private:
  const std::weak_ptr<server::Worker> worker_;
  const std::weak_ptr<server::Connection> connection_;
  std::atomic<bool> answered_ = false;
  std::atomic<bool> closed_ = false;
};

namespace server {

//   kHandshake → kReceiving ⇄ kHandling → kWriting → kReceiving …
//                     └──────────────────────┴→ kLingering → kClosed
//
// While kHandling waits for its Responder (a long poll may, for a minute, ten thousand times), the
// connection holds no parser and no buffers. THREAD: the worker's only.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Worker& worker, std::string peer, ConnectionSlot slot, int fd, const TlsContext* tls);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void Start(UniqueFd fd);
  // The answer to the request that is being handled; ignored when there is none.
  void Respond(const HttpResponse& response);
  // Closes if no request is under way.
  void CloseIfIdle();
  void Close();

  // True inside the call of the handler.
  bool in_handler() const { return running_ && state_ == State::kHandling; }

 private:
  enum class State { kHandshake, kReceiving, kHandling, kWriting, kLingering, kClosed };
  enum class AfterWrite { kContinueBody, kNextRequest, kClose };

  // Goes on until the socket or a Responder has to be waited for.
  void Run();
  // One step of the current state; false when there is something to wait for.
  bool Step();
  bool StepHandshake();
  bool StepReceiving();
  bool StepHandling();
  bool StepWriting();
  bool StepLingering();

  // Gives received bytes to the parser and acts on what it found.
  void Consume(std::string_view bytes);
  bool WaitForRequestBytes(IoStatus status);
  void HandleRequest();
  // Refuses the request that is being received: the connection ends after the answer.
  void Refuse(int status);
  void StartWriting(std::string bytes, AfterWrite after);
  void FinishWriting();
  void StartLingering();

  bool IsIdle() const;
  void ArmRead();
  void ArmWrite();
  void SetTimeout(std::chrono::milliseconds timeout);
  void ArmTimer();
  void OnTimer();
  void OnTimeout();

  Worker& worker_;
  ServerState& server_;
  const std::string peer_;
  ConnectionSlot slot_;
  boost::asio::posix::stream_descriptor descriptor_;
  boost::asio::steady_timer timer_;
  Stream stream_;

  State state_ = State::kHandshake;
  AfterWrite after_write_ = AfterWrite::kClose;
  bool running_ = false;
  bool read_armed_ = false;
  bool write_armed_ = false;
  bool timer_armed_ = false;
  bool starved_ = true;     // the buffered bytes are not enough: read more
  bool peer_eof_ = false;   // the peer sends nothing more, but may still read
  bool receiving_ = false;  // the read timeout of a request is running
  bool writing_slowly_ = false;
  bool keep_alive_ = true;
  bool head_ = false;
  bool http10_ = false;
  MonoTime deadline_ = MonoTime::max();

  std::unique_ptr<RequestParser> parser_;  // only while a request is being received
  std::string input_;                      // received, not yet consumed
  std::string output_;
  size_t output_done_ = 0;
  std::weak_ptr<Responder::Impl> exchange_;
};

}  // namespace server
}  // namespace keyturn::net
