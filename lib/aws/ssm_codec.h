// Requests and answers of Parameter Store as JSON. Source: botocore 1.43.11,
// data/ssm/2014-11-06/service-2.json.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/aws/ssm.h"

namespace keyturn::aws {

std::string EncodeGetParameters(const std::vector<std::string>& names);

struct GetParametersAnswer {
  struct Entry {
    ParameterValue parameter;
    std::string selector;  // ":3" or ":label"; empty when none was asked for or none was sent
  };

  std::vector<Entry> parameters;
  std::vector<std::string> invalid;  // names as the caller wrote them
};

// ERRORS: INVALID_ARGUMENT by member name or position. SECURITY: never a value.
Result<GetParametersAnswer> DecodeGetParameters(std::string_view text);

// The entry that `name` asked for, or null. Some servers send no selector: then the version number
// decides, and a label goes to the only entry of that parameter.
const GetParametersAnswer::Entry* FindParameter(const GetParametersAnswer& answer,
                                                std::string_view name);

}  // namespace keyturn::aws
