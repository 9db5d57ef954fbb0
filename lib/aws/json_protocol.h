// The JSON 1.1 protocol of AWS services. Source: botocore 1.43.11, botocore/parsers.py (JSON error
// shapes); https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "lib/aws/aws_error.h"
#include "lib/aws/service_caller.h"

namespace keyturn::aws {

// Code: member "__type" or "code", else the header x-amzn-ErrorType; text: "message" or "Message".
// A body that is no JSON object leaves both empty, unless the header names the code.
AwsError ParseJsonError(const net::HttpResponse& response);

// Content type and X-Amz-Target of a call: "secretsmanager.GetSecretValue".
std::vector<std::pair<std::string, std::string>> JsonHeaders(std::string target);

// "GetSecretValue prod/db: malformed answer: why". `why` never quotes the answer.
Status MalformedAnswer(const ServiceCall& call, const Status& why);

}  // namespace keyturn::aws
