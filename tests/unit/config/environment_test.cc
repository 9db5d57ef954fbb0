// SPDX-License-Identifier: Apache-2.0
#include "lib/config/environment.h"

#include <stdlib.h>

#include <gtest/gtest.h>

namespace keyturn::config {
namespace {

TEST(EnvironmentTest, AnswersSetVariables) {
  const Environment environment(Environment::Variables{{"AWS_REGION", "eu-central-1"}});
  EXPECT_EQ(environment.Get("AWS_REGION"), "eu-central-1");
  EXPECT_EQ(environment.GetOr("AWS_REGION", "x"), "eu-central-1");
}

TEST(EnvironmentTest, TreatsUnsetAndEmptyAlike) {
  const Environment environment(Environment::Variables{{"EMPTY", ""}});
  for (const char* name : {"EMPTY", "UNSET"}) {
    EXPECT_EQ(environment.Get(name), std::nullopt) << name;
    EXPECT_EQ(environment.GetOr(name, "fallback"), "fallback") << name;
    const auto flag = environment.GetBool(name);
    ASSERT_TRUE(flag.ok()) << name;
    EXPECT_EQ(*flag, std::nullopt) << name;
  }
}

TEST(EnvironmentTest, ReadsBooleansWithoutCase) {
  const Environment environment(
      Environment::Variables{{"A", "true"}, {"B", "TRUE"}, {"C", "False"}});
  EXPECT_EQ(*environment.GetBool("A"), true);
  EXPECT_EQ(*environment.GetBool("B"), true);
  EXPECT_EQ(*environment.GetBool("C"), false);
}

TEST(EnvironmentTest, RefusesOtherBooleansByNameWithoutQuotingThem) {
  for (const char* text : {"1", "0", "yes", "on", "true ", "truefalse", "wJalrXUtnFEMI"}) {
    const Environment environment(Environment::Variables{{"AWS_USE_FIPS_ENDPOINT", text}});
    const auto flag = environment.GetBool("AWS_USE_FIPS_ENDPOINT");
    ASSERT_EQ(flag.status().code(), StatusCode::kInvalidArgument) << text;
    EXPECT_EQ(flag.status().message(),
              "reading environment variable AWS_USE_FIPS_ENDPOINT: must be true or false");
  }
}

TEST(EnvironmentTest, CopiesTheProcessEnvironment) {
  ASSERT_EQ(setenv("KEYTURN_ENVIRONMENT_TEST", "a=b", 1), 0);
  const Environment environment = Environment::FromProcess();
  ASSERT_EQ(setenv("KEYTURN_ENVIRONMENT_TEST", "later", 1), 0);
  EXPECT_EQ(environment.Get("KEYTURN_ENVIRONMENT_TEST"), "a=b");
}

}  // namespace
}  // namespace keyturn::config
