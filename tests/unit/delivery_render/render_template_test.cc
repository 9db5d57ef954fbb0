// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/base/strings.h"
#include "tests/unit/delivery_render/render_testing.h"

namespace keyturn::delivery {
namespace {

using plan::Format;
using ::testing::HasSubstr;

constexpr std::string_view kDb =
    R"({"host":"h","port":5432,"tls":true,"off":false,"none":null,"empty":"","odd":"a'b\"c$`\\ é",)"
    R"("lines":"1\n2","obj":{"x":"y"},"users":[{"n":"a","p":"1"},{"n":"b","p":"2"}],)"
    R"("tags":["t1","t2"],"nothing":[],"blank":"  ","null_byte":"\u0000","unicode":"\u2028"})";

struct Case {
  Format format;
  const char* text;
  const char* expected;
};

void ExpectAll(const std::vector<Case>& cases) {
  for (const Case& each : cases) {
    const auto text = RenderTemplateText(each.format, each.text, kDb, "plain <'&\">");
    ASSERT_TRUE(text.ok()) << each.text << ": " << text.status().message();
    EXPECT_EQ(*text, each.expected) << each.text;
  }
}

TEST(RenderTemplateTest, FillsVariables) {
  ExpectAll({
      {Format::kRaw, "no tags\r\n\n", "no tags\r\n\n"},
      {Format::kRaw, "host={{db.host}} port={{ db.port }}", "host=h port=5432"},
      {Format::kRaw, "{{api}} {{{api}}} {{& api}}", "plain <'&\"> plain <'&\"> plain <'&\">"},
      {Format::kRaw, "{{db.odd}}|{{db.empty}}|{{db.lines}}|{{db.tls}}", "a'b\"c$`\\ é||1\n2|true"},
      {Format::kRaw, "{{db.obj}} {{db.obj.x}}", "{\"x\":\"y\"} y"},
      {Format::kRaw, "{\"a\":{{db.port}}}", "{\"a\":5432}"},
      {Format::kRaw, "}} { }}}", "}} { }}}"},
  });
}

TEST(RenderTemplateTest, EntersSections) {
  ExpectAll({
      {Format::kRaw, "{{#db.users}}{{n}}:{{p}};{{/db.users}}", "a:1;b:2;"},
      {Format::kRaw, "{{#db.tags}}<{{.}}>{{/db.tags}}", "<t1><t2>"},
      {Format::kRaw, "{{#db.users}}{{n}}@{{db.host}} {{/db.users}}", "a@h b@h "},
      {Format::kRaw, "{{#db}}{{host}}{{#obj}}{{x}}{{port}}{{/obj}}{{/db}}", "hy5432"},
      {Format::kRaw, "{{#db.tls}}on{{/db.tls}}{{^db.tls}}off{{/db.tls}}", "on"},
      {Format::kRaw, "{{#db.off}}on{{/db.off}}{{^db.off}}off{{/db.off}}", "off"},
      {Format::kRaw, "{{#db.missing}}on{{/db.missing}}{{^db.missing}}off{{/db.missing}}", "off"},
      {Format::kRaw, "{{#db.none}}x{{/db.none}}{{#db.empty}}x{{/db.empty}}", ""},
      {Format::kRaw, "{{#db.nothing}}x{{/db.nothing}}{{^db.nothing}}none{{/db.nothing}}", "none"},
      {Format::kRaw, "{{#db.port}}:{{db.port}}{{/db.port}}", ":5432"},
      {Format::kRaw, "{{#db.users}}{{#db.tags}}{{n}}{{.}} {{/db.tags}}{{/db.users}}",
       "at1 at2 bt1 bt2 "},
  });
}

TEST(RenderTemplateTest, LeavesNoLineBehindASectionTagOrComment) {
  ExpectAll({
      {Format::kRaw, "a\n{{#db.tags}}\n- {{.}}\n{{/db.tags}}\nb\n", "a\n- t1\n- t2\nb\n"},
      {Format::kRaw, "a\n  {{#db.off}}\nx\n  {{/db.off}}\nb\n", "a\nb\n"},
      {Format::kRaw, "a\r\n{{^db.off}}\r\nx\r\n{{/db.off}}\r\nb", "a\r\nx\r\nb"},
      {Format::kRaw, "a\n{{! a comment\nof two lines }}\nb\n", "a\nb\n"},
      {Format::kRaw, "a {{! comment }}b\n", "a b\n"},
      {Format::kRaw, "{{#db.tls}}{{db.blank}}{{/db.tls}}\n{{db.empty}}\nx", "  \n\nx"},
  });
}

TEST(RenderTemplateTest, EscapesForTheFormatAndTheQuotesAround) {
  ExpectAll({
      {Format::kEnv, "P={{db.odd}}\n", "P='a'\"'\"'b\"c$`\\ é'\n"},
      {Format::kEnv, "P='{{db.odd}}'\n", "P='a'\"'\"'b\"c$`\\ é'\n"},
      {Format::kEnv, "P=\"{{db.odd}}\"\n", "P=\"a'b\\\"c\\$\\`\\\\ é\"\n"},
      {Format::kEnv, "# don't {{db.odd}}\nP={{db.port}}", "# don't a'b\"c$`\\ é\nP='5432'"},
      {Format::kEnv, "P=a#b'c'\\'{{db.host}}", "P=a#b'c'\\''h'"},
      {Format::kEnv, "P={{{db.odd}}}", "P=a'b\"c$`\\ é"},
      {Format::kJson, "{\"a\":{{db.odd}},\"b\":\"x{{db.odd}}\"}",
       "{\"a\":\"a'b\\\"c$`\\\\ é\",\"b\":\"xa'b\\\"c$`\\\\ é\"}"},
      {Format::kJson, "[{{db.port}},\"{{db.port}}\",{{db.tls}},{{db.obj}},\"{{db.obj}}\"]",
       "[5432,\"5432\",true,{\"x\":\"y\"},\"{\\\"x\\\":\\\"y\\\"}\"]"},
      {Format::kJson, "\"\\\"{{db.lines}}\"", "\"\\\"1\\n2\""},
      {Format::kYaml, "a: {{db.odd}}\nb: \"{{db.odd}}\"\nc: '{{db.odd}}'\n",
       "a: \"a'b\\\"c$`\\\\ é\"\nb: \"a'b\\\"c$`\\\\ é\"\nc: 'a''b\"c$`\\ é'\n"},
      {Format::kYaml,
       "a: don't {{db.port}}\nb: !!str '{{db.odd}}'\n# it's\nc: {\"d\":\"{{db.odd}}\"}",
       "a: don't 5432\nb: !!str 'a''b\"c$`\\ é'\n# it's\nc: {\"d\":\"a'b\\\"c$`\\\\ é\"}"},
      {Format::kYaml, "- {{db.unicode}}\n- {{db.null_byte}}", "- \"\\u2028\"\n- \"\\u0000\""},
      {Format::kProperties, "a={{db.odd}}\nb={{db.lines}}\n",
       "a=a'b\"c$`\\\\\\ \\u00E9\nb=1\\n2\n"},
      {Format::kDsn, "mysql://u:{{db.odd}}@{{db.host}}/",
       "mysql://u:a%27b%22c%24%60%5C%20%C3%A9@h/"},
      {Format::kPgpass, "{{db.host}}:*:*:u:{{db.odd}}\n", "h:*:*:u:a'b\"c$`\\\\ é\n"},
      {Format::kMycnf, "[client]\npassword={{db.odd}}\nuser=\"{{db.odd}}\"\n",
       "[client]\npassword=\"a\\'b\\\"c$`\\\\ é\"\nuser=\"a\\'b\\\"c$`\\\\ é\"\n"},
      {Format::kRaw, "'{{db.odd}}'", "'a'b\"c$`\\ é'"},
  });
}

TEST(RenderTemplateTest, ReadsTheKeysOfTheOnlySource) {
  plan::File file = FileFrom(Format::kRaw);
  file.mustache = "{{host}}:{{port}}{{#tags}} {{.}}{{/tags}}{{^missing}}!{{/missing}}";
  const auto text = OnlyFile(RenderToMap(file, {{"", Fetched(kDb)}}));
  ASSERT_TRUE(text.ok()) << text.status().message();
  EXPECT_EQ(*text, "h:5432 t1 t2!");
}

TEST(RenderTemplateTest, TakesInputsThatAreSelectedOrBinary) {
  plan::File file;
  file.path = "out";
  file.mustache = "{{user}} {{{blob}}}";
  file.with["user"] = SecretSource();
  file.with["user"].jmes_path = "users[1].n";
  file.with["blob"] = SecretSource("bin");
  const auto text = OnlyFile(
      RenderToMap(file, {{"user", Fetched(kDb)}, {"blob", Fetched({"\xFF\0\x01", 3}, true)}}));
  ASSERT_TRUE(text.ok()) << text.status().message();
  EXPECT_EQ(*text, std::string("b \xFF\0\x01", 5));
}

struct ErrorCase {
  Format format;
  std::string text;
  StatusCode code;
  const char* message;
};

constexpr StatusCode kInvalid = StatusCode::kInvalidArgument;
constexpr StatusCode kMissing = StatusCode::kNotFound;

TEST(RenderTemplateTest, NamesLineSecretAndKeyOfWhatIsMissing) {
  const ErrorCase cases[] = {
      {Format::kRaw, "a\n{{db.password}}", kMissing,
       "file out: template line 2: secret prod/db has no key password"},
      {Format::kRaw, "{{db.obj.y}}", kMissing, "secret prod/db has no key obj.y"},
      {Format::kRaw, "{{#db.users}}{{q}}{{/db.users}}", kMissing,
       "secret prod/db has no key q in section db.users"},
      {Format::kRaw, "{{#db}}{{obj.y}}{{/db}}", kMissing, "secret prod/db has no key obj.y"},
      {Format::kRaw, "{{dbx.host}}", kInvalid, "line 1: there is no input dbx"},
      {Format::kRaw, "{{#dbx}}x{{/dbx}}", kInvalid, "there is no input dbx"},
      {Format::kRaw, "{{api.key}}", kInvalid, "secret prod/api is no JSON object at its top"},
      {Format::kRaw, "{{db.host.x}}", kInvalid, "secret prod/db is no JSON object at host"},
      {Format::kRaw, "{{db.none}}", kInvalid, "secret prod/db: db.none: is null"},
      {Format::kRaw, "{{.}}", kInvalid, "outside a section"},
      {Format::kEnv, "A={{db.null_byte}}", kInvalid, "db.null_byte: a NUL byte"},
      {Format::kEnv, "# {{db.lines}}", kInvalid, "a line feed cannot be written in format env"},
      {Format::kPgpass, "{{db.lines}}", kInvalid, "a line feed"},
      {Format::kYaml, "a: '{{db.lines}}'", kInvalid, "between single quotes"},
      {Format::kYaml, "a: '{{db.unicode}}'", kInvalid, "between single quotes"},
  };
  for (const ErrorCase& each : cases) {
    const auto text = RenderTemplateText(each.format, each.text, kDb, "plain");
    EXPECT_EQ(text.status().code(), each.code) << each.text;
    EXPECT_THAT(text.status().message(), HasSubstr(each.message)) << each.text;
  }
}

TEST(RenderTemplateTest, RefusesMalformedTemplates) {
  std::string deep;
  for (int i = 0; i < 17; ++i) deep += "{{#db}}";
  const ErrorCase cases[] = {
      {Format::kRaw, "\n\n{{", kInvalid, "template line 3: a tag is not closed"},
      {Format::kRaw, "{{db.host}", kInvalid, "a tag is not closed"},
      {Format::kRaw, "{{{db.host}}", kInvalid, "a tag is not closed"},
      {Format::kRaw, "{{}}", kInvalid, "an empty tag"},
      {Format::kRaw, "{{ }}", kInvalid, "an empty tag"},
      {Format::kRaw, "{{{}}}", kInvalid, "malformed name"},
      {Format::kRaw, "{{#}}{{/}}", kInvalid, "malformed name"},
      {Format::kRaw, "{{a b}}", kInvalid, "malformed name a b"},
      {Format::kRaw, "{{a..b}}", kInvalid, "malformed name"},
      {Format::kRaw, "{{.a}}", kInvalid, "malformed name"},
      {Format::kRaw, "{{{{db}}}}", kInvalid, "malformed name"},
      {Format::kRaw, "{{*db}}", kInvalid, "malformed name"},
      {Format::kRaw, "x\n{{#db}}\n", kInvalid, "template line 2: a section is not closed"},
      {Format::kRaw, "{{/db}}", kInvalid, "section db is closed but not open"},
      {Format::kRaw, "{{#db}}{{/api}}", kInvalid, "section api is closed but not open"},
      {Format::kRaw, "{{#db}}{{#api}}{{/db}}{{/api}}", kInvalid, "section db is closed"},
      {Format::kRaw, "{{> partial}}", kInvalid, "partials are not supported"},
      {Format::kRaw, "{{=<% %>=}}", kInvalid, "changing the delimiters"},
      {Format::kRaw, {"a\0b", 3}, kInvalid, "holds a NUL byte"},
      {Format::kRaw, deep, kInvalid, "nested too deeply"},
      {Format::kJson, "\"\\{{db.host}}\"", kInvalid, "a backslash in front of a tag"},
      {Format::kFiles, "x", kInvalid, "its format cannot be files or pem"},
      {Format::kPem, "x", kInvalid, "its format cannot be files or pem"},
  };
  for (const ErrorCase& each : cases) {
    const auto text = RenderTemplateText(each.format, each.text, kDb, "plain");
    EXPECT_EQ(text.status().code(), each.code) << each.text;
    EXPECT_THAT(text.status().message(), HasSubstr(each.message)) << each.text;
  }
}

TEST(RenderTemplateTest, RefusesOutputThatMultiplies) {
  std::string list = "[1";
  for (int i = 0; i < 2'000; ++i) list += ",1";
  list += "]";
  std::string text = "x";
  for (int i = 0; i < 8; ++i) text = StrCat("{{#db}}", text, "{{/db}}");
  const auto rendered = RenderTemplateText(Format::kRaw, text, list);
  EXPECT_EQ(rendered.status().code(), kInvalid);
  EXPECT_THAT(rendered.status().message(), HasSubstr("larger than 8 MiB"));
}

}  // namespace
}  // namespace keyturn::delivery
