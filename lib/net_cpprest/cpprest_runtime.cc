// SPDX-License-Identifier: Apache-2.0
#include "lib/net_cpprest/cpprest_runtime.h"

#include <pthread.h>

#include <csignal>
#include <cstdlib>
#include <thread>
#include <utility>
#include <vector>

#include <pplx/threadpool.h>

namespace keyturn::net {
namespace {

// One runs while the other is in a continuation; the library deadlocks with a single one when a
// continuation waits.
constexpr int kThreads = 2;

constexpr char kNoSuchPath[] = "/nonexistent/keyturn-trusts-only-what-it-is-given";

// The library throws out of its handlers on malformed responses (a chunk length that no memory can
// hold). The request concerned is lost and ends at its deadline; the others go on.
void RunForever() {
  boost::asio::io_service& service = crossplat::threadpool::shared_instance().service();
  while (true) {
    try {
      service.run();
      return;
    } catch (...) {  // NOLINT(bugprone-empty-catch): see above
    }
  }
}

class Runtime final : public CpprestRuntime {
 public:
  Runtime() {
    // Signals are for the program's own threads: the mask is inherited.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    for (int i = 0; i < kThreads; ++i) threads_.emplace_back(RunForever);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  ~Runtime() override {
    crossplat::threadpool::shared_instance().service().stop();
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  std::vector<std::thread> threads_;
};

}  // namespace

Result<std::unique_ptr<CpprestRuntime>> InitializeCpprest() {
  ::setenv("SSL_CERT_FILE", kNoSuchPath, 1);  // NOLINT(concurrency-mt-unsafe): see REQUIRES
  ::setenv("SSL_CERT_DIR", kNoSuchPath, 1);   // NOLINT(concurrency-mt-unsafe)
  try {
    crossplat::threadpool::initialize_with_threads(0);
  } catch (const std::exception&) {
    return FailedPreconditionError("initialise cpprestsdk: it was used before main asked for it");
  }
  return std::unique_ptr<CpprestRuntime>(std::make_unique<Runtime>());
}

}  // namespace keyturn::net
