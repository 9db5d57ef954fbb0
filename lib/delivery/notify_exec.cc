// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <thread>
#include <utility>

#include "lib/base/strings.h"
#include "lib/delivery/notify_channels.h"

namespace keyturn::delivery {
namespace {

// waitpid(2) has no timeout, and pidfd_open(2) is missing on kernels that Fargate still ran.
constexpr std::chrono::milliseconds kPollInterval{5};
constexpr const char* kNull = "/dev/null";

// What gives access to AWS, or says where to get it, and our own configuration (an inline Plan
// too): a hook does not need our identity. By prefix, because a list of names is never complete.
bool IsWithheld(std::string_view entry) {
  return entry.starts_with("AWS_") || entry.starts_with("KEYTURN_");
}

// Pointers into `texts` for the C interface, with the final null pointer.
std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> HookEnvironment(const std::string& change_id) {
  std::vector<std::string> entries;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    if (!IsWithheld(*entry)) entries.emplace_back(*entry);
  }
  entries.push_back("KEYTURN_CHANGE_ID=" + change_id);
  return entries;
}

// The C objects that describe the child: own process group, default signals, no inherited file.
class SpawnSetup {
 public:
  SpawnSetup() {
    posix_spawnattr_init(&attributes_);
    posix_spawn_file_actions_init(&actions_);
  }

  ~SpawnSetup() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }

  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;

  // The first error number, or 0.
  int Configure() {
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    const std::array<int, 8> errors = {
        posix_spawnattr_setpgroup(&attributes_, 0),
        posix_spawnattr_setsigmask(&attributes_, &none),
        posix_spawnattr_setsigdefault(&attributes_, &all),
        posix_spawnattr_setflags(
            &attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF),
        posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, kNull, O_RDONLY, 0),
        posix_spawn_file_actions_addopen(&actions_, STDOUT_FILENO, kNull, O_WRONLY, 0),
        posix_spawn_file_actions_addopen(&actions_, STDERR_FILENO, kNull, O_WRONLY, 0),
        posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1)};
    const auto* const failed = std::find_if(errors.begin(), errors.end(), [](int e) { return e; });
    return failed == errors.end() ? 0 : *failed;
  }

  const posix_spawnattr_t* attributes() const { return &attributes_; }

  const posix_spawn_file_actions_t* actions() const { return &actions_; }

 private:
  posix_spawnattr_t attributes_{};
  posix_spawn_file_actions_t actions_{};
};

class ExecChannel final : public NotifyChannel {
 public:
  ExecChannel(std::vector<std::string> argv, const Clock& clock)
      : argv_(std::move(argv)), clock_(clock) {}

  std::string kind() const override { return "exec"; }

  Status Deliver(const std::string& change_id, const CallContext& context) override {
    KEYTURN_ASSIGN_OR_RETURN(const pid_t child, Spawn(change_id));
    return AnnotateStatus(Await(child, context), What());
  }

 private:
  // Arguments may be secrets of the application's, so only the program is named.
  std::string What() const { return "running " + QuoteForMessage(argv_.front(), 256); }

  Result<pid_t> Spawn(const std::string& change_id) const {
    SpawnSetup setup;
    if (const int error = setup.Configure(); error != 0) return ErrnoToStatus(error, What());
    std::vector<std::string> arguments = argv_;
    std::vector<std::string> environment = HookEnvironment(change_id);
    pid_t child = 0;
    const int error =
        posix_spawn(&child, arguments.front().c_str(), setup.actions(), setup.attributes(),
                    Pointers(arguments).data(), Pointers(environment).data());
    if (error != 0) return ErrnoToStatus(error, What());
    return child;
  }

  Status Await(pid_t child, const CallContext& context) const {
    while (true) {
      int status = 0;
      const pid_t ended = waitpid(child, &status, WNOHANG);
      if (ended == child) return Outcome(status);
      if (ended < 0 && errno != EINTR) return ErrnoToStatus(errno, "waiting for its end");
      const bool stopped = context.stop.stop_requested();
      if (stopped || clock_.MonoNow() >= context.deadline) return Abort(child, stopped);
      std::this_thread::sleep_for(kPollInterval);
    }
  }

  // Ends the whole group, since a script's own children would go on. The wait is short: nothing
  // survives SIGKILL.
  static Status Abort(pid_t child, bool stopped) {
    ::kill(-child, SIGKILL);
    while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
    }
    if (stopped) return CancelledError("killed because of a stop request");
    return DeadlineExceededError("killed because it did not end in time");
  }

  static Status Outcome(int status) {
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return OkStatus();
    if (WIFEXITED(status)) {
      return AbortedError(StrCat("it ended with exit code ", WEXITSTATUS(status)));
    }
    return AbortedError(StrCat("it was ended by signal ", WTERMSIG(status)));
  }

  const std::vector<std::string> argv_;
  const Clock& clock_;
};

bool HasNul(const std::string& text) {
  return text.find('\0') != std::string::npos;
}

}  // namespace

Result<std::unique_ptr<NotifyChannel>> CreateExecChannel(const plan::ExecNotify& spec,
                                                         const NotifyDependencies& dependencies) {
  if (spec.argv.empty() || !spec.argv.front().starts_with('/')) {
    return InvalidArgumentError("exec notification: the program must be an absolute path");
  }
  if (std::any_of(spec.argv.begin(), spec.argv.end(), HasNul)) {
    return InvalidArgumentError("exec notification: an argument holds a NUL byte");
  }
  return std::unique_ptr<NotifyChannel>(
      std::make_unique<ExecChannel>(spec.argv, *dependencies.clock));
}

}  // namespace keyturn::delivery
