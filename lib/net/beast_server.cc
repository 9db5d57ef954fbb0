// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <signal.h>

#include <algorithm>
#include <exception>
#include <future>
#include <thread>
#include <utility>  // Boost 1.74's Asio needs it before its own headers
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "lib/base/check.h"
#include "lib/base/strings.h"
#include "lib/net/http_server.h"
#include "lib/net/server_connection.h"
#include "lib/net/server_listen.h"
#include "lib/net/server_worker.h"

namespace keyturn::net {
namespace server {
namespace {

using boost::system::error_code;

// Accepts per wake-up before running connections get their turn.
constexpr int kAcceptsPerTurn = 32;
// Without descriptors accept fails at once and for ever: a pause instead of a busy loop.
constexpr std::chrono::milliseconds kAcceptPause{100};

// Takes connections on the first worker's thread and deals them out in turn.
class Acceptor {
 public:
  explicit Acceptor(std::vector<std::shared_ptr<Worker>> workers)
      : workers_(std::move(workers)),
        state_(workers_[0]->state),
        listener_(workers_[0]->context),
        pause_(workers_[0]->context) {}

  Status Open(UniqueFd fd) {
    error_code error;
    listener_.assign(fd.get(), error);
    if (error) return ResourceExhaustedError(StrCat("watch listening socket: ", error.message()));
    fd.Release();
    Wait();
    return OkStatus();
  }

  void Close() {
    error_code ignored;
    pause_.cancel();
    listener_.close(ignored);
  }

 private:
  void Wait() {
    listener_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                         [this](error_code error) {
                           if (!error) AcceptSome();
                         });
  }

  void AcceptSome() {
    for (int i = 0; i < kAcceptsPerTurn; ++i) {
      SocketAddress peer;
      int error = 0;
      UniqueFd fd = AcceptConnection(listener_.native_handle(), peer, error);
      if (!fd.valid() && error == EAGAIN) break;
      if (fd.valid()) {
        Deal(std::move(fd), FormatAddress(peer));
      } else if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM) {
        return Pause(error);
      }  // else the connection died in the queue: the next one may be well
    }
    Wait();
  }

  void Deal(UniqueFd fd, std::string peer) {
    ConnectionSlot slot(state_);
    if (!slot.valid()) return;  // fd closes
    const std::shared_ptr<Worker>& worker = workers_[next_++ % workers_.size()];
    boost::asio::post(worker->context, [worker, fd = std::move(fd), peer = std::move(peer),
                                        slot = std::move(slot)]() mutable {
      worker->Adopt(std::move(fd), std::move(peer), std::move(slot));
    });
  }

  void Pause(int error) {
    state_->logger.Warning("accepting connections fails; trying again",
                           {{"reason", ErrnoToStatus(error, "accept").message()}});
    pause_.expires_after(kAcceptPause);
    pause_.async_wait([this](error_code cancelled) {
      if (!cancelled) AcceptSome();
    });
  }

  const std::vector<std::shared_ptr<Worker>> workers_;
  const std::shared_ptr<ServerState> state_;
  boost::asio::posix::stream_descriptor listener_;
  boost::asio::steady_timer pause_;
  size_t next_ = 0;
};

// Runs `task` on the worker's thread and waits for its end.
template <typename Task>
void RunOn(Worker& worker, Task task) {
  std::promise<void> done;
  boost::asio::post(worker.context, [&] {
    task();
    done.set_value();
  });
  done.get_future().wait();
}

// Signals belong to the program's own threads; ours must not interrupt a signalfd reader.
class ScopedBlockedSignals {
 public:
  ScopedBlockedSignals() {
    sigset_t all;
    ::sigfillset(&all);
    // Faults of the thread itself stay with it: blocked, they would end the process unreported.
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) ::sigdelset(&all, fault);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }

  ~ScopedBlockedSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

  ScopedBlockedSignals(const ScopedBlockedSignals&) = delete;
  ScopedBlockedSignals& operator=(const ScopedBlockedSignals&) = delete;

 private:
  sigset_t before_{};
};

class BeastServer final : public HttpServer {
 public:
  using WorkGuard = boost::asio::executor_work_guard<boost::asio::io_context::executor_type>;

  BeastServer(std::shared_ptr<ServerState> state, std::vector<std::shared_ptr<Worker>> workers,
              const SocketAddress& address)
      : state_(std::move(state)),
        workers_(std::move(workers)),
        address_(FormatAddress(address)),
        port_(PortOf(address)),
        acceptor_(workers_) {}

  ~BeastServer() override { Drain(std::chrono::milliseconds::zero()); }

  Status Start(UniqueFd listener) {
    KEYTURN_RETURN_IF_ERROR(acceptor_.Open(std::move(listener)));
    const ScopedBlockedSignals blocked;
    for (const std::shared_ptr<Worker>& worker : workers_) {
      guards_.emplace_back(worker->context.get_executor());
      threads_.emplace_back([worker] { worker->context.run(); });
    }
    return OkStatus();
  }

  std::string address() const override { return address_; }

  uint16_t port() const override { return port_; }

  Status SetCertificate(const ServerCertificate& certificate) override {
    if (!state_->is_tls)
      return FailedPreconditionError("set certificate: the server is plain HTTP");
    KEYTURN_ASSIGN_OR_RETURN(std::shared_ptr<const TlsContext> tls,
                             TlsContext::Create(certificate));
    state_->tls.Set(std::move(tls));
    return OkStatus();
  }

  void Drain(std::chrono::milliseconds grace) override {
    MutexLock lock(drain_mutex_);
    if (std::exchange(drained_, true)) return;
    if (threads_.size() == workers_.size()) {
      DrainThreads(grace);
    } else {  // Start failed halfway
      for (const auto& worker : workers_) worker->context.stop();
    }
    for (std::thread& thread : threads_) thread.join();
  }

  size_t open_connections() const override { return state_->open(); }

 private:
  void DrainThreads(std::chrono::milliseconds grace) {
    for (const auto& worker : workers_)
      KEYTURN_CHECK(!worker->OnThread());  // would wait for itself
    const MonoTime until = std::chrono::steady_clock::now() + grace;
    state_->draining = true;
    RunOn(*workers_[0], [this] { acceptor_.Close(); });
    for (const auto& worker : workers_) RunOn(*worker, [&worker] { worker->CloseIdle(); });
    state_->WaitUntilNoneOpen(until);
    for (const auto& worker : workers_) RunOn(*worker, [&worker] { worker->CloseAll(); });
    guards_.clear();
  }

  const std::shared_ptr<ServerState> state_;
  const std::vector<std::shared_ptr<Worker>> workers_;
  const std::string address_;
  const uint16_t port_;
  Acceptor acceptor_;
  std::vector<WorkGuard> guards_;
  std::vector<std::thread> threads_;
  Mutex drain_mutex_;
  bool drained_ KEYTURN_GUARDED_BY(drain_mutex_) = false;
};

Status CheckOptions(const ServerOptions& options) {
  KEYTURN_CHECK(options.logger != nullptr && options.handler != nullptr);
  if (options.threads < 1 || options.threads > 256) {
    return InvalidArgumentError("server: threads must be 1 to 256");
  }
  const ServerLimits& limits = options.limits;
  const auto shortest = std::min(
      {limits.handshake_timeout, limits.read_timeout, limits.write_timeout, limits.idle_timeout});
  if (shortest <= std::chrono::milliseconds::zero() || limits.max_header_bytes < 64) {
    return InvalidArgumentError("server: timeouts must be positive, the header limit at least 64");
  }
  return OkStatus();
}

Result<std::unique_ptr<HttpServer>> Create(ServerOptions options) {
  KEYTURN_RETURN_IF_ERROR(CheckOptions(options));
  KEYTURN_ASSIGN_OR_RETURN(const SocketAddress wanted, ParseListenAddress(options.listen));
  auto state =
      std::make_shared<ServerState>(options.limits, std::move(options.handler), *options.logger);
  if (options.certificate) {
    KEYTURN_ASSIGN_OR_RETURN(std::shared_ptr<const TlsContext> tls,
                             TlsContext::Create(*options.certificate));
    state->is_tls = true;
    state->tls.Set(std::move(tls));
  }
  Result<UniqueFd> listener = OpenListener(wanted);
  if (!listener.ok()) {
    return AnnotateStatus(listener.status(), StrCat("listen on ", options.listen));
  }
  KEYTURN_ASSIGN_OR_RETURN(const SocketAddress bound, BoundAddress(listener->get()));
  std::vector<std::shared_ptr<Worker>> workers;
  for (int i = 0; i < options.threads; ++i) workers.push_back(std::make_shared<Worker>(state));
  auto result = std::make_unique<BeastServer>(std::move(state), std::move(workers), bound);
  KEYTURN_RETURN_IF_ERROR(result->Start(std::move(*listener)));
  return std::unique_ptr<HttpServer>(std::move(result));
}

}  // namespace
}  // namespace server

bool Responder::Impl::Answer(HttpResponse response) {
  if (answered_.exchange(true)) return false;
  const std::shared_ptr<server::Worker> worker = worker_.lock();
  if (!worker) return true;
  if (worker->OnThread()) {
    // Within the handler this is the short way; from another connection's handler the stack stays
    // flat because Respond is posted there, too.
    if (const auto connection = connection_.lock(); connection && connection->in_handler()) {
      connection->Respond(response);
      return true;
    }
  }
  boost::asio::post(worker->context, [connection = connection_, response = std::move(response)] {
    if (const auto target = connection.lock()) target->Respond(response);
  });
  return true;
}

Responder::Responder(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Responder::Responder(Responder&&) noexcept = default;

Responder& Responder::operator=(Responder&& other) noexcept {
  if (this != &other) {
    const Responder finished(std::move(*this));  // answers 500 if nobody has
    impl_ = std::move(other.impl_);
  }
  return *this;
}

Responder::~Responder() {
  if (impl_) impl_->Answer(server::PlainResponse(500));
}

void Responder::Send(HttpResponse response) {
  KEYTURN_CHECK(impl_ != nullptr);
  KEYTURN_CHECK(impl_->Answer(std::move(response)));  // a second answer is the handler's bug
}

bool Responder::Closed() const {
  return !impl_ || impl_->closed();
}

Result<std::unique_ptr<HttpServer>> CreateBeastServer(ServerOptions options) {
  try {
    return server::Create(std::move(options));
  } catch (const std::exception& error) {  // epoll or thread creation; no input in the text
    return ResourceExhaustedError(StrCat("start server: ", error.what()));
  }
}

}  // namespace keyturn::net
