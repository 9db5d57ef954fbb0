// Where a service of a region is reached. Partition-aware.
// Source: the endpoint rule sets of the service models (botocore secretsmanager/sts/ssm
// endpoint-rule-set-1). SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "lib/base/result.h"
#include "lib/net/http_types.h"

namespace keyturn::aws {

// Service ids as in the Plan's `endpoints` and in AWS_ENDPOINT_URL_*: "secretsmanager", "sts",
// "ssm".
struct EndpointSettings {
  std::map<std::string, std::string> overrides;  // service id → URL; "" → URL for every service
  bool fips = false;
  bool dual_stack = false;
};

// ERRORS: INVALID_ARGUMENT for a region that is no valid host label, or FIPS with an override (as
// the SDKs).
Result<net::Url> ResolveEndpoint(std::string_view service, std::string_view region,
                                 const EndpointSettings& settings);

// "aws", "aws-cn", "aws-us-gov", … by the region's prefix; unknown prefixes are "aws".
std::string_view PartitionOf(std::string_view region);

// The region field of an ARN, or empty.
std::string_view RegionOfArn(std::string_view arn);

}  // namespace keyturn::aws
