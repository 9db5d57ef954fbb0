// Publishes in a child process that kills itself with SIGKILL at the n-th system call.
// Reads lines "SCENARIO N TARGET", answers each with "killed", "done" or "failed …".
// SPDX-License-Identifier: Apache-2.0
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <string>

#include "tests/fakes/fault_injecting_file_system.h"
#include "tests/unit/delivery_publish/support.h"

namespace {

using keyturn::testing::Fault;

// Never returns when call n is reached.
int Publish(size_t scenario, int n, const std::string& target) {
  const auto real = keyturn::fs::CreatePosixFileSystem();
  keyturn::testing::FaultInjectingFileSystem lethal(*real);
  keyturn::testing::Publisher publisher(lethal, 11);
  lethal.Arm(Fault::kKill, n);
  const auto writer = publisher.Create(target);
  if (!writer.ok()) return 1;
  const auto& after = keyturn::testing::Scenarios().at(scenario).after;
  return (*writer)->Publish(keyturn::testing::Render(after)).ok() ? 0 : 1;
}

std::string Describe(int status) {
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return "killed";
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return "done";
  return "failed " + std::to_string(status);
}

}  // namespace

int main() {
  size_t scenario = 0;
  int n = 0;
  std::array<char, 256> target{};
  while (std::scanf("%zu %d %255s", &scenario, &n, target.data()) == 3) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(Publish(scenario, n, target.data()));
    int status = 0;
    ::waitpid(child, &status, 0);
    std::printf("%s\n", Describe(status).c_str());
    std::fflush(stdout);
  }
  return 0;
}
