// No message about a secret holds a part of it.
// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/base/strings.h"
#include "tests/unit/delivery_render/render_testing.h"

namespace keyturn::delivery {
namespace {

using plan::Format;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr Format kFormats[] = {Format::kRaw,   Format::kJson,  Format::kEnv, Format::kProperties,
                               Format::kYaml,  Format::kFiles, Format::kDsn, Format::kPgpass,
                               Format::kMycnf, Format::kPem};

// Values around the canary that make a parser or a writer stumble, at the canary or beside it.
std::vector<std::string> MalformedValues() {
  std::vector<std::string> values = {
      "CANARY",
      "\xFF"
      "CANARY\xFF",
      "\"CANARY",
      "{\"a\":\"CANARY",
      "{\"a\":CANARY}",
      "{\"password\":\"CANARY\\x\"}",
      "[\"CANARY\"",
      "{\"a\":\"CANARY\"}CANARY",
      "{\"a\":\"CANARY\",\"a\":\"CANARY\"}",
      "{\"a\":\"CANARY\xC3(\"}",
      "{\"a\":1CANARY}",
      "{\"a\":\"CANARY\\ud800\"}",
      "-----BEGIN CANARY-----\nCANARY\n-----END CANARY-----\n",
      "-----BEGIN CERTIFICATE-----\nCANARY\n-----END CERTIFICATE-----\n",
      "-----BEGIN CANARY",
      std::string("CANARY\0CANARY", 13),
      "[\"CANARY\"]",
      "\"CANARY\"",
      "{\"certificate\":\"CANARY\",\"key\":\"CANARY\"}",
      std::string(100, '[') + "CANARY"};
  for (const char* broken : {"CANARY\\u0000", "CANARY\\n", "CANARY\\r", "\\nCANARY"}) {
    for (const char* key : {"engine", "host", "port", "username", "password", "dbname"}) {
      std::string json = R"({"engine":"mysql","host":"h","username":"u","password":"p")";
      json += StrCat(",\"extra\":\"CANARY\"}");
      const std::string member = StrCat("\"", key, "\":\"");
      const size_t at = json.find(member);
      if (at == std::string::npos) {
        json.insert(1, StrCat(member, broken, "\","));
      } else {
        json.replace(at + member.size(), json.find('"', at + member.size()) - at - member.size(),
                     broken);
      }
      values.push_back(json);
    }
  }
  values.push_back(
      R"({"engine":"CANARY","host":"h","username":"u","password":"p","port":"CANARY"})");
  values.push_back(StrCat(R"({"username":"u","password":"CANARY)", std::string(5000, 'x'), "\"}"));
  return values;
}

size_t CheckStatus(const Status& status) {
  EXPECT_THAT(status.message(), Not(HasSubstr("ANAR")));
  return status.ok() ? 0 : 1;
}

TEST(RenderSecrecyTest, NoErrorHoldsAPartOfAValue) {
  size_t errors = 0;
  for (const std::string& value : MalformedValues()) {
    for (const Format format : kFormats) {
      errors += CheckStatus(RenderToMap(FileFrom(format), {{"", Fetched(value)}}).status());
      for (const char* key : {"", "/a", "/password/x", "/0/1", "/-"}) {
        errors += CheckStatus(RenderKey(format, value, key).status());
      }
      plan::Source source = SecretSource();
      source.jmes_path = "password.x || a[0].b";
      errors += CheckStatus(RenderToMap(FileFrom(format, source), {{"", Fetched(value)}}).status());
    }
  }
  EXPECT_GT(errors, 1000U);
}

TEST(RenderSecrecyTest, NoTemplateErrorHoldsAPartOfAValue) {
  const char* templates[] = {"{{db}}",
                             "{{db.a}}",
                             "{{db.password}}",
                             "'{{db.password}}'",
                             "\"{{db.password}}\"",
                             "x: '{{db}}'",
                             "# {{db.password}}",
                             "{{#db}}{{a}}{{b}}{{/db}}",
                             "{{#db.a}}{{.}}{{x}}{{/db.a}}",
                             "{{db.a.b.c}}",
                             "{{#db}}{{.}}{{/db}}",
                             "{{db.host}}:{{db.port}}"};
  size_t errors = 0;
  for (const std::string& value : MalformedValues()) {
    for (const char* text : templates) {
      for (const Format format : kFormats) {
        errors += CheckStatus(RenderTemplateText(format, text, value).status());
      }
    }
  }
  EXPECT_GT(errors, 1000U);
}

}  // namespace
}  // namespace keyturn::delivery
