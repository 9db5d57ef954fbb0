// SPDX-License-Identifier: Apache-2.0
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/base/strings.h"
#include "lib/plan/plan.h"

namespace keyturn::plan {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

// A Plan around `files`, the text of a JSON array.
std::string WithFiles(const std::string& files) {
  return R"({"version": 1, "targets": [{"path": "/t", "files": )" + files + "}]}";
}

std::string WithFile(const std::string& file) {
  return WithFiles("[" + file + "]");
}

std::string WithSource(const std::string& source) {
  return WithFile(R"({"path": "a", "from": )" + source + "}");
}

// A Plan with one more section, such as R"("refresh": {…})".
std::string WithSection(const std::string& section) {
  return R"({"version": 1, "targets": [{"path": "/t", "files": [{"path": "a", "from": {"secret": "s"}}]}], )" +
         section + "}";
}

std::string WithIdentity(const std::string& identity) {
  return WithSection(R"("identities": {"x": )" + identity + "}");
}

std::string WithNotify(const std::string& entry) {
  return WithSection(R"("notify": [)" + entry + "]");
}

TEST(ParsePlanTest, ReadsEveryField) {
  const auto plan = ParsePlan(R"({"version": 1,
    "aws": {"region": "eu-central-1", "endpoints": {"sts": "https://sts.example.net"},
            "proxy": "http://proxy:3128", "fips": false, "dualStack": true},
    "identities": {
      "default": {"type": "webIdentity", "roleArn": "arn:aws:iam::123456789012:role/app",
                  "tokenFile": "/token", "sessionName": "app", "duration": "30m"},
      "audit": {"type": "assumeRole", "source": "default", "externalId": "id",
                "roleArn": "arn:aws:iam::123456789012:role/audit"}},
    "refresh": {"interval": "5m", "maxStaleness": "2h", "onRevoked": "remove", "push": "off",
                "hintUrl": "https://hints.example.net/"},
    "targets": [{"path": "/t", "allowDisk": true, "files": [
      {"path": "a/b", "from": {"secret": "prod/db", "key": "/p", "stage": "AWSPREVIOUS",
        "identity": "audit", "region": "us-east-1"}, "format": "json", "mode": "0440", "gid": 7,
        "optional": true},
      {"path": "t", "with": {"db": {"parameter": "/x", "jmesPath": "y"}}, "template": "{{db}}"}]}]})");
  ASSERT_TRUE(plan.ok()) << plan.status().message();
  EXPECT_EQ(plan->aws.region, "eu-central-1");
  EXPECT_EQ(plan->aws.endpoints.at("sts"), "https://sts.example.net");
  EXPECT_EQ(plan->aws.proxy, "http://proxy:3128");
  EXPECT_EQ(plan->aws.fips, false);
  EXPECT_EQ(plan->aws.dual_stack, true);

  const Identity& identity = plan->identities.at("default");
  EXPECT_EQ(identity.type, IdentityType::kWebIdentity);
  EXPECT_EQ(identity.token_file, "/token");
  EXPECT_EQ(identity.session_name, "app");
  EXPECT_EQ(identity.duration, minutes(30));
  EXPECT_EQ(plan->identities.at("audit").source, "default");
  EXPECT_EQ(plan->identities.at("audit").external_id, "id");

  EXPECT_EQ(plan->refresh.interval, minutes(5));
  EXPECT_EQ(plan->refresh.max_staleness, hours(2));
  EXPECT_EQ(plan->refresh.on_revoked, OnRevoked::kRemove);
  EXPECT_EQ(plan->refresh.push, Push::kOff);
  EXPECT_EQ(plan->refresh.hint_url, "https://hints.example.net/");

  ASSERT_EQ(plan->targets.size(), 1U);
  EXPECT_TRUE(plan->targets[0].allow_disk);
  const File& file = plan->targets[0].files[0];
  EXPECT_EQ(file.path, "a/b");
  EXPECT_EQ(file.format, Format::kJson);
  EXPECT_EQ(file.mode, 0440U);
  EXPECT_EQ(file.gid, 7U);
  EXPECT_TRUE(file.optional);
  EXPECT_EQ(file.from->secret, "prod/db");
  EXPECT_EQ(file.from->key, "/p");
  EXPECT_TRUE(file.from->has_key);
  EXPECT_EQ(file.from->stage, "AWSPREVIOUS");
  EXPECT_EQ(file.from->identity, "audit");
  EXPECT_EQ(file.from->region, "us-east-1");
  const File& templated = plan->targets[0].files[1];
  EXPECT_EQ(templated.mustache, "{{db}}");
  EXPECT_EQ(templated.with.at("db").parameter, "/x");
  EXPECT_EQ(templated.with.at("db").jmes_path, "y");
}

TEST(ParsePlanTest, ReadsEveryNotification) {
  const auto plan = ParsePlan(WithSection(R"("notify": [{"http": "http://localhost/r"},
    {"sentinel": "s"}, {"signal": "HUP", "process": "nginx"}, {"exec": ["/r", "x"]}])"));
  ASSERT_TRUE(plan.ok()) << plan.status().message();
  ASSERT_EQ(plan->notify.size(), 4U);
  EXPECT_EQ(std::get<HttpNotify>(plan->notify[0]).url, "http://localhost/r");
  EXPECT_EQ(std::get<SentinelNotify>(plan->notify[1]).path, "s");
  EXPECT_EQ(std::get<SignalNotify>(plan->notify[2]).process, "nginx");
  EXPECT_EQ(std::get<ExecNotify>(plan->notify[3]).argv, (std::vector<std::string>{"/r", "x"}));
}

TEST(ParsePlanTest, FillsInDefaults) {
  const auto plan = ParsePlan(WithSource(R"({"secret": "s"})"));
  ASSERT_TRUE(plan.ok()) << plan.status().message();
  EXPECT_EQ(plan->refresh.interval, minutes(10));
  EXPECT_EQ(plan->refresh.max_staleness, hours(1));
  EXPECT_EQ(plan->refresh.on_revoked, OnRevoked::kKeep);
  EXPECT_EQ(plan->refresh.push, Push::kAuto);
  EXPECT_FALSE(plan->targets[0].allow_disk);
  const File& file = plan->targets[0].files[0];
  EXPECT_EQ(file.mode, 0444U);
  EXPECT_EQ(file.format, Format::kRaw);
  EXPECT_FALSE(file.gid.has_value());
  EXPECT_FALSE(file.optional);
  EXPECT_EQ(file.from->identity, "default");
  EXPECT_FALSE(file.from->has_key);
  EXPECT_TRUE(plan->identities.empty());
  EXPECT_TRUE(plan->notify.empty());
}

TEST(ParsePlanTest, StalenessIsNeverLessThanTwoIntervalsByDefault) {
  EXPECT_EQ(ParsePlan(WithSection(R"("refresh": {"interval": "3h"})"))->refresh.max_staleness,
            hours(6));
  EXPECT_EQ(ParsePlan(WithSection(R"("refresh": {"interval": "1s"})"))->refresh.max_staleness,
            hours(1));
}

TEST(ParsePlanTest, TellsAnEmptyPointerFromNone) {
  const auto plan = ParsePlan(WithSource(R"({"secret": "s", "key": ""})"));
  ASSERT_TRUE(plan.ok());
  EXPECT_TRUE(plan->targets[0].files[0].from->has_key);
  EXPECT_THAT(FormatPlan(*plan), HasSubstr(R"("key":"")"));
}

struct Case {
  std::string text;
  std::string message;
};

void ExpectRefused(const std::vector<Case>& cases) {
  for (const Case& test : cases) {
    const auto plan = ParsePlan(test.text);
    ASSERT_FALSE(plan.ok()) << test.text;
    EXPECT_EQ(plan.status().code(), StatusCode::kInvalidArgument) << test.text;
    EXPECT_THAT(plan.status().message(), HasSubstr(test.message)) << test.text;
  }
}

TEST(ParsePlanTest, RefusesWhatIsNoPlan) {
  ExpectRefused({
      {"", "the Plan is not usable JSON: line 1, column 1"},
      {"[]", "the Plan: is an array, must be an object"},
      {"null", "the Plan: is null, must be an object"},
      {"{}", "version: is missing"},
      {R"({"version": 2})", "version: must be the number 1"},
      {R"({"version": "1"})", "version: must be the number 1"},
      {R"({"version": 1.0, "targets": []})", "version: must be the number 1"},
      {R"({"version": 1})", "targets: must name at least one target"},
      {R"({"version": 1, "version": 1})", "duplicate key"},
      {R"({"version": 1, "targets": {}})", "targets: is an object, must be an array"},
      {R"({"version": 1, "targets": [1]})", "targets[0]: is a number, must be an object"},
      {std::string(100000, ' '), "at most 98304 are allowed"},
      {std::string(100, '['), "nested deeper than 16"},
  });
}

TEST(ParsePlanTest, NamesUnknownFieldsAndTheNearestSpelling) {
  ExpectRefused({
      {R"({"version": 1, "target": []})", "target: is no field, did you mean 'targets'?"},
      {R"({"versoin": 1})", "versoin: is no field, did you mean 'version'?"},
      {WithFile(R"({"path": "a", "Mode": "0440"})"),
       "targets[0].files[0].Mode: is no field, did you mean 'mode'?"},
      {WithSource(R"({"secret": "s", "jmespath": "a"})"),
       "targets[0].files[0].from.jmespath: is no field, did you mean 'jmesPath'?"},
      {WithSource(R"({"secret": "s", "zzzzzzzzzz": 1})"), "known are 'secret', 'parameter', 'key'"},
      {WithSection(R"("aws": {"regoin": "x"})"), "aws.regoin: is no field, did you mean 'region'?"},
      {WithSection(R"("refresh": {"max_staleness": "1h"})"), "did you mean 'maxStaleness'?"},
      {WithIdentity(R"({"type": "profile", "rolearn": "x"})"),
       "identities.x.rolearn: is no field, did you mean 'roleArn'?"},
      {WithNotify(R"({"https": "x"})"), "notify[0].https: is no field, did you mean 'http'?"},
      {WithSection("\"a\\nb\": 1"), "a?b: is no field"},
  });
}

TEST(ParsePlanTest, RefusesWrongTypes) {
  ExpectRefused({
      {WithSection(R"("aws": [])"), "aws: is an array, must be an object"},
      {WithSection(R"("aws": {"region": 1})"), "aws.region: is a number, must be a string"},
      {WithSection(R"("aws": {"region": ""})"), "aws.region: must not be empty"},
      {WithSection(R"("aws": {"fips": "true"})"), "aws.fips: is a string, must be true or false"},
      {WithSection(R"("aws": {"endpoints": "x"})"),
       "aws.endpoints: is a string, must be an object"},
      {WithSection(R"("aws": {"endpoints": {"sts": 1}})"), "aws.endpoints.sts: is a number"},
      {WithSection(R"("identities": [])"), "identities: is an array, must be an object"},
      {WithSection(R"("refresh": {"interval": 600})"), "refresh.interval: is a number"},
      {WithSection(R"("refresh": {"interval": "600"})"), "refresh.interval: parsing duration"},
      {WithSection(R"("refresh": {"interval": "100000h"})"), "refresh.interval: "},
      {WithSection(R"("notify": {})"), "notify: is an object, must be an array"},
      {WithNotify("null"), "notify[0]: is null, must be an object"},
      {WithFile(R"({"path": "a", "from": "s"})"), "files[0].from: is a string, must be an object"},
      {WithFile(R"({"path": "a", "with": []})"), "files[0].with: is an array, must be an object"},
      {WithFile(R"({"path": "a", "with": {"b": 1}})"), "files[0].with.b: is a number"},
      {WithFile(R"({"path": "a", "optional": 1})"), "optional: is a number, must be true or false"},
      {WithFile(R"({"path": "a", "gid": "1"})"), "gid: must be a number from 0 to 4294967294"},
      {WithFile(R"({"path": "a", "gid": 1.5})"), "gid: must be a number"},
      {WithFile(R"({"path": "a", "gid": -1})"), "gid: must be a number"},
      {WithFile(R"({"path": "a", "gid": 4294967295})"), "gid: must be a number"},
      {WithFile(R"({"path": "a", "mode": 440})"),
       "mode: is a number, must be a string of octal digits such as \"0440\""},
      {WithFile(R"({"path": "a", "mode": "4755"})"),
       "mode: must be octal, such as \"0440\", and at "},
      {WithFile(R"({"path": "a", "mode": "0o440"})"), "mode: must be octal"},
      {WithFile(R"({"path": "a", "mode": "888"})"), "mode: must be octal"},
      {WithFile(R"({"path": "a", "format": "toml"})"),
       "format: must be one of 'raw', 'json', 'env'"},
      {WithSource(R"({"secret": null})"), "from.secret: is null, must be a string"},
      {WithSource(R"({"secret": ""})"), "from.secret: must not be empty"},
      {WithNotify(R"({"exec": "/bin/x"})"), "notify[0].exec: is a string, must be an array"},
      {WithNotify(R"({"exec": [1]})"), "notify[0].exec[0]: is a number"},
  });
}

TEST(ParsePlanTest, RefusesPathsThatThePublisherCouldNotTake) {
  const std::string rest = R"(", "from": {"secret": "s"}})";
  const auto file = [&rest](const std::string& path) {
    return WithFile(R"({"path": ")" + path + rest);
  };
  ExpectRefused({
      {WithFile(R"({"from": {"secret": "s"}})"), "targets[0].files[0].path: must not be empty"},
      {file("/a"), "must be relative to the target"},
      {file("../a"), "must not contain '..'"},
      {file("a/../b"), "must not contain '..'"},
      {file("..data"), "must not begin with '..'"},
      {file("..a/b"), "must not begin with '..'"},
      {file("a//b"), "no empty or '.' component"},
      {file("a/"), "no empty or '.' component"},
      {file("./a"), "no empty or '.' component"},
      {file("."), "no empty or '.' component"},
      {file("a\\u0000b"), "control characters"},
      {file("a\\nb"), "control characters"},
      {file(std::string(256, 'x')), "component of more than 255 bytes"},
      {file("a" + std::string(4096, '/')), "longer than 4096 bytes"},
      {WithFiles(
           R"([{"path": "a/b", "from": {"secret": "s"}}, {"path": "a/b", "from": {"secret": "t"}}])"),
       "targets[0].files[1].path: is used by targets[0].files[0].path already"},
      {WithFiles(
           R"([{"path": "a", "from": {"secret": "s"}}, {"path": "a/b", "from": {"secret": "t"}}])"),
       "targets[0].files[1].path: must not lie below 'a'"},
      {WithFiles(
           R"([{"path": "a/b/c", "from": {"secret": "s"}}, {"path": "a/b", "from": {"secret": "t"}}])"),
       "targets[0].files[0].path: must not lie below 'a/b'"},
      {WithFiles("[]"), "targets[0].files: must name at least one file"},
  });
  EXPECT_TRUE(ParsePlan(file("foo/..bar")).ok());
  EXPECT_TRUE(ParsePlan(file(std::string(255, 'x'))).ok());
  EXPECT_TRUE(ParsePlan(file(".hidden")).ok());
  EXPECT_TRUE(ParsePlan(file("...")).status().message().find("reserved") != std::string::npos);
}

TEST(ParsePlanTest, RefusesTargetsThatOverlap) {
  const auto targets = [](const std::string& a, const std::string& b) {
    const std::string files = R"(", "files": [{"path": "a", "from": {"secret": "s"}}]})";
    return R"({"version": 1, "targets": [{"path": ")" + a + files + R"(, {"path": ")" + b + files +
           "]}";
  };
  ExpectRefused({
      {targets("/a", "/a"), "targets[1].path: must be apart from targets[0].path '/a'"},
      {targets("/a", "/a/b"), "targets[1].path: must be apart"},
      {targets("/a/b", "/a"), "targets[1].path: must be apart"},
      {targets("a", "/b"), "targets[0].path: must be an absolute path"},
      {targets("/", "/b"), "targets[0].path: must name something below '/'"},
      {targets("/a/", "/b"), "no empty or '.' component"},
      {targets("/a/../b", "/c"), "must not contain '..'"},
  });
  EXPECT_TRUE(ParsePlan(targets("/a", "/ab")).ok());
}

TEST(ParsePlanTest, RefusesTooManyFiles) {
  const auto plan = [](size_t count) {
    std::string files;
    for (size_t i = 0; i < count; ++i) {
      files += StrCat(i == 0 ? "" : ",", R"({"path":"f)", i, R"(","from":{"secret":"s"}})");
    }
    return R"({"version":1,"targets":[{"path":"/t","files":[)" + files + "]}]}";
  };
  EXPECT_TRUE(ParsePlan(plan(kMaxFiles)).ok());
  ExpectRefused({{plan(kMaxFiles + 1), "targets[0].files: must have at most 1000 elements"}});
}

TEST(ParsePlanTest, RefusesSourcesThatNobodyCouldFetch) {
  const std::string name512(512, 'n');
  ExpectRefused({
      {WithSource("{}"), "from: needs exactly one of 'secret' and 'parameter'"},
      {WithSource(R"({"secret": "s", "parameter": "p"})"), "needs exactly one of"},
      {WithSource(R"({"secret": "a b"})"), "from.secret: may contain only letters, digits"},
      {WithSource(R"({"secret": ")" + name512 + R"(x"})"), "more than 512 characters"},
      {WithSource(R"({"secret": ")" + std::string(2049, 'x') + R"("})"), "1 to 2048 characters"},
      {WithSource(R"({"secret": "arn:aws:s3:::b"})"), "must be a secret's name or arn:aws:secrets"},
      {WithSource(R"({"secret": "arn:aws:secretsmanager:eu-west-1:12:secret:x"})"),
       "from.secret: "},
      {WithSource(R"({"secret": "arn:aws:secretsmanager::123456789012:secret:x"})"),
       "from.secret: "},
      {WithSource(R"({"secret": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:"})"),
       "from.secret: "},
      {WithSource(R"({"parameter": "a b"})"), "from.parameter: must be a parameter's name"},
      {WithSource(R"({"parameter": "a:"})"), "from.parameter: "},
      {WithSource(R"({"parameter": "a:1:2"})"), "from.parameter: "},
      {WithSource(R"({"parameter": "arn:aws:ssm:eu-west-1:123456789012:document/x"})"),
       "from.parameter: "},
      {WithSource(R"({"parameter": "p", "stage": "AWSCURRENT"})"),
       "from.stage: belongs to secrets"},
      {WithSource(R"({"parameter": "p", "versionId": "1"})"), "from.versionId: belongs to secrets"},
      {WithSource(R"({"secret": "s", "versionId": "1"})"),
       "from.versionId: must be a version id of 32"},
      {WithSource(R"({"secret": "s", "stage": ")" + std::string(257, 'x') + R"("})"),
       "from.stage: "},
      {WithSource(R"({"secret": "s", "key": "password"})"),
       "from.key: is a JSON Pointer: write '/password'"},
      {WithSource(R"({"secret": "s", "key": "/a~"})"), "from.key: JSON Pointer '/a~'"},
      {WithSource(R"({"secret": "s", "key": "", "jmesPath": "a"})"), "exclude each other"},
      {WithSource(R"({"secret": "s", "jmesPath": "a[*]"})"),
       "from.jmesPath: JMESPath 'a[*]', column 3: a wildcard is not supported"},
      {WithSource(R"({"secret": "s", "region": "EU"})"), "from.region: must be a region such as"},
      {WithSource(R"({"secret": "s", "identity": "x"})"),
       "from.identity: must be one of identities (defined: none), not 'x'"},
  });
  for (
      const std::string source :
      {R"({"secret": "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:a/b_+=.@-x"})",
       R"({"secret": "s", "stage": "AWSPREVIOUS", "versionId": "00000000000000000000000000000000"})",
       R"({"parameter": "arn:aws:ssm:eu-west-1:123456789012:parameter/a/b:prod"})",
       R"({"parameter": "name:3"})", R"({"secret": "s", "identity": "default"})"}) {
    EXPECT_TRUE(ParsePlan(WithSource(source)).ok()) << source;
  }
  EXPECT_TRUE(ParsePlan(WithSource(R"({"secret": ")" + name512 + R"("})")).ok());
}

TEST(ParsePlanTest, RefusesFilesWithoutOneContent) {
  const std::string with = R"("with": {"db": {"secret": "s"}})";
  ExpectRefused({
      {WithFile(R"({"path": "a"})"), "files[0]: needs exactly one of 'from' and 'template'"},
      {WithFile(R"({"path": "a", "from": {"secret": "s"}, "template": "x"})"), "exactly one of"},
      {WithFile(R"({"path": "a", "from": {"secret": "s"}, )" + with + "}"), "exactly one of"},
      {WithFile(R"({"path": "a", "template": "x"})"), "'template' needs 'with'"},
      {WithFile(R"({"path": "a", "template": "x", "with": {}})"), "'template' needs 'with'"},
      {WithFile(R"({"path": "a", "template": "", )" + with + "}"), "template: must not be empty"},
      {WithFile(R"({"path": "a", )" + with + "}"), "'with' needs 'template'"},
      {WithFile(R"({"path": "a", "format": "files", "template": "x", )" + with + "}"),
       "format: 'files' makes several files and takes no template"},
      {WithFile(R"({"path": "a", "format": "pem", "template": "x", )" + with + "}"), "'pem' makes"},
      {WithFile(R"({"path": "a", "template": "x", "with": {"a.b": {"secret": "s"}}})"),
       "files[0].with: an input's name must be"},
      {WithFile(R"({"path": "a", "template": "x", "with": {"1a": {"secret": "s"}}})"),
       "input's name"},
      {WithFile(R"({"path": "a", "template": "x", "with": {"db": {}}})"),
       "files[0].with.db: needs exactly one of 'secret' and 'parameter'"},
  });
}

TEST(ParsePlanTest, RefusesIdentitiesThatCannotWork) {
  const std::string role = R"("roleArn": "arn:aws:iam::123456789012:role/r")";
  const auto assume = [&role](const std::string& source) {
    return R"({"type": "assumeRole", )" + role + R"(, "source": ")" + source + R"("})";
  };
  ExpectRefused({
      {WithIdentity("{}"), "identities.x.type: is missing: one of 'webIdentity'"},
      {WithIdentity(R"({"type": "irsa"})"), "identities.x.type: must be one of 'webIdentity'"},
      {WithIdentity(R"({"type": "environment", )" + role + "}"),
       "identities.x.roleArn: does not belong to type 'environment'"},
      {WithIdentity(R"({"type": "webIdentity", "uri": "https://x/"})"),
       "identities.x.uri: does not"},
      {WithIdentity(R"({"type": "container", "source": "default"})"),
       "identities.x.source: does not"},
      {WithIdentity(R"({"type": "podIdentity", "duration": "1h"})"),
       "identities.x.duration: does not"},
      {WithIdentity(R"({"type": "webIdentity", "profile": "p"})"),
       "identities.x.profile: does not"},
      {WithIdentity(R"({"type": "profile", "tokenFile": "/t"})"),
       "identities.x.tokenFile: does not"},
      {WithIdentity(R"({"type": "webIdentity", "externalId": "ab"})"), "externalId: does not"},
      {WithIdentity(R"({"type": "profile", "sessionName": "ab"})"), "sessionName: does not"},
      {WithIdentity(R"({"type": "webIdentity", "roleArn": "app"})"),
       "identities.x.roleArn: must be a role's ARN such as"},
      {WithIdentity(R"({"type": "webIdentity", "roleArn": "arn:aws:iam::123456789012:user/u"})"),
       "roleArn: must be a role's ARN"},
      {WithIdentity(R"({"type": "webIdentity", "roleArn": "arn:aws:iam::12345:role/u"})"),
       "roleArn"},
      {WithIdentity(R"({"type": "webIdentity", "tokenFile": "t"})"),
       "tokenFile: must be an absolute"},
      {WithIdentity(R"({"type": "webIdentity", "sessionName": "a"})"),
       "sessionName: must be 2 to 64"},
      {WithIdentity(R"({"type": "webIdentity", "duration": "14m59s"})"), "between 15m and 12h"},
      {WithIdentity(R"({"type": "webIdentity", "duration": "12h1s"})"), "between 15m and 12h"},
      {WithIdentity(R"({"type": "webIdentity", "duration": "901500ms"})"),
       "whole number of seconds"},
      {WithIdentity(R"({"type": "container", "uri": "http://10.0.0.1/"})"),
       "uri: must be https, or"},
      {WithIdentity(R"({"type": "assumeRole", "source": "default"})"), "roleArn: is missing"},
      {WithIdentity(R"({"type": "assumeRole", )" + role + "}"), "source: is missing"},
      {WithIdentity(R"({"type": "assumeRole", "source": "default", "externalId": "a", )" + role +
                    "}"),
       "externalId: must be 2 to 1224"},
      {WithIdentity(assume("nobody")), "identities.x.source: must be the name of another identity"},
      {WithIdentity(assume("x")), "identities.x.source: goes round in a circle"},
      {WithSection(R"("identities": {"a": )" + assume("b") + R"(, "b": )" + assume("c") +
                   R"(, "c": )" + assume("a") + "}"),
       "identities.a.source: goes round in a circle"},
      {WithSection(R"("identities": {"default": )" + assume("default") + "}"), "in a circle"},
      {WithSection(R"("identities": {"a b": {"type": "environment"}})"),
       "an identity's name must be"},
      {WithSection(R"("identities": {"": {"type": "environment"}})"), "an identity's name must be"},
  });
  EXPECT_TRUE(ParsePlan(WithIdentity(assume("default"))).ok());
  EXPECT_TRUE(ParsePlan(WithIdentity(R"({"type": "webIdentity", "duration": "12h"})")).ok());
  EXPECT_TRUE(
      ParsePlan(WithIdentity(R"({"type": "podIdentity", "uri": "http://[fd00:ec2::23]/v1"})"))
          .ok());
}

TEST(ParsePlanTest, RefusesSettingsThatCannotWork) {
  ExpectRefused({
      {WithSection(R"("aws": {"region": "EU_1"})"), "aws.region: must be a region such as"},
      {WithSection(R"("aws": {"endpoints": {"s3": "https://x"}})"), "aws.endpoints: names must be"},
      {WithSection(R"("aws": {"endpoints": {"sts": "x"}})"), "aws.endpoints.sts: must be an http"},
      {WithSection(R"("aws": {"endpoints": {"sts": "http://10.0.0.1"}})"),
       "aws.endpoints.sts: must be https (http only to loopback), not 'http://10.0.0.1'"},
      {WithSection(R"("aws": {"endpoints": {"sts": "http://localhost.example.net"}})"),
       "must be https"},
      {WithSection(R"("aws": {"endpoints": {"sts": "http://127.1"}})"),
       "aws.endpoints.sts: must be "},
      {WithSection(R"("aws": {"fips": true, "endpoints": {"sts": "https://x"}})"),
       "aws.fips: excludes"},
      {WithSection(R"("aws": {"proxy": "socks5://x"})"), "aws.proxy: must be an http or https URL"},
      {WithSection(R"("aws": {"proxy": "http://u:hunter2@x"})"), "without user name, password"},
      {WithSection(R"("aws": {"caPem": "/etc/ca.pem"})"), "aws.caPem: must be PEM"},
      {WithSection(R"("aws": {"caPem": "-----BEGIN EC PRIVATE KEY-----"})"), "holds a private key"},
      {WithSection(R"("refresh": {"interval": "999ms"})"), "refresh.interval: must be at least 1s"},
      {WithSection(R"("refresh": {"interval": "0"})"), "refresh.interval: must be at least 1s"},
      {WithSection(R"("refresh": {"maxStaleness": "5m"})"), "must be at least refresh.interval"},
      {WithSection(R"("refresh": {"onRevoked": "delete"})"), "must be one of 'keep', 'remove'"},
      {WithSection(R"("refresh": {"push": "on"})"), "refresh.push: must be one of 'auto', 'off'"},
      {WithSection(R"("refresh": {"hintUrl": "http://example.net"})"),
       "refresh.hintUrl: must be https"},
  });
}

TEST(ParsePlanTest, AwsIsNeverAHintService) {
  for (const std::string host :
       {"secretsmanager.eu-central-1.amazonaws.com", "SecretsManager.EU-CENTRAL-1.AmazonAWS.com",
        "secretsmanager.eu-central-1.amazonaws.com.", "amazonaws.com", "amazonaws.com:8443",
        "secretsmanager.cn-north-1.amazonaws.com.cn", "secretsmanager.eu-central-1.api.aws",
        "vpce-1.secretsmanager.eu-central-1.vpce.amazonaws.com"}) {
    const auto plan = ParsePlan(WithSection(R"("refresh": {"hintUrl": "https://)" + host + "\"}"));
    EXPECT_THAT(plan.status().message(),
                HasSubstr("refresh.hintUrl: must not be an endpoint of AWS"))
        << host;
  }
  for (const std::string host : {"notamazonaws.com", "amazonaws.com.example", "myapi.aws"}) {
    const auto plan = ParsePlan(WithSection(R"("refresh": {"hintUrl": "https://)" + host + "\"}"));
    EXPECT_TRUE(plan.ok()) << plan.status().ToString();
  }
}

TEST(ParsePlanTest, NeverQuotesCredentialsOfUrls) {
  for (const char* field : {R"("aws": {"proxy": "http://u:hunter2@x"})",
                            R"("aws": {"endpoints": {"sts": "https://u:hunter2@x"}})",
                            R"("refresh": {"hintUrl": "https://hunter2@x"})"}) {
    EXPECT_THAT(ParsePlan(WithSection(field)).status().message(), Not(HasSubstr("hunter2")));
  }
}

TEST(ParsePlanTest, RefusesNotificationsThatCannotWork) {
  ExpectRefused({
      {WithNotify("{}"), "notify[0]: needs exactly one of 'http', 'sentinel', 'exec'"},
      {WithNotify(R"({"http": "http://127.0.0.1", "sentinel": "x"})"), "needs exactly one of"},
      {WithNotify(R"({"signal": "HUP", "process": "x", "http": "http://127.0.0.1"})"),
       "exactly one"},
      {WithNotify(R"({"http": "http://127.0.0.1", "process": "x"})"), "needs exactly one of"},
      {WithNotify(R"({"process": "x"})"), "needs exactly one of"},
      {WithNotify(R"({"http": "http://example.net/"})"),
       "notify[0].http: must be a loopback address"},
      {WithNotify(R"({"http": "http://10.0.0.1/"})"), "must be a loopback address"},
      {WithNotify(R"({"http": "127.0.0.1:80"})"), "notify[0].http: must be an http or https URL"},
      {WithNotify(R"({"sentinel": "a"})"), "notify[0].sentinel: must differ from the names of the"},
      {WithNotify(R"({"sentinel": "a/c"})"), "must differ from the names of the files"},
      {WithNotify(R"({"sentinel": "b//c"})"), "notify[0].sentinel: must have no empty"},
      {WithNotify(R"({"sentinel": "b/..c"})"), "notify[0].sentinel: must have components of at"},
      {WithNotify(R"({"sentinel": ")" + std::string(201, 'x') + R"("})"), "at most 200 bytes"},
      {WithNotify(R"({"sentinel": "..data"})"), "notify[0].sentinel: must not begin with '..'"},
      {WithNotify(R"({"sentinel": "/x"})"), "notify[0].sentinel: must be relative"},
      {WithNotify(R"({"signal": "HUP"})"), "notify[0].process: is missing"},
      {WithNotify(R"({"signal": "KILL", "process": "x"})"), "notify[0].signal: must be one of HUP"},
      {WithNotify(R"({"signal": "SIGHUP", "process": "x"})"), "(without 'SIG')"},
      {WithNotify(R"({"signal": "HUP", "process": "/usr/bin/x"})"), "not a path"},
      {WithNotify(R"({"signal": "HUP", "process": "sixteen-letters."})"),
       "must be 'sixteen-letters'"},
      {WithNotify(R"({"exec": []})"), "notify[0].exec: must have 1 to 64 elements"},
      {WithNotify(R"({"exec": ["reload"]})"), "notify[0].exec[0]: must be an absolute path"},
      {WithNotify(R"({"exec": ["/r", "a\u0000b"]})"), "must not contain a NUL character"},
  });
  std::string many = R"({"sentinel": "s"})";
  for (size_t i = 0; i < kMaxNotify; ++i) many += R"(, {"sentinel": "s"})";
  ExpectRefused({{WithNotify(many), "notify: must have at most 16 elements"}});
  EXPECT_TRUE(ParsePlan(WithNotify(R"({"sentinel": "state/changed"})")).ok());
  for (const char* url : {"https://127.9.9.9:8443/x?y=z", "http://[::1]:80", "http://LOCALHOST/"}) {
    EXPECT_TRUE(ParsePlan(WithNotify(StrCat(R"({"http": ")", url, R"("})"))).ok()) << url;
  }
}

TEST(ValidatePlanTest, ChecksWhatCompilersMayGetWrong) {
  Plan plan = ParsePlan(WithSource(R"({"secret": "s"})")).value();
  EXPECT_TRUE(ValidatePlan(plan).ok());
  File& file = plan.targets[0].files[0];
  file.mode = 04755;
  EXPECT_THAT(ValidatePlan(plan).message(), HasSubstr("mode: must be at most 0777"));
  file.mode = 0444;
  file.gid = UINT32_MAX;
  EXPECT_THAT(ValidatePlan(plan).message(), HasSubstr("gid: must be at most 4294967294"));
  file.gid.reset();
  plan.targets[0].files.resize(kMaxFiles + 1, file);
  EXPECT_THAT(ValidatePlan(plan).message(), HasSubstr("1001 files: at most 1000"));
  EXPECT_FALSE(ValidatePlan(Plan()).ok());
}

TEST(FormatPlanTest, LeavesDefaultsOut) {
  const auto plan = ParsePlan(R"({"version": 1, "aws": {}, "identities": {}, "notify": [],
    "refresh": {"interval": "600s", "maxStaleness": "60m", "onRevoked": "keep", "push": "auto"},
    "targets": [{"path": "/t", "allowDisk": false, "files": [{"path": "a", "mode": "444",
      "from": {"secret": "s", "identity": "default"}, "format": "raw", "optional": false}]}]})");
  ASSERT_TRUE(plan.ok()) << plan.status().message();
  EXPECT_EQ(
      FormatPlan(*plan),
      R"({"targets":[{"files":[{"from":{"secret":"s"},"path":"a"}],"path":"/t"}],"version":1})");
}

TEST(FormatPlanTest, KeepsWhatIsExplicit) {
  const auto plan = ParsePlan(WithSection(
      R"("aws": {"fips": false}, "refresh": {"interval": "90m", "maxStaleness": "90m"})"));
  ASSERT_TRUE(plan.ok());
  EXPECT_THAT(FormatPlan(*plan), HasSubstr(R"("aws":{"fips":false})"));
  EXPECT_THAT(FormatPlan(*plan), HasSubstr(R"("interval":"1h30m","maxStaleness":"1h30m")"));
}

}  // namespace
}  // namespace keyturn::plan
