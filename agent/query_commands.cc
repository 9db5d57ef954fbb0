// `ready` and `status`: read the state file of a running agent. `render`: a dry run.
// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <utility>

#include "agent/admin_server.h"
#include "agent/commands.h"
#include "agent/plan_source.h"
#include "agent/runtime.h"
#include "agent/setup.h"
#include "agent/state_file.h"
#include "lib/base/strings.h"
#include "lib/config/units.h"
#include "lib/delivery/fetch.h"
#include "lib/delivery/render.h"

namespace keyturn::agent {
namespace {

// A state of 1000 files is about 500 kB.
constexpr size_t kMaxStateBytes = 4 * 1024 * 1024;
// Where the webhook mounts the volume.
constexpr std::string_view kDefaultStateDirectory = "/keyturn/.keyturn";

Result<std::string> FindStateDirectory(const Options& options, fs::FileSystem& file_system) {
  if (!options.state_dir.empty()) return options.state_dir;
  if (options.plan_file.empty() && options.plan_json.empty())
    return std::string(kDefaultStateDirectory);
  KEYTURN_ASSIGN_OR_RETURN(const plan::Plan plan,
                           PlanSource(file_system, options.plan_file, options.plan_json).Load());
  return StateDirectory(options.state_dir, plan);
}

Result<AgentState> ReadState(const Options& options) {
  const std::unique_ptr<fs::FileSystem> file_system = fs::CreatePosixFileSystem();
  KEYTURN_ASSIGN_OR_RETURN(const std::string directory, FindStateDirectory(options, *file_system));
  Result<SecretBytes> bytes =
      file_system->ReadFile(StrCat(directory, "/", kStateFileName), kMaxStateBytes);
  if (bytes.status().code() == StatusCode::kNotFound) {
    return NotFoundError(StrCat("no state in ", directory,
                                ": the agent has not started yet, or keeps its state ",
                                "elsewhere (--state-dir)"));
  }
  if (!bytes.ok()) return AnnotateStatus(bytes.status(), "read the agent's state");
  KEYTURN_ASSIGN_OR_RETURN(AgentState state,
                           ParseState(bytes->Reveal(InsecureSecretAccess::Get())));
  VerifyTargets(*file_system, state);
  return state;
}

using Fetched = delivery::FetchResults;

Result<delivery::FetchedPtr> ValueOf(const plan::Source& source, const plan::Plan& plan,
                                     const Fetched& fetched) {
  const auto found = fetched.find(delivery::KeyOf(source, plan));
  if (found == fetched.end()) return InternalError("a source was not fetched");
  return found->second;
}

Result<delivery::RenderInputs> InputsOf(const plan::File& file, const plan::Plan& plan,
                                        const Fetched& fetched) {
  delivery::RenderInputs inputs;
  if (file.from) {
    KEYTURN_ASSIGN_OR_RETURN(inputs[""], ValueOf(*file.from, plan, fetched));
  }
  for (const auto& [name, source] : file.with) {
    KEYTURN_ASSIGN_OR_RETURN(inputs[name], ValueOf(source, plan, fetched));
  }
  return inputs;
}

void PrintFile(const std::string& target, const delivery::RenderedFile& file, bool show_values) {
  std::printf("%s/%s  mode %04o  %zu bytes\n", target.c_str(), file.path.c_str(), file.mode,
              file.content.size());
  if (!show_values) return;
  const std::string_view content = file.content.Reveal(InsecureSecretAccess::Get());
  std::fwrite(content.data(), 1, content.size(), stdout);
  std::printf("\n");
}

Status RenderOne(const plan::Target& target, const plan::File& file, const plan::Plan& plan,
                 const Fetched& fetched, bool show_values) {
  Result<delivery::RenderInputs> inputs = InputsOf(file, plan, fetched);
  if (!inputs.ok()) return AnnotateStatus(inputs.status(), StrCat("file ", file.path));
  KEYTURN_ASSIGN_OR_RETURN(const auto rendered, delivery::RenderFile(file, *inputs));
  for (const delivery::RenderedFile& one : rendered) PrintFile(target.path, one, show_values);
  return OkStatus();
}

// The exit code; prints each failure and goes on, so that one run shows them all.
int RenderAll(const plan::Plan& plan, const Fetched& fetched, bool show_values) {
  int code = kExitOk;
  for (const plan::Target& target : plan.targets) {
    for (const plan::File& file : target.files) {
      const Status status = RenderOne(target, file, plan, fetched, show_values);
      if (status.ok()) continue;
      if (file.optional && status.code() == StatusCode::kNotFound) {
        std::printf("%s/%s  left out (optional)\n", target.path.c_str(), file.path.c_str());
        continue;
      }
      code = Fail(kExitFailed, status);
    }
  }
  return code;
}

}  // namespace

int ReadyCommand(const Options& options) {
  const Result<AgentState> state = ReadState(options);
  if (!state.ok()) return Fail(kExitNotReady, state.status());
  if (IsReady(*state, options.unready_when_stale)) return kExitOk;
  // stdout: the kubelet shows a probe's output in the pod's events.
  std::printf("not ready: %s\n", ExplainState(*state).c_str());
  return kExitNotReady;
}

int StatusCommand(const Options& options) {
  const Result<AgentState> state = ReadState(options);
  if (!state.ok()) return Fail(kExitFailed, state.status());
  std::printf("%s\n", (options.json ? FormatState(*state) : FormatStateForPeople(*state)).c_str());
  return IsReady(*state, options.unready_when_stale) ? kExitOk : kExitNotReady;
}

int RenderCommand(const Options& options) {
  Result<std::unique_ptr<Runtime>> runtime = CreateRuntime(options.log_level);
  if (!runtime.ok()) return Fail(kExitUsage, runtime.status());
  HardenProcess(*(*runtime)->logger);
  Result<plan::Plan> plan =
      PlanSource(*(*runtime)->file_system, options.plan_file, options.plan_json).Load();
  if (!plan.ok()) return Fail(kExitUsage, plan.status());
  const Result<std::chrono::milliseconds> deadline = config::ParseDuration(options.deadline);
  if (!deadline.ok()) return Fail(kExitUsage, deadline.status());
  Result<std::shared_ptr<delivery::ClientPool>> clients = (*runtime)->MakeClients(*plan);
  if (!clients.ok()) return Fail(kExitFailed, clients.status());
  delivery::Fetcher fetcher(**clients, (*runtime)->clock, *(*runtime)->logger, (*runtime)->metrics);
  CallContext context;
  context.deadline = (*runtime)->clock.MonoNow() + *deadline;
  const Fetched fetched = fetcher.Fetch(delivery::KeysOf(*plan), context);
  return RenderAll(*plan, fetched, options.show_values);
}

}  // namespace keyturn::agent
