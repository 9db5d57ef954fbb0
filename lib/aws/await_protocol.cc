// SPDX-License-Identifier: Apache-2.0
#include "lib/aws/await_protocol.h"

#include "lib/aws/json_fields.h"
#include "lib/aws/json_writer.h"
#include "lib/base/strings.h"
#include "lib/json/json.h"

namespace keyturn::aws {
namespace {

using json::Json;

// Source: service model, SecretIdType, SecretVersionStageType, SecretVersionIdType.
constexpr size_t kMaxSecretId = 2048;
constexpr size_t kMaxStage = 256;
constexpr size_t kMaxVersionId = 64;
constexpr size_t kMaxErrorCode = 128;
// Above it "spread" would mean that nobody is told.
constexpr std::chrono::hours kMaxSpread{1};

Status CheckSize(const char* name, const std::string& text, size_t maximum) {
  if (text.size() <= maximum) return OkStatus();
  return InvalidArgumentError(StrCat("member '", name, "' is longer than ", maximum));
}

// The array "Entries", within its limits.
Result<const Json*> FindEntries(const Json& object) {
  KEYTURN_ASSIGN_OR_RETURN(const Json* entries, OptionalArray(object, "Entries"));
  if (entries == nullptr) return InvalidArgumentError("member 'Entries' is missing");
  if (entries->size() > kMaxAwaitEntries) {
    return InvalidArgumentError(StrCat("more than ", kMaxAwaitEntries, " entries"));
  }
  for (const Json& entry : *entries) {
    if (!entry.is_object()) return InvalidArgumentError("an entry is no object");
  }
  return entries;
}

template <typename Entry>
Status DecodeKey(const Json& object, Entry& entry) {
  KEYTURN_ASSIGN_OR_RETURN(entry.secret_id, RequiredString(object, "SecretId"));
  KEYTURN_RETURN_IF_ERROR(CheckSize("SecretId", entry.secret_id, kMaxSecretId));
  KEYTURN_ASSIGN_OR_RETURN(entry.version_stage, RequiredString(object, "VersionStage"));
  return CheckSize("VersionStage", entry.version_stage, kMaxStage);
}

Result<AwaitEntry> DecodeEntry(const Json& object) {
  AwaitEntry entry;
  KEYTURN_RETURN_IF_ERROR(DecodeKey(object, entry));
  KEYTURN_ASSIGN_OR_RETURN(entry.known_version_id, OptionalString(object, "KnownVersionId"));
  KEYTURN_RETURN_IF_ERROR(CheckSize("KnownVersionId", entry.known_version_id, kMaxVersionId));
  return entry;
}

Status DecodeError(const Json& error, AwaitEntryState& entry) {
  if (!error.is_object()) return InvalidArgumentError("member 'Error' is no object");
  KEYTURN_ASSIGN_OR_RETURN(entry.error_code, RequiredString(error, "Code"));
  KEYTURN_RETURN_IF_ERROR(CheckSize("Code", entry.error_code, kMaxErrorCode));
  KEYTURN_ASSIGN_OR_RETURN(entry.error_message, OptionalString(error, "Message"));
  return OkStatus();
}

Result<AwaitEntryState> DecodeEntryState(const Json& object) {
  AwaitEntryState entry;
  KEYTURN_RETURN_IF_ERROR(DecodeKey(object, entry));
  KEYTURN_ASSIGN_OR_RETURN(entry.version_id, OptionalString(object, "VersionId"));
  KEYTURN_RETURN_IF_ERROR(CheckSize("VersionId", entry.version_id, kMaxVersionId));
  const Json* error = FindMember(object, "Error");
  if (entry.version_id.empty() == (error == nullptr)) {
    return InvalidArgumentError("an entry needs either 'VersionId' or 'Error'");
  }
  if (error != nullptr) KEYTURN_RETURN_IF_ERROR(DecodeError(*error, entry));
  return entry;
}

std::string EncodeEntry(const AwaitEntry& entry) {
  JsonWriter writer;
  writer.Text("SecretId", entry.secret_id);
  writer.Text("VersionStage", entry.version_stage);
  if (!entry.known_version_id.empty()) writer.Text("KnownVersionId", entry.known_version_id);
  return writer.Finish();
}

std::string EncodeEntryState(const AwaitEntryState& entry) {
  JsonWriter writer;
  writer.Text("SecretId", entry.secret_id);
  writer.Text("VersionStage", entry.version_stage);
  if (entry.error_code.empty()) {
    writer.Text("VersionId", entry.version_id);
    return writer.Finish();
  }
  JsonWriter error;
  error.Text("Code", entry.error_code);
  error.Text("Message", entry.error_message);
  writer.Raw("Error", error.Finish());
  return writer.Finish();
}

}  // namespace

std::string EncodeAwaitRequest(const AwaitRequest& request) {
  std::vector<std::string> entries;
  for (const AwaitEntry& entry : request.entries) entries.push_back(EncodeEntry(entry));
  JsonWriter writer;
  writer.Array("Entries", entries);
  writer.Number("WaitSeconds", request.wait.count());
  return writer.Finish();
}

Result<AwaitRequest> DecodeAwaitRequest(std::string_view json) {
  KEYTURN_ASSIGN_OR_RETURN(const Json object, ParseObject(json));
  KEYTURN_ASSIGN_OR_RETURN(const Json* entries, FindEntries(object));
  if (entries->empty()) return InvalidArgumentError("no entries");
  AwaitRequest request;
  for (const Json& element : *entries) {
    KEYTURN_ASSIGN_OR_RETURN(AwaitEntry entry, DecodeEntry(element));
    request.entries.push_back(std::move(entry));
  }
  KEYTURN_ASSIGN_OR_RETURN(const int64_t wait,
                           OptionalInteger(object, "WaitSeconds", kMaxAwaitWait.count()));
  if (wait < 0 || wait > kMaxAwaitWait.count()) {
    return InvalidArgumentError(
        StrCat("member 'WaitSeconds' is not between 0 and ", kMaxAwaitWait.count()));
  }
  request.wait = std::chrono::seconds(wait);
  return request;
}

std::string EncodeAwaitAnswer(const AwaitAnswer& answer) {
  std::vector<std::string> entries;
  for (const AwaitEntryState& entry : answer.entries) entries.push_back(EncodeEntryState(entry));
  JsonWriter writer;
  writer.Array("Entries", entries);
  if (answer.spread.count() > 0) writer.Number("SpreadMillis", answer.spread.count());
  return writer.Finish();
}

Result<AwaitAnswer> DecodeAwaitAnswer(std::string_view json) {
  KEYTURN_ASSIGN_OR_RETURN(const Json object, ParseObject(json));
  KEYTURN_ASSIGN_OR_RETURN(const Json* entries, FindEntries(object));
  AwaitAnswer answer;
  for (const Json& element : *entries) {
    KEYTURN_ASSIGN_OR_RETURN(AwaitEntryState entry, DecodeEntryState(element));
    answer.entries.push_back(std::move(entry));
  }
  KEYTURN_ASSIGN_OR_RETURN(const int64_t spread, OptionalInteger(object, "SpreadMillis", 0));
  if (spread < 0 || std::chrono::milliseconds(spread) > kMaxSpread) {
    return InvalidArgumentError("member 'SpreadMillis' is out of range");
  }
  answer.spread = std::chrono::milliseconds(spread);
  return answer;
}

}  // namespace keyturn::aws
