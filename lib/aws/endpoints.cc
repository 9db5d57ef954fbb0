// SPDX-License-Identifier: Apache-2.0
#include "lib/aws/endpoints.h"

#include <algorithm>
#include <array>
#include <vector>

#include "lib/base/strings.h"

namespace keyturn::aws {
namespace {

struct Partition {
  std::string_view name;
  std::string_view region_prefix;
  std::string_view dns_suffix;
  std::string_view dual_stack_suffix;
};

// Source: botocore 1.43.11, data/partitions.json. Every partition supports FIPS and dual stack.
// "aws" is last: its empty prefix takes every region that no other one claims.
constexpr std::array<Partition, 8> kPartitions = {{
    {"aws-cn", "cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn"},
    {"aws-us-gov", "us-gov-", "amazonaws.com", "api.aws"},
    {"aws-eusc", "eusc-", "amazonaws.eu", "api.amazonwebservices.eu"},
    {"aws-iso", "us-iso-", "c2s.ic.gov", "api.aws.ic.gov"},
    {"aws-iso-b", "us-isob-", "sc2s.sgov.gov", "api.aws.scloud"},
    {"aws-iso-e", "eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"},
    {"aws-iso-f", "us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov"},
    {"aws", "", "amazonaws.com", "api.aws"},
}};

const Partition& FindPartition(std::string_view region) {
  return *std::find_if(kPartitions.begin(), kPartitions.end(), [region](const Partition& p) {
    return region.starts_with(p.region_prefix);
  });
}

// The region becomes a part of a host name: nothing else than a label may pass.
// Source: RFC 1123 §2.1.
bool IsHostLabel(std::string_view text) {
  constexpr size_t kMaxLabel = 63;
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  };
  return !text.empty() && text.size() <= kMaxLabel && text.front() != '-' && text.back() != '-' &&
         std::all_of(text.begin(), text.end(), allowed);
}

// GovCloud's ordinary STS and SSM hosts are FIPS-validated; they have no "-fips" name without dual
// stack. Source: the services' endpoint rule sets.
bool HasFipsHost(std::string_view service, const Partition& partition, bool dual_stack) {
  const bool ordinary_is_fips = service == "sts" || service == "ssm";
  return dual_stack || partition.name != "aws-us-gov" || !ordinary_is_fips;
}

// Secrets Manager answers both IP families under its ordinary name in the older partitions.
bool HasDualStackSuffix(std::string_view service, const Partition& partition, bool fips) {
  if (service != "secretsmanager") return true;
  if (partition.name == "aws" || partition.name == "aws-us-gov") return false;
  return partition.name != "aws-cn" || fips;
}

std::string HostOf(std::string_view service, std::string_view region,
                   const EndpointSettings& settings) {
  const Partition& partition = FindPartition(region);
  const bool fips = settings.fips && HasFipsHost(service, partition, settings.dual_stack);
  const bool dual_stack =
      settings.dual_stack && HasDualStackSuffix(service, partition, settings.fips);
  return StrCat(service, fips ? "-fips" : "", ".", region, ".",
                dual_stack ? partition.dual_stack_suffix : partition.dns_suffix);
}

const std::string* OverrideFor(std::string_view service, const EndpointSettings& settings) {
  for (const std::string& key : {std::string(service), std::string()}) {
    const auto entry = settings.overrides.find(key);
    if (entry != settings.overrides.end() && !entry->second.empty()) return &entry->second;
  }
  return nullptr;
}

Result<net::Url> ResolveOverride(std::string_view service, const std::string& url,
                                 const EndpointSettings& settings) {
  if (settings.fips || settings.dual_stack) {
    return InvalidArgumentError(StrCat("endpoint of ", service, ": ",
                                       settings.fips ? "fips" : "dualStack",
                                       " cannot be combined with a custom endpoint"));
  }
  Result<net::Url> parsed = net::ParseUrl(url);
  if (!parsed.ok()) return AnnotateStatus(parsed.status(), StrCat("endpoint of ", service));
  return parsed;
}

}  // namespace

Result<net::Url> ResolveEndpoint(std::string_view service, std::string_view region,
                                 const EndpointSettings& settings) {
  if (!IsHostLabel(region)) {
    return InvalidArgumentError(StrCat("endpoint of ", service, ": region '",
                                       QuoteForMessage(region, 64), "' is not a valid name"));
  }
  if (const std::string* url = OverrideFor(service, settings)) {
    return ResolveOverride(service, *url, settings);
  }
  net::Url url;
  url.scheme = "https";
  url.host = HostOf(service, region, settings);
  url.port = 443;
  return url;
}

std::string_view PartitionOf(std::string_view region) {
  return FindPartition(region).name;
}

std::string_view RegionOfArn(std::string_view arn) {
  // arn:partition:service:region:account:resource
  constexpr size_t kFields = 6;
  constexpr size_t kRegionField = 3;
  const std::vector<std::string_view> fields = Split(arn, ':');
  return fields.size() >= kFields && fields[0] == "arn" ? fields[kRegionField] : std::string_view();
}

}  // namespace keyturn::aws
