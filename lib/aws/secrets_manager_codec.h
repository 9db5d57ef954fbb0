// Requests and answers of Secrets Manager as JSON. Source: botocore 1.43.11,
// data/secretsmanager/2017-10-17/service-2.json.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/aws/secrets_manager.h"

namespace keyturn::aws {

std::string EncodeGetSecretValue(const GetSecretValueRequest& request);
std::string EncodeBatchGetSecretValue(const std::vector<std::string>& secret_ids,
                                      std::string_view next_token);
std::string EncodeDescribeSecret(const std::string& secret_id);

// One page of BatchGetSecretValue, entries in the order given.
struct BatchPage {
  struct Entry {
    std::string id;  // of an error: the ARN or name that the service names
    std::string error_code;
    std::string error_message;  // as the service words it: not yet fit for a message of ours
    Status malformed;           // not OK: the value of `value.arn`, `value.name` cannot be used
    SecretValue value;
  };

  std::vector<Entry> entries;
  std::string next_token;
};

// ERRORS (all decoders): INVALID_ARGUMENT by member name or position. SECURITY: never a value.
Result<SecretValue> DecodeSecretValue(std::string_view text);
// An entry without a name or ARN spoils the page; an entry with an unusable value only itself.
Result<BatchPage> DecodeBatchPage(std::string_view text);
Result<SecretDescription> DecodeSecretDescription(std::string_view text);

}  // namespace keyturn::aws
