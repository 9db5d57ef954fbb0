// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <limits>
#include <utility>

#include "lib/base/strings.h"
#include "lib/delivery/notify_channels.h"

namespace keyturn::delivery {
namespace {

struct SignalName {
  std::string_view name;
  int number;
};

// What programs take as a request. KILL and STOP are no notifications.
constexpr std::array<SignalName, 8> kSignals = {{{"HUP", SIGHUP},
                                                 {"INT", SIGINT},
                                                 {"QUIT", SIGQUIT},
                                                 {"USR1", SIGUSR1},
                                                 {"USR2", SIGUSR2},
                                                 {"TERM", SIGTERM},
                                                 {"WINCH", SIGWINCH},
                                                 {"CONT", SIGCONT}}};

// Source: proc(5), /proc/pid/comm: TASK_COMM_LEN is 16 with the final NUL.
constexpr size_t kMaxCommSize = 15;
constexpr size_t kMaxStatSize = 4096;
constexpr pid_t kInitPid = 1;

int FindSignal(std::string_view name) {
  for (const SignalName& signal : kSignals) {
    if (signal.name == name) return signal.number;
  }
  return 0;
}

class SignalChannel final : public NotifyChannel {
 public:
  SignalChannel(plan::SignalNotify spec, int signal, const NotifyDependencies& dependencies)
      : spec_(std::move(spec)),
        comm_(spec_.process.substr(0, kMaxCommSize)),
        signal_(signal),
        fs_(*dependencies.file_system),
        proc_root_(dependencies.proc_root),
        kill_(dependencies.kill) {
    if (!kill_) kill_ = [](pid_t pid, int number) { return ::kill(pid, number) == 0 ? 0 : errno; };
  }

  std::string kind() const override { return "signal"; }

  Status Deliver(const std::string&, const CallContext&) override {
    KEYTURN_ASSIGN_OR_RETURN(const std::vector<pid_t> pids, FindProcesses());
    size_t told = 0;
    Status first;
    for (const pid_t pid : pids) {
      const int error_number = kill_(pid, signal_);
      if (error_number == 0) ++told;
      // ESRCH: it ended since the list was read.
      if (error_number != 0 && error_number != ESRCH && first.ok()) {
        first = KillError(pid, error_number);
      }
    }
    if (!first.ok()) return first;
    if (told == 0) return NoneFound();
    return OkStatus();
  }

 private:
  Result<std::vector<pid_t>> FindProcesses() {
    KEYTURN_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs_.List(proc_root_));
    std::vector<pid_t> pids;
    for (const std::string& name : names) {
      const auto number = ParseUnsigned<uint32_t>(name);
      if (!number || *number > static_cast<uint32_t>(std::numeric_limits<pid_t>::max())) continue;
      const auto pid = static_cast<pid_t>(*number);
      if (pid <= kInitPid || pid == getpid()) continue;
      if (Matches(StrCat(proc_root_, "/", name))) pids.push_back(pid);
    }
    return pids;
  }

  // False also for a process that ends meanwhile.
  bool Matches(const std::string& directory) {
    const auto comm = fs_.ReadFile(directory + "/comm", 64);
    if (!comm.ok()) return false;
    std::string_view text = comm->Reveal(InsecureSecretAccess::Get());
    if (text.ends_with('\n')) text.remove_suffix(1);
    return text == comm_ && !IsZombie(directory);
  }

  // A zombie takes every signal and hears none. Source: proc(5), /proc/pid/stat: "pid (comm)
  // state".
  bool IsZombie(const std::string& directory) {
    const auto stat = fs_.ReadFile(directory + "/stat", kMaxStatSize);
    if (!stat.ok()) return false;
    const std::string_view text = stat->Reveal(InsecureSecretAccess::Get());
    const size_t close = text.rfind(") ");
    return close != std::string_view::npos && text.substr(close + 2).starts_with('Z');
  }

  Status KillError(pid_t pid, int error_number) const {
    const std::string what = StrCat("sending SIG", spec_.signal, " to '",
                                    QuoteForMessage(spec_.process), "' (pid ", pid, ")");
    if (error_number != EPERM) return ErrnoToStatus(error_number, what);
    return PermissionDeniedError(
        StrCat(what, ": not permitted; both processes must run with the same uid (this one is ",
               geteuid(), ")"));
  }

  Status NoneFound() const {
    return NotFoundError(StrCat("sending SIG", spec_.signal, ": no process named '",
                                QuoteForMessage(spec_.process),
                                "' is visible; in a pod, other containers' processes are visible "
                                "only with shareProcessNamespace: true"));
  }

  const plan::SignalNotify spec_;
  const std::string comm_;
  const int signal_;
  fs::FileSystem& fs_;
  const std::string proc_root_;
  std::function<int(pid_t, int)> kill_;
};

}  // namespace

Result<std::unique_ptr<NotifyChannel>> CreateSignalChannel(const plan::SignalNotify& spec,
                                                           const NotifyDependencies& dependencies) {
  const int signal = FindSignal(spec.signal);
  if (signal == 0) {
    return InvalidArgumentError(
        StrCat("signal notification: '", QuoteForMessage(spec.signal),
               "' must be one of HUP, INT, QUIT, USR1, USR2, TERM, WINCH, CONT"));
  }
  if (spec.process.empty() || spec.process.find('/') != std::string::npos) {
    return InvalidArgumentError(StrCat("signal notification: process '",
                                       QuoteForMessage(spec.process),
                                       "' must be a process's name, without a directory"));
  }
  return std::unique_ptr<NotifyChannel>(
      std::make_unique<SignalChannel>(spec, signal, dependencies));
}

}  // namespace keyturn::delivery
