// SPDX-License-Identifier: Apache-2.0
#include "agent/state_file.h"

#include <algorithm>
#include <set>

#include "lib/base/strings.h"
#include "lib/base/time_format.h"
#include "lib/json/checked_parse.h"
#include "lib/json/json.h"

namespace keyturn::agent {
namespace {

using json::Json;

std::string OptionalTime(const std::optional<WallTime>& time) {
  return time ? FormatRfc3339(*time) : std::string();
}

Json FileToJson(const delivery::FileStatus& file) {
  return {{"target", file.target},
          {"path", file.path},
          {"secret", file.secret},
          {"versionId", file.version_id},
          {"stage", file.stage},
          {"renderedAt", OptionalTime(file.rendered_at)},
          {"lastCheck", OptionalTime(file.last_check)},
          {"error", file.error == StatusCode::kOk ? "" : std::string(StatusCodeName(file.error))},
          {"errorMessage", file.error_message}};
}

Json TargetToJson(const delivery::TargetStatus& target) {
  return {{"path", target.path},
          {"generation", target.generation},
          {"complete", target.complete},
          {"error", target.last_error.ok() ? "" : target.last_error.ToString()}};
}

std::string Text(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool Flag(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_boolean() && found->get<bool>();
}

StatusCode CodeFromName(std::string_view name) {
  for (int code = 0; code <= static_cast<int>(StatusCode::kUnauthenticated); ++code) {
    if (StatusCodeName(static_cast<StatusCode>(code)) == name) return static_cast<StatusCode>(code);
  }
  return name.empty() ? StatusCode::kOk : StatusCode::kUnknown;
}

delivery::FileStatus FileFromJson(const Json& object) {
  delivery::FileStatus file;
  file.target = Text(object, "target");
  file.path = Text(object, "path");
  file.secret = Text(object, "secret");
  file.version_id = Text(object, "versionId");
  file.stage = Text(object, "stage");
  file.rendered_at = ParseRfc3339(Text(object, "renderedAt"));
  file.last_check = ParseRfc3339(Text(object, "lastCheck"));
  file.error = CodeFromName(Text(object, "error"));
  file.error_message = Text(object, "errorMessage");
  return file;
}

delivery::TargetStatus TargetFromJson(const Json& object) {
  delivery::TargetStatus target;
  target.path = Text(object, "path");
  target.generation = Text(object, "generation");
  target.complete = Flag(object, "complete");
  if (const std::string error = Text(object, "error"); !error.empty())
    target.last_error = UnknownError(error);
  return target;
}

std::string Pad(std::string_view text, size_t width) {
  std::string out(text.empty() ? "-" : text);
  if (out.size() < width) out.resize(width, ' ');
  return out;
}

}  // namespace

AgentState MakeState(const delivery::PipelineStatus& pipeline, std::string last_error,
                     WallTime now) {
  AgentState state;
  state.pipeline = pipeline;
  state.ready = pipeline.ready;
  state.stale = pipeline.stale;
  state.updated = now;
  state.last_error = std::move(last_error);
  return state;
}

void VerifyTargets(fs::FileSystem& file_system, AgentState& state) {
  for (delivery::TargetStatus& target : state.pipeline.targets) {
    if (!target.complete) continue;
    const Result<fs::FileInfo> data = file_system.StatFollow(StrCat(target.path, "/..data"));
    if (data.ok() && data->type == fs::FileType::kDirectory) continue;
    target.complete = false;
    target.last_error =
        data.ok() ? FailedPreconditionError("its published files are gone: ..data is no directory")
                  : AnnotateStatus(data.status(), "its published files are gone");
    state.ready = false;
    state.pipeline.ready = false;
  }
}

std::string FormatState(const AgentState& state) {
  Json root = {{"ready", state.ready},
               {"stale", state.stale},
               {"updated", FormatRfc3339(state.updated)},
               {"planError", state.plan_error},
               {"lastError", state.last_error},
               {"targets", Json::array()},
               {"files", Json::array()}};
  for (const auto& target : state.pipeline.targets) root["targets"].push_back(TargetToJson(target));
  for (const auto& file : state.pipeline.files) root["files"].push_back(FileToJson(file));
  return json::Dump(root);
}

Result<AgentState> ParseState(std::string_view text) {
  KEYTURN_ASSIGN_OR_RETURN(const Json root, json::CheckedParse(text));
  if (!root.is_object()) return InvalidArgumentError("state file: expected a JSON object");
  AgentState state;
  state.ready = Flag(root, "ready");
  state.stale = Flag(root, "stale");
  state.updated = ParseRfc3339(Text(root, "updated")).value_or(WallTime());
  state.plan_error = Text(root, "planError");
  state.last_error = Text(root, "lastError");
  const Json empty = Json::array();
  for (const Json& target : root.contains("targets") ? root["targets"] : empty) {
    if (target.is_object()) state.pipeline.targets.push_back(TargetFromJson(target));
  }
  for (const Json& file : root.contains("files") ? root["files"] : empty) {
    if (file.is_object()) state.pipeline.files.push_back(FileFromJson(file));
  }
  state.pipeline.ready = state.ready;
  state.pipeline.stale = state.stale;
  return state;
}

std::string ExplainState(const AgentState& state) {
  std::set<std::string> lines;  // one cause per line, each once
  for (const auto& file : state.pipeline.files) {
    if (file.error == StatusCode::kOk) continue;
    lines.insert(
        StrCat("file ", file.path, ": ", StatusCodeName(file.error), ": ", file.error_message));
  }
  for (const auto& target : state.pipeline.targets) {
    if (target.last_error.ok() || !lines.empty()) continue;
    lines.insert(StrCat("target ", target.path, ": ", target.last_error.message()));
  }
  if (lines.empty() && !state.last_error.empty()) lines.insert(state.last_error);
  if (lines.empty() && !state.ready) lines.insert("the first fetch is still under way");
  if (!state.plan_error.empty()) lines.insert(StrCat("plan not taken: ", state.plan_error));
  return Join({lines.begin(), lines.end()}, "\n");
}

std::string FormatStateForPeople(const AgentState& state) {
  size_t width = 4;
  for (const auto& file : state.pipeline.files) width = std::max(width, file.path.size());
  std::string out = StrCat("ready: ", state.ready ? "yes" : "no", state.stale ? " (stale)" : "",
                           "   updated: ", FormatRfc3339(state.updated), "\n\n");
  out += StrCat(Pad("FILE", width), "  ", Pad("VERSION", 36), "  ", Pad("RENDERED", 24), "  ",
                Pad("LAST CHECK", 24), "  SECRET / ERROR\n");
  for (const auto& file : state.pipeline.files) {
    out += StrCat(Pad(file.path, width), "  ", Pad(file.version_id, 36), "  ",
                  Pad(OptionalTime(file.rendered_at), 24), "  ",
                  Pad(OptionalTime(file.last_check), 24), "  ", file.secret);
    if (file.error != StatusCode::kOk)
      out += StrCat("  ", StatusCodeName(file.error), ": ", file.error_message);
    out += "\n";
  }
  if (!state.ready || !state.plan_error.empty()) out += StrCat("\n", ExplainState(state), "\n");
  return out;
}

std::string StateDirectory(const std::string& options_state_dir, const plan::Plan& plan) {
  if (!options_state_dir.empty()) return options_state_dir;
  const std::string& target = plan.targets.front().path;
  return StrCat(target.substr(0, target.find_last_of('/')), "/.keyturn");
}

}  // namespace keyturn::agent
