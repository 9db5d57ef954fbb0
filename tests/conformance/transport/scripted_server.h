// ScriptedServer: a raw-socket server that does exactly what a test says, right or wrong.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "lib/base/mutex.h"
#include "lib/base/unique_fd.h"
#include "tests/conformance/transport/test_pki.h"

struct ssl_st;
struct ssl_ctx_st;

namespace keyturn::testing {

// One accepted connection, used by the thread that runs the script.
class Peer {
 public:
  Peer(UniqueFd fd, const std::atomic<bool>& stopping);
  ~Peer();
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  // Head and body of the next request; empty when the client has gone.
  std::string ReadRequest();
  // False when the client has gone.
  bool Send(std::string_view data);
  // Speaks TLS from here on. False when the handshake fails.
  bool StartTls(const TestCertificate& certificate, int max_version = 0);
  // The name that the client asked for in its handshake.
  std::string ServerName() const;
  // Does nothing until the client goes away or the test ends.
  void Hold();
  // Ends the stream without TLS's own goodbye.
  void Cut();

  int index() const { return index_; }

  void set_index(int index) { index_ = index; }

  // Wakes a blocked script at the end of a test. THREAD: safe.
  void Shutdown();

 private:
  // At most `size` bytes; 0 when the client has gone.
  size_t ReadSome(char* out, size_t size);

  UniqueFd fd_;
  const std::atomic<bool>& stopping_;
  std::string pending_;
  ssl_ctx_st* context_ = nullptr;
  ssl_st* ssl_ = nullptr;
  int index_ = 0;
};

using Script = std::function<void(Peer&)>;

// Listens on a free port of 127.0.0.1 (or ::1). Each connection runs the script in its own thread.
class ScriptedServer {
 public:
  explicit ScriptedServer(Script script, int family = 2 /* AF_INET */);
  ~ScriptedServer();

  uint16_t port() const { return port_; }

  // "http://127.0.0.1:PORT/path", "https://localhost:PORT/path" and so on.
  std::string Url(std::string_view scheme = "http", std::string_view host = "127.0.0.1",
                  std::string_view target = "/") const;

  int connections() const { return connections_; }

 private:
  void AcceptLoop();

  const Script script_;
  UniqueFd listener_;
  uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<int> connections_{0};
  Mutex mutex_;
  std::vector<std::shared_ptr<Peer>> peers_ KEYTURN_GUARDED_BY(mutex_);
  std::vector<std::thread> scripts_ KEYTURN_GUARDED_BY(mutex_);
  std::thread acceptor_;
};

// "HTTP/1.1 200 OK" with that body.
std::string OkResponse(std::string_view body = "ok");

// Answers each request of a connection with `response`.
Script AlwaysAnswer(std::string response);

// Reads a request, answers with `response` and ends the connection.
Script AnswerAndClose(std::string response);

}  // namespace keyturn::testing
