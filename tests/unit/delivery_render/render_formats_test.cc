// SPDX-License-Identifier: Apache-2.0
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/base/strings.h"
#include "tests/unit/delivery_render/render_testing.h"

namespace keyturn::delivery {
namespace {

using plan::Format;
using ::testing::HasSubstr;

constexpr const char* kDataDirectory = KEYTURN_SOURCE_DIR "/tests/data/render/";

std::string ReadData(const std::string& name) {
  std::ifstream file(kDataDirectory + name, std::ios::binary);
  EXPECT_TRUE(file.good()) << name;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

struct Case {
  const char* name;
  Format format;
  std::string_view value;
  std::string_view expected;
};

// Braces in the raw strings would confuse nobody but the reader: \x22 is a quote.
TEST(RenderFormatsTest, WritesEachFormat) {
  const Case cases[] = {
      {"raw", Format::kRaw, {"\xFF\0\n ", 4}, {"\xFF\0\n ", 4}},
      {"raw of JSON is untouched", Format::kRaw, "{ \"b\" : 1.10 }", "{ \"b\" : 1.10 }"},
      {"raw empty", Format::kRaw, "", ""},
      {"json keeps order and spelling", Format::kJson,
       "\n{ \"b\" : 1.10,\t\"a\" : [ \"\\u00e4 \\\" \\\\\", null , 12345678901234567890123 ] }\r\n",
       "{\"b\":1.10,\"a\":[\"\\u00e4 \\\" \\\\\",null,12345678901234567890123]}\n"},
      {"json scalar", Format::kJson, " \"a b\" ", "\"a b\"\n"},
      {"env", Format::kEnv, R"({"A":"it's $x","b_2":5,"c":true,"d":null,"e":{"f":["g"]}})",
       "A='it'\"'\"'s $x'\nb_2='5'\nc='true'\nd=''\ne='{\"f\":[\"g\"]}'\n"},
      {"env names", Format::kEnv, R"({"db.host-name":"x","1st":"y"})",
       "_1st='y'\ndb_host_name='x'\n"},
      {"env keeps line feeds", Format::kEnv, R"({"a":"x\ny"})", "a='x\ny'\n"},
      {"properties", Format::kProperties, R"({"a b=c":" v:1\n\\ü😀#!"})",
       "a\\ b\\=c=\\ v\\:1\\n\\\\\\u00FC\\uD83D\\uDE00\\#\\!\n"},
      {"properties NUL", Format::kProperties, R"({"a":"x\u0000y"})", "a=x\\u0000y\n"},
      {"yaml", Format::kYaml, R"({"b":["yes",1,null],"a":{"c":"x: y"}})",
       "a:\n  c: \"x: y\"\nb:\n  - \"yes\"\n  - 1\n  - null\n"},
      {"yaml scalar", Format::kYaml, R"("no")", "\"no\"\n"},
      {"dsn", Format::kDsn,
       R"({"engine":"postgres","host":"db.x","port":5432,"username":"a@b","password":"p:/?#[]% ü","dbname":"d/e"})",
       "postgresql://a%40b:p%3A%2F%3F%23%5B%5D%25%20%C3%BC@db.x:5432/d%2Fe"},
      {"dsn without port and database", Format::kDsn,
       R"({"engine":"mariadb","host":"::1","username":"u","password":"p"})", "mysql://u:p@[::1]"},
      {"dsn port as text", Format::kDsn,
       R"({"engine":"mysql","host":"h","port":"3306","user":"u","password":"p","database":"d"})",
       "mysql://u:p@h:3306/d"},
      {"dsn null port", Format::kDsn,
       R"({"engine":"aurora-postgresql","host":"h","port":null,"username":"u","password":"p"})",
       "postgresql://u:p@h"},
      {"dsn socket directory", Format::kDsn,
       R"({"engine":"postgresql","host":"/run/pg","username":"u","password":"p"})",
       "postgresql://u:p@%2Frun%2Fpg"},
      {"pgpass", Format::kPgpass,
       R"({"host":"::1","port":5432,"username":"u","password":"a:b\\c","dbname":"d"})",
       "\\:\\:1:5432:d:u:a\\:b\\\\c\n"},
      {"pgpass wildcards", Format::kPgpass, R"({"host":"h","username":"*","password":"*"})",
       "h:*:*:\\*:\\*\n"},
      {"pgpass is no comment", Format::kPgpass, R"({"host":"#h","username":"u","password":"#"})",
       "\\#h:*:*:u:\\#\n"},
      {"mycnf", Format::kMycnf,
       R"({"username":"u","password":" a\"b'c\\d#\n\r","host":"h","port":3306,"dbname":"d"})",
       "[client]\nuser=\"u\"\npassword=\" a\\\"b\\'c\\\\d#\\n\\r\"\nhost=\"h\"\nport=3306\n\n"
       "[mysql]\ndatabase=\"d\"\n"},
      {"mycnf least", Format::kMycnf, R"({"username":"u","password":""})",
       "[client]\nuser=\"u\"\npassword=\"\"\n"},
  };
  for (const Case& each : cases) {
    const auto text = RenderValue(each.format, each.value);
    ASSERT_TRUE(text.ok()) << each.name << ": " << text.status().message();
    EXPECT_EQ(*text, each.expected) << each.name;
  }
}

struct KeyCase {
  Format format;
  const char* key;
  const char* expected;
};

TEST(RenderFormatsTest, SelectsByPointer) {
  constexpr std::string_view kValue =
      R"({"s":"a\nb","n":5,"f":true,"o":{"k":[1,"x"]},"a/b":"slash","j":"{\"i\":\"nested\"}"})";
  const KeyCase cases[] = {
      {Format::kRaw, "/s", "a\nb"},
      {Format::kRaw, "/n", "5"},
      {Format::kRaw, "/f", "true"},
      {Format::kRaw, "/o", R"({"k":[1,"x"]})"},
      {Format::kRaw, "/o/k/1", "x"},
      {Format::kRaw, "/a~1b", "slash"},
      {Format::kJson, "/s", "\"a\\nb\"\n"},
      {Format::kJson, "/o", "{\"k\":[1,\"x\"]}\n"},
      {Format::kYaml, "/o", "k:\n  - 1\n  - x\n"},
      {Format::kEnv, "/o", "k='[1,\"x\"]'\n"},
      {Format::kEnv, "/j", "i='nested'\n"},
  };
  for (const KeyCase& each : cases) {
    const auto text = RenderKey(each.format, kValue, each.key);
    ASSERT_TRUE(text.ok()) << each.key << ": " << text.status().message();
    EXPECT_EQ(*text, each.expected) << each.key;
  }
}

TEST(RenderFormatsTest, SelectsByJmesPath) {
  plan::Source source = SecretSource();
  source.jmes_path = "db.password";
  const auto text = OnlyFile(
      RenderToMap(FileFrom(Format::kRaw, source), {{"", Fetched(R"({"db":{"password":"x y"}})")}}));
  ASSERT_TRUE(text.ok()) << text.status().message();
  EXPECT_EQ(*text, "x y");
}

TEST(RenderFormatsTest, WritesOneFilePerKey) {
  plan::File file = FileFrom(Format::kFiles);
  file.mode = 0440;
  file.gid = 2000;
  const std::pair<const char*, Files> cases[] = {
      {"conf", {{"conf/a", "x\n"}, {"conf/b.c", "5"}, {"conf/n", ""}}},
      {"conf/", {{"conf/a", "x\n"}, {"conf/b.c", "5"}, {"conf/n", ""}}},
      {".", {{"a", "x\n"}, {"b.c", "5"}, {"n", ""}}},
      {"", {{"a", "x\n"}, {"b.c", "5"}, {"n", ""}}},
  };
  for (const auto& [path, expected] : cases) {
    file.path = path;
    const auto rendered = RenderFile(file, {{"", Fetched(R"({"a":"x\n","b.c":5,"n":null})")}});
    ASSERT_TRUE(rendered.ok()) << rendered.status().message();
    EXPECT_EQ(ToMap(*rendered), expected);
    for (const RenderedFile& each : *rendered) {
      EXPECT_EQ(each.mode, 0440U);
      EXPECT_EQ(each.gid, std::optional<uint32_t>(2000));
      EXPECT_FALSE(each.uid);
    }
  }
}

TEST(RenderFormatsTest, SplitsPemFromTextAndFromExports) {
  const std::string leaf = ReadData("pem/leaf.crt");
  const std::string chain = ReadData("pem/intermediate.crt") + ReadData("pem/root.crt");
  const std::string key = ReadData("pem/leaf.key");
  const auto quote = [](const std::string& text) {
    std::string out = "\"";
    for (const char c : text) out += c == '\n' ? std::string("\\n") : std::string(1, c);
    return out + "\"";
  };
  const std::string values[] = {
      leaf + chain + key,
      "\n" + key + leaf + chain,
      StrCat(R"({"Certificate":)", quote(leaf), R"(,"CertificateChain":)", quote(chain),
             R"(,"PrivateKey":)", quote(key), "}"),
      StrCat(R"({"tls.crt":)", quote(leaf + chain), R"(,"tls.key":)", quote(key), "}"),
      StrCat(R"({"certificate":)", quote(leaf), R"(,"private_key":)", quote(key),
             R"(,"ca_chain":[)", quote(chain), R"(],"serial":"1"})"),
  };
  for (const std::string& value : values) {
    const auto files = RenderToMap(FileFrom(Format::kPem), {{"", Fetched(value)}});
    ASSERT_TRUE(files.ok()) << files.status().message();
    const Files expected = {
        {"out/tls.crt", leaf + chain}, {"out/ca.crt", chain}, {"out/tls.key", key}};
    EXPECT_EQ(*files, expected);
  }
}

TEST(RenderFormatsTest, LeavesOutPemFilesThatHaveNoContent) {
  const std::string leaf = ReadData("pem/leaf.crt");
  const auto files = RenderToMap(FileFrom(Format::kPem), {{"", Fetched(leaf)}});
  ASSERT_TRUE(files.ok());
  EXPECT_EQ(*files, (Files{{"out/tls.crt", leaf}}));
}

TEST(RenderFormatsTest, ReadsJsonOutOfBinarySecrets) {
  const auto text =
      OnlyFile(RenderToMap(FileFrom(Format::kEnv), {{"", Fetched(R"({"a":"b"})", true)}}));
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(*text, "a='b'\n");
}

TEST(RenderFormatsTest, KeepsValuesOf64KiB) {
  const std::string value(64 * 1024, 'x');
  const std::string json =
      StrCat(R"({"engine":"mysql","host":"h","username":"u","password":")", value, "\"}");
  for (const Format format : {Format::kRaw, Format::kJson, Format::kEnv, Format::kProperties,
                              Format::kYaml, Format::kDsn, Format::kPgpass}) {
    const auto text = RenderValue(format, json);
    ASSERT_TRUE(text.ok()) << text.status().message();
    EXPECT_THAT(*text, HasSubstr(value));
  }
}

struct ErrorCase {
  const char* name;
  Format format;
  std::string_view value;
  StatusCode code;
  const char* message;
};

constexpr StatusCode kInvalid = StatusCode::kInvalidArgument;
constexpr StatusCode kMissing = StatusCode::kNotFound;

TEST(RenderFormatsTest, RefusesWhatAFormatCannotCarry) {
  const std::string long_line =
      StrCat(R"({"username":"u","password":")", std::string(4090, 'x'), "\"}");
  const ErrorCase cases[] = {
      {"json", Format::kJson, "hunter", kInvalid, "file out: secret prod/db is not JSON: "},
      {"json bytes", Format::kJson, "\"\xFF\"", kInvalid, "is not JSON"},
      {"yaml", Format::kYaml, "a: b", kInvalid, "is not JSON"},
      {"env text", Format::kEnv, "x", kInvalid, "is not JSON"},
      {"env list", Format::kEnv, "[1]", kInvalid, "is not a JSON object"},
      {"env NUL", Format::kEnv, R"({"a":"x\u0000"})", kInvalid,
       "key a: a NUL byte cannot be written in format env"},
      {"env collision", Format::kEnv, R"({"a.b":"x","a-b":"y"})", kInvalid,
       "keys a-b and a.b both become variable a_b"},
      {"env no name", Format::kEnv, R"({"":"x"})", kInvalid, "gives no variable name"},
      {"env symbols", Format::kEnv, R"({"-":"x"})", kInvalid, "gives no variable name"},
      {"files slash", Format::kFiles, R"({"a/b":"x"})", kInvalid, "key a/b is no file name"},
      {"files dots", Format::kFiles, R"({"..data":"x"})", kInvalid, "no file name"},
      {"files dot", Format::kFiles, R"({".":"x"})", kInvalid, "no file name"},
      {"files empty", Format::kFiles, R"({"":"x"})", kInvalid, "no file name"},
      {"files NUL", Format::kFiles, R"({"a\u0000":"x"})", kInvalid, "no file name"},
      {"dsn engine", Format::kDsn, R"({"host":"h","username":"u","password":"p"})", kMissing,
       "secret prod/db: there is no key engine"},
      {"dsn odd engine", Format::kDsn,
       R"({"engine":"db3","host":"h","username":"u","password":"p"})", kInvalid,
       "key engine is none of"},
      {"dsn host", Format::kDsn, R"({"engine":"mysql","username":"u","password":"p"})", kMissing,
       "no key host"},
      {"dsn password", Format::kDsn, R"({"engine":"mysql","host":"h","username":"u"})", kMissing,
       "no key password"},
      {"dsn port", Format::kDsn,
       R"({"engine":"mysql","host":"h","port":"70000","username":"u","password":"p"})", kInvalid,
       "key port is not a port number"},
      {"dsn NUL", Format::kDsn,
       R"({"engine":"mysql","host":"h","username":"u","password":"\u0000"})", kInvalid,
       "key password: a NUL byte cannot be written in format dsn"},
      {"pgpass newline", Format::kPgpass, R"({"host":"h","username":"u","password":"a\nb"})",
       kInvalid, "key password: a line feed cannot be written in format pgpass"},
      {"pgpass CR", Format::kPgpass, R"({"host":"h","username":"u","password":"a\r"})", kInvalid,
       "a carriage return"},
      {"pgpass user", Format::kPgpass, R"({"host":"h","password":"p"})", kMissing,
       "no key username"},
      {"mycnf password", Format::kMycnf, R"({"username":"u","password":null})", kMissing,
       "no key password"},
      {"mycnf NUL", Format::kMycnf, R"({"username":"u","password":"\u0000"})", kInvalid,
       "a NUL byte"},
      {"mycnf long", Format::kMycnf, long_line, kInvalid, "key password: too long"},
      {"pem", Format::kPem, "x", kInvalid, "secret prod/db: reading PEM: no certificate"},
      {"pem object", Format::kPem, R"({"key":"x"})", kMissing, "no key certificate"},
      {"pem bad JSON", Format::kPem, R"({"key")", kInvalid, "is not JSON"},
  };
  for (const ErrorCase& each : cases) {
    const auto text = RenderValue(each.format, each.value);
    ASSERT_FALSE(text.ok()) << each.name;
    EXPECT_EQ(text.status().code(), each.code) << each.name;
    EXPECT_THAT(text.status().message(), HasSubstr(each.message)) << each.name;
    EXPECT_THAT(text.status().message(), HasSubstr("file out: secret prod/db")) << each.name;
  }
}

TEST(RenderFormatsTest, NamesFileSecretAndKeyWhenTheKeyIsMissing) {
  EXPECT_EQ(RenderKey(Format::kRaw, R"({"a":"b"})", "/password").status(),
            NotFoundError("file out: secret prod/db has no key /password"));
  EXPECT_EQ(RenderKey(Format::kRaw, R"({"a":null})", "/a").status(),
            NotFoundError("file out: secret prod/db has null at /a"));
  EXPECT_EQ(RenderKey(Format::kRaw, "plain", "/a").status().code(), kInvalid);

  plan::Source parameter;
  parameter.parameter = "/prod/feature";
  parameter.jmes_path = "a.b";
  EXPECT_EQ(RenderToMap(FileFrom(Format::kRaw, parameter), {{"", Fetched("{}")}}).status(),
            NotFoundError("file out: parameter /prod/feature has nothing at a.b"));
}

TEST(RenderFormatsTest, FilesOfOneFetchSelectFromOneParsedDocument) {
  const FetchedPtr fetched = Fetched(R"({"a":"1","b":{"c":"2"}})");
  const auto select = [&](const std::string& key) {
    plan::Source source = SecretSource();
    source.has_key = true;
    source.key = key;
    return RenderToMap(FileFrom(Format::kRaw, source), {{"", fetched}});
  };
  const auto first = select("/a");
  ASSERT_TRUE(first.ok());
  const auto parsed = fetched->parsed;
  ASSERT_NE(parsed, nullptr);
  const auto second = select("/b/c");
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(fetched->parsed, parsed);
  EXPECT_EQ(first->at("out"), "1");
  EXPECT_EQ(second->at("out"), "2");
  EXPECT_EQ(select("/missing").status().code(), StatusCode::kNotFound);
}

TEST(RenderFormatsTest, RefusesPlansWithoutASource) {
  plan::File file;
  file.path = "out";
  EXPECT_EQ(RenderFile(file, {}).status().code(), kInvalid);
  EXPECT_EQ(RenderFile(FileFrom(Format::kRaw), {}).status(),
            InternalError("file out: secret prod/db was not fetched"));
}

TEST(RenderFormatsTest, MatchesTheGoldenFiles) {
  const std::string input = ReadData("input.json");
  const std::pair<Format, const char*> cases[] = {
      {Format::kRaw, "golden.raw"},       {Format::kJson, "golden.json"},
      {Format::kEnv, "golden.env"},       {Format::kProperties, "golden.properties"},
      {Format::kYaml, "golden.yaml"},     {Format::kDsn, "golden.dsn"},
      {Format::kPgpass, "golden.pgpass"}, {Format::kMycnf, "golden.mycnf"},
  };
  for (const auto& [format, golden] : cases) {
    const auto text = RenderValue(format, input);
    ASSERT_TRUE(text.ok()) << golden << ": " << text.status().message();
    EXPECT_EQ(*text, ReadData(golden)) << golden;
  }
  const auto files = RenderToMap(FileFrom(Format::kFiles), {{"", Fetched(input)}});
  ASSERT_TRUE(files.ok());
  for (const auto& [path, content] : *files) EXPECT_EQ(content, ReadData("golden.files/" + path));
}

}  // namespace
}  // namespace keyturn::delivery
