// SPDX-License-Identifier: Apache-2.0
#include "lib/aws/secrets_manager_codec.h"

#include "lib/aws/json_fields.h"
#include "lib/aws/json_writer.h"
#include "lib/base/strings.h"
#include "lib/crypto/digest.h"
#include "lib/json/json.h"

namespace keyturn::aws {
namespace {

using json::Json;

// Labels per secret. Source: AWS user guide, Secrets Manager quotas: 20; emulators allow more.
constexpr size_t kMaxStages = 1000;

Result<SecretBytes> DecodeText(const Json& member) {
  if (!member.is_string()) return InvalidArgumentError("member 'SecretString' is no string");
  return SecretBytes(std::string_view(member.get_ref<const std::string&>()));
}

Result<SecretBytes> DecodeBinary(const Json& member) {
  if (!member.is_string()) return InvalidArgumentError("member 'SecretBinary' is no string");
  auto bytes = crypto::Base64Decode(member.get_ref<const std::string&>());
  if (!bytes) return InvalidArgumentError("member 'SecretBinary' is no base64");
  return std::move(*bytes);
}

Status DecodeValue(const Json& object, SecretValue& value) {
  const Json* text = FindMember(object, "SecretString");
  const Json* binary = FindMember(object, "SecretBinary");
  if ((text == nullptr) == (binary == nullptr)) {
    return InvalidArgumentError(text == nullptr ? "neither 'SecretString' nor 'SecretBinary'"
                                                : "both 'SecretString' and 'SecretBinary'");
  }
  value.is_binary = binary != nullptr;
  KEYTURN_ASSIGN_OR_RETURN(value.value,
                           value.is_binary ? DecodeBinary(*binary) : DecodeText(*text));
  return OkStatus();
}

Status DecodeNames(const Json& object, SecretValue& value) {
  KEYTURN_ASSIGN_OR_RETURN(value.arn, RequiredString(object, "ARN"));
  KEYTURN_ASSIGN_OR_RETURN(value.name, RequiredString(object, "Name"));
  return OkStatus();
}

Status DecodeVersion(const Json& object, SecretValue& value) {
  KEYTURN_ASSIGN_OR_RETURN(value.version_id, RequiredString(object, "VersionId"));
  KEYTURN_ASSIGN_OR_RETURN(value.stages, OptionalStrings(object, "VersionStages"));
  if (value.stages.size() > kMaxStages) return InvalidArgumentError("too many 'VersionStages'");
  value.created = OptionalTime(object, "CreatedDate");
  return DecodeValue(object, value);
}

Result<BatchPage::Entry> DecodeBatchValue(const Json& element) {
  if (!element.is_object())
    return InvalidArgumentError("an element of 'SecretValues' is no object");
  BatchPage::Entry entry;
  KEYTURN_RETURN_IF_ERROR(DecodeNames(element, entry.value));
  entry.malformed = DecodeVersion(element, entry.value);
  return entry;
}

Result<BatchPage::Entry> DecodeBatchError(const Json& element) {
  if (!element.is_object()) return InvalidArgumentError("an element of 'Errors' is no object");
  BatchPage::Entry entry;
  KEYTURN_ASSIGN_OR_RETURN(entry.id, RequiredString(element, "SecretId"));
  KEYTURN_ASSIGN_OR_RETURN(entry.error_code, RequiredString(element, "ErrorCode"));
  KEYTURN_ASSIGN_OR_RETURN(entry.error_message, OptionalString(element, "Message"));
  return entry;
}

template <typename Decode>
Status DecodeEntries(const Json& object, const char* name, Decode decode, BatchPage& page) {
  KEYTURN_ASSIGN_OR_RETURN(const Json* array, OptionalArray(object, name));
  if (array == nullptr) return OkStatus();
  for (const Json& element : *array) {
    KEYTURN_ASSIGN_OR_RETURN(BatchPage::Entry entry, decode(element));
    page.entries.push_back(std::move(entry));
  }
  return OkStatus();
}

// "3h" of RotationRules; anything else counts as absent. Source: service model, DurationType.
std::chrono::hours DecodeRotationWindow(const Json& description) {
  const Json* rules = FindMember(description, "RotationRules");
  const Json* duration =
      rules != nullptr && rules->is_object() ? FindMember(*rules, "Duration") : nullptr;
  if (duration == nullptr || !duration->is_string()) return {};
  std::string_view text = duration->get_ref<const std::string&>();
  if (!text.ends_with('h')) return {};
  text.remove_suffix(1);
  return std::chrono::hours(ParseUnsigned<uint16_t>(text).value_or(0));
}

Status DecodeVersionStages(const Json& object, SecretDescription& description) {
  const Json* versions = FindMember(object, "VersionIdsToStages");
  if (versions == nullptr) return OkStatus();
  if (!versions->is_object())
    return InvalidArgumentError("member 'VersionIdsToStages' is no object");
  for (const auto& [version, stages] : versions->items()) {
    KEYTURN_ASSIGN_OR_RETURN(description.version_stages[version],
                             OptionalStrings(*versions, version.c_str()));
  }
  return OkStatus();
}

}  // namespace

std::string EncodeGetSecretValue(const GetSecretValueRequest& request) {
  JsonWriter writer;
  writer.Text("SecretId", request.secret_id);
  if (!request.version_id.empty()) writer.Text("VersionId", request.version_id);
  if (!request.version_stage.empty()) writer.Text("VersionStage", request.version_stage);
  return writer.Finish();
}

std::string EncodeBatchGetSecretValue(const std::vector<std::string>& secret_ids,
                                      std::string_view next_token) {
  JsonWriter writer;
  writer.Texts("SecretIdList", secret_ids);
  if (!next_token.empty()) writer.Text("NextToken", next_token);
  return writer.Finish();
}

std::string EncodeDescribeSecret(const std::string& secret_id) {
  JsonWriter writer;
  writer.Text("SecretId", secret_id);
  return writer.Finish();
}

Result<SecretValue> DecodeSecretValue(std::string_view text) {
  KEYTURN_ASSIGN_OR_RETURN(const Json object, ParseObject(text));
  SecretValue value;
  KEYTURN_RETURN_IF_ERROR(DecodeNames(object, value));
  KEYTURN_RETURN_IF_ERROR(DecodeVersion(object, value));
  return value;
}

Result<BatchPage> DecodeBatchPage(std::string_view text) {
  KEYTURN_ASSIGN_OR_RETURN(const Json object, ParseObject(text));
  BatchPage page;
  KEYTURN_RETURN_IF_ERROR(DecodeEntries(object, "SecretValues", DecodeBatchValue, page));
  KEYTURN_RETURN_IF_ERROR(DecodeEntries(object, "Errors", DecodeBatchError, page));
  KEYTURN_ASSIGN_OR_RETURN(page.next_token, OptionalString(object, "NextToken"));
  return page;
}

Result<SecretDescription> DecodeSecretDescription(std::string_view text) {
  KEYTURN_ASSIGN_OR_RETURN(const Json object, ParseObject(text));
  SecretDescription description;
  KEYTURN_ASSIGN_OR_RETURN(description.arn, RequiredString(object, "ARN"));
  KEYTURN_ASSIGN_OR_RETURN(description.name, RequiredString(object, "Name"));
  KEYTURN_ASSIGN_OR_RETURN(description.rotation_enabled, OptionalBool(object, "RotationEnabled"));
  description.next_rotation = OptionalTime(object, "NextRotationDate");
  description.deleted = OptionalTime(object, "DeletedDate");
  description.rotation_window = DecodeRotationWindow(object);
  KEYTURN_RETURN_IF_ERROR(DecodeVersionStages(object, description));
  return description;
}

}  // namespace keyturn::aws
