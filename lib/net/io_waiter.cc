// SPDX-License-Identifier: Apache-2.0
#include "lib/net/io_waiter.h"

#include <functional>
#include <utility>  // must precede Asio, whose 1.74 headers miss it under C++20

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include "lib/base/strings.h"

namespace keyturn::net {
namespace {

namespace asio = boost::asio;
using Descriptor = asio::posix::stream_descriptor;
using boost::system::error_code;

class AsioWaiter final : public IoWaiter {
 public:
  explicit AsioWaiter(const CallBudget& budget)
      : budget_(budget),
        context_(1),  // one thread: no locking inside
        timer_(context_),
        descriptor_(context_),
        on_stop_(budget.stop(), [this] { context_.stop(); }) {}

  Status WaitReadable(int fd, const Step& step) override {
    return Wait(fd, Descriptor::wait_read, step);
  }

  Status WaitWritable(int fd, const Step& step) override {
    return Wait(fd, Descriptor::wait_write, step);
  }

 private:
  Status Wait(int fd, Descriptor::wait_type what, const Step& step);
  void ArmTimer(MonoTime until);
  Status Run(const Step& step);

  const CallBudget& budget_;
  asio::io_context context_;
  asio::steady_timer timer_;
  Descriptor descriptor_;
  MonoTime armed_until_ = MonoTime::max();
  uint64_t wait_number_ = 0;  // handlers of abandoned waits must not end a later one
  bool ready_ = false;
  bool timed_out_ = false;
  // Last, so that it is unregistered before the context dies.
  std::stop_callback<std::function<void()>> on_stop_;
};

Status AsioWaiter::Wait(int fd, Descriptor::wait_type what, const Step& step) {
  error_code error;
  // Registered for this wait only: a descriptor that was closed, and whose number was taken again,
  // can then never be mistaken for the one that is watched.
  descriptor_.assign(fd, error);
  if (error) return UnavailableError(StrCat(step.doing, ": watch socket: ", error.message()));
  ready_ = false;
  descriptor_.async_wait(what, [this, number = ++wait_number_](error_code wait_error) {
    if (!wait_error && number == wait_number_) ready_ = true;
  });
  ArmTimer(step.until);
  Status status = Run(step);
  ++wait_number_;
  descriptor_.release();
  return status;
}

// Left armed between the waits of a step, which mostly share one deadline.
void AsioWaiter::ArmTimer(MonoTime until) {
  if (until == armed_until_) return;
  armed_until_ = until;
  timed_out_ = false;
  timer_.expires_at(until);
  timer_.async_wait([this, until](error_code error) {
    if (!error && until == armed_until_) timed_out_ = true;
  });
}

Status AsioWaiter::Run(const Step& step) {
  while (!ready_) {
    if (timed_out_) return budget_.TimedOutError(step);
    // A stop that comes before the restart is seen by the check, a later one ends run_one().
    context_.restart();
    if (budget_.stop().stop_requested()) return budget_.StoppedError(step);
    context_.run_one();
  }
  return OkStatus();
}

}  // namespace

Result<std::unique_ptr<IoWaiter>> CreateIoWaiter(const CallBudget& budget) {
  try {
    return std::unique_ptr<IoWaiter>(std::make_unique<AsioWaiter>(budget));
  } catch (const boost::system::system_error& error) {
    return ResourceExhaustedError(StrCat("create event queue: ", error.code().message()));
  }
}

}  // namespace keyturn::net
