// SPDX-License-Identifier: Apache-2.0
#include "lib/aws/endpoints.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace keyturn::aws {
namespace {

struct Row {
  const char* service;
  const char* region;
  const char* hosts[4];  // plain, FIPS, dual stack, both
};

// Made by botocore 1.43.11's endpoint provider from the services' rule sets. "xx-new-9" stands for
// a region that we do not know yet.
const std::vector<Row> kRows = {
    {"secretsmanager",
     "eu-central-1",
     {"secretsmanager.eu-central-1.amazonaws.com", "secretsmanager-fips.eu-central-1.amazonaws.com",
      "secretsmanager.eu-central-1.amazonaws.com",
      "secretsmanager-fips.eu-central-1.amazonaws.com"}},
    {"secretsmanager",
     "us-east-1",
     {"secretsmanager.us-east-1.amazonaws.com", "secretsmanager-fips.us-east-1.amazonaws.com",
      "secretsmanager.us-east-1.amazonaws.com", "secretsmanager-fips.us-east-1.amazonaws.com"}},
    {"secretsmanager",
     "cn-north-1",
     {"secretsmanager.cn-north-1.amazonaws.com.cn",
      "secretsmanager-fips.cn-north-1.amazonaws.com.cn",
      "secretsmanager.cn-north-1.amazonaws.com.cn",
      "secretsmanager-fips.cn-north-1.api.amazonwebservices.com.cn"}},
    {"secretsmanager",
     "us-gov-west-1",
     {"secretsmanager.us-gov-west-1.amazonaws.com",
      "secretsmanager-fips.us-gov-west-1.amazonaws.com",
      "secretsmanager.us-gov-west-1.amazonaws.com",
      "secretsmanager-fips.us-gov-west-1.amazonaws.com"}},
    {"secretsmanager",
     "us-iso-east-1",
     {"secretsmanager.us-iso-east-1.c2s.ic.gov", "secretsmanager-fips.us-iso-east-1.c2s.ic.gov",
      "secretsmanager.us-iso-east-1.api.aws.ic.gov",
      "secretsmanager-fips.us-iso-east-1.api.aws.ic.gov"}},
    {"secretsmanager",
     "us-isob-east-1",
     {"secretsmanager.us-isob-east-1.sc2s.sgov.gov",
      "secretsmanager-fips.us-isob-east-1.sc2s.sgov.gov",
      "secretsmanager.us-isob-east-1.api.aws.scloud",
      "secretsmanager-fips.us-isob-east-1.api.aws.scloud"}},
    {"secretsmanager",
     "eu-isoe-west-1",
     {"secretsmanager.eu-isoe-west-1.cloud.adc-e.uk",
      "secretsmanager-fips.eu-isoe-west-1.cloud.adc-e.uk",
      "secretsmanager.eu-isoe-west-1.api.cloud-aws.adc-e.uk",
      "secretsmanager-fips.eu-isoe-west-1.api.cloud-aws.adc-e.uk"}},
    {"secretsmanager",
     "us-isof-south-1",
     {"secretsmanager.us-isof-south-1.csp.hci.ic.gov",
      "secretsmanager-fips.us-isof-south-1.csp.hci.ic.gov",
      "secretsmanager.us-isof-south-1.api.aws.hci.ic.gov",
      "secretsmanager-fips.us-isof-south-1.api.aws.hci.ic.gov"}},
    {"secretsmanager",
     "eusc-de-east-1",
     {"secretsmanager.eusc-de-east-1.amazonaws.eu",
      "secretsmanager-fips.eusc-de-east-1.amazonaws.eu",
      "secretsmanager.eusc-de-east-1.api.amazonwebservices.eu",
      "secretsmanager-fips.eusc-de-east-1.api.amazonwebservices.eu"}},
    {"secretsmanager",
     "mx-central-1",
     {"secretsmanager.mx-central-1.amazonaws.com", "secretsmanager-fips.mx-central-1.amazonaws.com",
      "secretsmanager.mx-central-1.amazonaws.com",
      "secretsmanager-fips.mx-central-1.amazonaws.com"}},
    {"secretsmanager",
     "xx-new-9",
     {"secretsmanager.xx-new-9.amazonaws.com", "secretsmanager-fips.xx-new-9.amazonaws.com",
      "secretsmanager.xx-new-9.amazonaws.com", "secretsmanager-fips.xx-new-9.amazonaws.com"}},
    {"sts",
     "eu-central-1",
     {"sts.eu-central-1.amazonaws.com", "sts-fips.eu-central-1.amazonaws.com",
      "sts.eu-central-1.api.aws", "sts-fips.eu-central-1.api.aws"}},
    {"sts",
     "us-east-1",
     {"sts.us-east-1.amazonaws.com", "sts-fips.us-east-1.amazonaws.com", "sts.us-east-1.api.aws",
      "sts-fips.us-east-1.api.aws"}},
    {"sts",
     "cn-north-1",
     {"sts.cn-north-1.amazonaws.com.cn", "sts-fips.cn-north-1.amazonaws.com.cn",
      "sts.cn-north-1.api.amazonwebservices.com.cn",
      "sts-fips.cn-north-1.api.amazonwebservices.com.cn"}},
    {"sts",
     "us-gov-west-1",
     {"sts.us-gov-west-1.amazonaws.com", "sts.us-gov-west-1.amazonaws.com",
      "sts.us-gov-west-1.api.aws", "sts-fips.us-gov-west-1.api.aws"}},
    {"sts",
     "us-iso-east-1",
     {"sts.us-iso-east-1.c2s.ic.gov", "sts-fips.us-iso-east-1.c2s.ic.gov",
      "sts.us-iso-east-1.api.aws.ic.gov", "sts-fips.us-iso-east-1.api.aws.ic.gov"}},
    {"sts",
     "us-isob-east-1",
     {"sts.us-isob-east-1.sc2s.sgov.gov", "sts-fips.us-isob-east-1.sc2s.sgov.gov",
      "sts.us-isob-east-1.api.aws.scloud", "sts-fips.us-isob-east-1.api.aws.scloud"}},
    {"sts",
     "eu-isoe-west-1",
     {"sts.eu-isoe-west-1.cloud.adc-e.uk", "sts-fips.eu-isoe-west-1.cloud.adc-e.uk",
      "sts.eu-isoe-west-1.api.cloud-aws.adc-e.uk",
      "sts-fips.eu-isoe-west-1.api.cloud-aws.adc-e.uk"}},
    {"sts",
     "us-isof-south-1",
     {"sts.us-isof-south-1.csp.hci.ic.gov", "sts-fips.us-isof-south-1.csp.hci.ic.gov",
      "sts.us-isof-south-1.api.aws.hci.ic.gov", "sts-fips.us-isof-south-1.api.aws.hci.ic.gov"}},
    {"sts",
     "eusc-de-east-1",
     {"sts.eusc-de-east-1.amazonaws.eu", "sts-fips.eusc-de-east-1.amazonaws.eu",
      "sts.eusc-de-east-1.api.amazonwebservices.eu",
      "sts-fips.eusc-de-east-1.api.amazonwebservices.eu"}},
    {"sts",
     "mx-central-1",
     {"sts.mx-central-1.amazonaws.com", "sts-fips.mx-central-1.amazonaws.com",
      "sts.mx-central-1.api.aws", "sts-fips.mx-central-1.api.aws"}},
    {"sts",
     "xx-new-9",
     {"sts.xx-new-9.amazonaws.com", "sts-fips.xx-new-9.amazonaws.com", "sts.xx-new-9.api.aws",
      "sts-fips.xx-new-9.api.aws"}},
    {"ssm",
     "eu-central-1",
     {"ssm.eu-central-1.amazonaws.com", "ssm-fips.eu-central-1.amazonaws.com",
      "ssm.eu-central-1.api.aws", "ssm-fips.eu-central-1.api.aws"}},
    {"ssm",
     "us-east-1",
     {"ssm.us-east-1.amazonaws.com", "ssm-fips.us-east-1.amazonaws.com", "ssm.us-east-1.api.aws",
      "ssm-fips.us-east-1.api.aws"}},
    {"ssm",
     "cn-north-1",
     {"ssm.cn-north-1.amazonaws.com.cn", "ssm-fips.cn-north-1.amazonaws.com.cn",
      "ssm.cn-north-1.api.amazonwebservices.com.cn",
      "ssm-fips.cn-north-1.api.amazonwebservices.com.cn"}},
    {"ssm",
     "us-gov-west-1",
     {"ssm.us-gov-west-1.amazonaws.com", "ssm.us-gov-west-1.amazonaws.com",
      "ssm.us-gov-west-1.api.aws", "ssm-fips.us-gov-west-1.api.aws"}},
    {"ssm",
     "us-iso-east-1",
     {"ssm.us-iso-east-1.c2s.ic.gov", "ssm-fips.us-iso-east-1.c2s.ic.gov",
      "ssm.us-iso-east-1.api.aws.ic.gov", "ssm-fips.us-iso-east-1.api.aws.ic.gov"}},
    {"ssm",
     "us-isob-east-1",
     {"ssm.us-isob-east-1.sc2s.sgov.gov", "ssm-fips.us-isob-east-1.sc2s.sgov.gov",
      "ssm.us-isob-east-1.api.aws.scloud", "ssm-fips.us-isob-east-1.api.aws.scloud"}},
    {"ssm",
     "eu-isoe-west-1",
     {"ssm.eu-isoe-west-1.cloud.adc-e.uk", "ssm-fips.eu-isoe-west-1.cloud.adc-e.uk",
      "ssm.eu-isoe-west-1.api.cloud-aws.adc-e.uk",
      "ssm-fips.eu-isoe-west-1.api.cloud-aws.adc-e.uk"}},
    {"ssm",
     "us-isof-south-1",
     {"ssm.us-isof-south-1.csp.hci.ic.gov", "ssm-fips.us-isof-south-1.csp.hci.ic.gov",
      "ssm.us-isof-south-1.api.aws.hci.ic.gov", "ssm-fips.us-isof-south-1.api.aws.hci.ic.gov"}},
    {"ssm",
     "eusc-de-east-1",
     {"ssm.eusc-de-east-1.amazonaws.eu", "ssm-fips.eusc-de-east-1.amazonaws.eu",
      "ssm.eusc-de-east-1.api.amazonwebservices.eu",
      "ssm-fips.eusc-de-east-1.api.amazonwebservices.eu"}},
    {"ssm",
     "mx-central-1",
     {"ssm.mx-central-1.amazonaws.com", "ssm-fips.mx-central-1.amazonaws.com",
      "ssm.mx-central-1.api.aws", "ssm-fips.mx-central-1.api.aws"}},
    {"ssm",
     "xx-new-9",
     {"ssm.xx-new-9.amazonaws.com", "ssm-fips.xx-new-9.amazonaws.com", "ssm.xx-new-9.api.aws",
      "ssm-fips.xx-new-9.api.aws"}},
};

TEST(EndpointsTest, HostsMatchTheServicesRuleSets) {
  for (const Row& row : kRows) {
    for (unsigned variant = 0; variant < 4; ++variant) {
      EndpointSettings settings;
      settings.fips = (variant & 1U) != 0;
      settings.dual_stack = (variant & 2U) != 0;
      const Result<net::Url> url = ResolveEndpoint(row.service, row.region, settings);
      ASSERT_TRUE(url.ok()) << url.status().ToString();
      EXPECT_EQ(url->ToString(), std::string("https://") + row.hosts[variant] + "/");
    }
  }
}

TEST(EndpointsTest, PartitionFollowsTheRegionsPrefix) {
  const std::vector<std::pair<const char*, const char*>> cases = {{"eu-central-1", "aws"},
                                                                  {"us-east-1", "aws"},
                                                                  {"", "aws"},
                                                                  {"xx-new-9", "aws"},
                                                                  {"cn-north-1", "aws-cn"},
                                                                  {"us-gov-east-1", "aws-us-gov"},
                                                                  {"us-iso-east-1", "aws-iso"},
                                                                  {"us-isob-east-1", "aws-iso-b"},
                                                                  {"eu-isoe-west-1", "aws-iso-e"},
                                                                  {"us-isof-east-1", "aws-iso-f"},
                                                                  {"eusc-de-east-1", "aws-eusc"}};
  for (const auto& [region, partition] : cases) EXPECT_EQ(PartitionOf(region), partition) << region;
}

TEST(EndpointsTest, ServiceOverrideBeatsTheGeneralOne) {
  EndpointSettings settings;
  settings.overrides = {{"", "http://127.0.0.1:1"}, {"sts", "https://sts.example/x"}, {"ssm", ""}};
  EXPECT_EQ(ResolveEndpoint("sts", "eu-central-1", settings)->ToString(), "https://sts.example/x");
  EXPECT_EQ(ResolveEndpoint("ssm", "eu-central-1", settings)->Origin(), "http://127.0.0.1:1");
  EXPECT_EQ(ResolveEndpoint("secretsmanager", "eu-central-1", settings)->port, 1);
}

TEST(EndpointsTest, RefusesFipsAndDualStackWithAnOverride) {
  for (const bool fips : {true, false}) {
    EndpointSettings settings;
    settings.overrides = {{"sts", "https://sts.example"}};
    settings.fips = fips;
    settings.dual_stack = !fips;
    EXPECT_EQ(ResolveEndpoint("sts", "eu-central-1", settings).status().code(),
              StatusCode::kInvalidArgument);
    EXPECT_TRUE(ResolveEndpoint("ssm", "eu-central-1", settings).ok()) << "not overridden";
  }
}

TEST(EndpointsTest, RefusesABadOverrideNamingTheService) {
  EndpointSettings settings;
  settings.overrides = {{"sts", "ftp://user:hunter2@host"}};
  const Status status = ResolveEndpoint("sts", "eu-central-1", settings).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("sts"), std::string::npos);
  EXPECT_EQ(status.message().find("hunter2"), std::string::npos);
}

TEST(EndpointsTest, RefusesRegionsThatAreNoHostLabel) {
  const std::vector<std::string> regions = {
      "",        "-",  "a.b", "eu-central-1/", "a@b",  "EU-CENTRAL-1",       "eu_central",
      "a b",     "-a", "a-",  "evil.example#", "a\nb", std::string(64, 'a'), std::string("a\0b", 3),
      "\xc3\xa9"};
  for (const std::string& region : regions) {
    EXPECT_EQ(ResolveEndpoint("sts", region, {}).status().code(), StatusCode::kInvalidArgument)
        << region;
  }
}

TEST(EndpointsTest, RegionOfArnReadsTheFourthField) {
  EXPECT_EQ(RegionOfArn("arn:aws:secretsmanager:eu-west-1:123456789012:secret:a-b1c2d3"),
            "eu-west-1");
  EXPECT_EQ(RegionOfArn("arn:aws:iam::123456789012:role/app"), "");
  EXPECT_EQ(RegionOfArn("arn:aws:secretsmanager:eu-west-1"), "");
  EXPECT_EQ(RegionOfArn("prod/db"), "");
  EXPECT_EQ(RegionOfArn(""), "");
}

}  // namespace
}  // namespace keyturn::aws
