// keyturn-agent: parses flags and hands over to a command.
// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <unistd.h>

#include <cstdio>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include "agent/commands.h"

namespace {

using keyturn::agent::Options;
using Command = int (*)(const Options&);

void AddPlanOptions(CLI::App& command, Options& options, bool required) {
  CLI::Option_group* group = command.add_option_group("plan");
  group->add_option("--plan", options.plan_file, "Plan file (JSON; docs/plan.md)")
      ->envname("KEYTURN_PLAN_FILE");
  group->add_option("--plan-json", options.plan_json, "The Plan itself, as one argument")
      ->envname("KEYTURN_PLAN");
  if (required) group->require_option(1);
}

void AddStateDirectoryOption(CLI::App& command, Options& options) {
  command
      .add_option("--state-dir", options.state_dir,
                  "Where state.json is kept (default: .keyturn beside the first target)")
      ->envname("KEYTURN_STATE_DIR");
}

void AddStateOptions(CLI::App& command, Options& options) {
  AddStateDirectoryOption(command, options);
  command.add_flag("--unready-when-stale", options.unready_when_stale,
                   "Also not ready when content is staler than refresh.maxStaleness");
}

void AddDeliveryOptions(CLI::App& command, Options& options) {
  command.add_option("--log-level", options.log_level, "debug, info, warning or error")
      ->envname("KEYTURN_LOG_LEVEL")
      ->capture_default_str();
  command
      .add_option("--notify-debounce", options.notify_debounce,
                  "Quiet time before the application is told")
      ->capture_default_str();
  command
      .add_option("--notify-splay", options.notify_splay,
                  "Random extra delay before the application is told")
      ->capture_default_str();
}

void AddDeadlineOption(CLI::App& command, Options& options) {
  command.add_option("--deadline", options.deadline, "Give up after this long")
      ->capture_default_str();
}

void AddRun(CLI::App& app, Options& options, Command& command) {
  CLI::App* run = app.add_subcommand(
      "run", "Deliver, and keep delivering until SIGTERM; SIGHUP checks at once");
  AddPlanOptions(*run, options, true);
  AddStateOptions(*run, options);
  AddDeliveryOptions(*run, options);
  run->add_option("--listen", options.listen,
                  "Serve /metrics, /status, /healthz, /readyz here (default: off)")
      ->envname("KEYTURN_LISTEN");
  run->add_option("--plan-check", options.plan_check, "How often the Plan file is looked at")
      ->capture_default_str();
  run->add_option("--revocation-grace", options.revocation_grace,
                  "How long a secret must be gone or denied before onRevoked: remove acts")
      ->capture_default_str();
  run->callback([&command] { command = keyturn::agent::RunCommand; });
}

void AddOnce(CLI::App& app, Options& options, Command& command) {
  CLI::App* once =
      app.add_subcommand("once", "Deliver once and exit; for init containers and scripts");
  AddPlanOptions(*once, options, true);
  AddStateDirectoryOption(*once, options);
  AddDeliveryOptions(*once, options);
  AddDeadlineOption(*once, options);
  once->callback([&command] { command = keyturn::agent::OnceCommand; });
}

void AddReadyAndStatus(CLI::App& app, Options& options, Command& command) {
  CLI::App* ready =
      app.add_subcommand("ready", "Exit 0 when every file is there; else say which secret fails");
  AddPlanOptions(*ready, options, false);
  AddStateOptions(*ready, options);
  ready->callback([&command] { command = keyturn::agent::ReadyCommand; });

  CLI::App* status = app.add_subcommand("status", "Show version, age and error of every file");
  AddPlanOptions(*status, options, false);
  AddStateOptions(*status, options);
  status->add_flag("--json", options.json, "As JSON");
  status->callback([&command] { command = keyturn::agent::StatusCommand; });
}

void AddRender(CLI::App& app, Options& options, Command& command) {
  CLI::App* render = app.add_subcommand("render", "Fetch and render without publishing");
  AddPlanOptions(*render, options, true);
  AddDeliveryOptions(*render, options);
  AddDeadlineOption(*render, options);
  render->add_flag("--show-values", options.show_values,
                   "Print the contents: secrets on your terminal");
  render->callback([&command] { command = keyturn::agent::RenderCommand; });
}

// The exit code when there is nothing left to do (help, version, wrong flags). Its own function, so
// that the parser's memory is free again while the command runs for weeks.
std::optional<int> ParseCommandLine(int argc, char** argv, Options& options, Command& command) {
  CLI::App app{"keyturn-agent: AWS Secrets Manager secrets as files that are always current"};
  app.set_version_flag("--version", KEYTURN_VERSION);
  app.require_subcommand(1);
  AddRun(app, options, command);
  AddOnce(app, options, command);
  AddReadyAndStatus(app, options, command);
  AddRender(app, options, command);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? keyturn::agent::kExitOk : keyturn::agent::kExitUsage;
  }
  return std::nullopt;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  Command command = nullptr;
  if (const std::optional<int> done = ParseCommandLine(argc, argv, options, command)) return *done;
  const int code = command(options);
  std::fflush(stdout);
  // Not exit(): an abandoned name look-up may still hold a thread, and static destructors have
  // nothing to do.
  ::_exit(code);
}
