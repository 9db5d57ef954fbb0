// SPDX-License-Identifier: Apache-2.0
#include "lib/aws/query_xml.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace keyturn::aws {
namespace {

std::string Repeat(const std::string& text, size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += text;
  return out;
}

TEST(QueryXmlTest, ReadsTextsByPath) {
  const Result<QueryXml> xml = QueryXml::Parse(
      R"(<?xml version="1.0"?><R xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <A><B x="y"> one </B><B>two</B><C/><D>  </D></A>
  <E>&lt;&#65;&amp;<![CDATA[<raw>]]></E><F>a<G>b</G>c</F>
</R>)");
  ASSERT_TRUE(xml.ok()) << xml.status().ToString();
  EXPECT_EQ(xml->root(), "R");
  EXPECT_EQ(xml->Text("A/B"), "one");
  EXPECT_EQ(xml->Text("E"), "<A&<raw>");
  EXPECT_EQ(xml->Text("F/G"), "b");
  EXPECT_EQ(xml->Text("F"), "c") << "text after the last child";
  for (const char* absent : {"A", "A/C", "A/D", "B", "R", "", "A/B/C"}) {
    EXPECT_EQ(xml->Find(absent), nullptr) << absent;
  }
}

TEST(QueryXmlTest, RefusesMalformedAndHostileDocuments) {
  const std::string deep = Repeat("<a>", QueryXml::kMaxDepth + 1);
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "no element"},
      {"not xml", "syntax"},
      {"<html><body>502</html>", "mismatched"},
      {"<a>", "no element found"},
      {"<a></a><b></b>", "junk"},
      {"<a>&undefined;</a>", "undefined entity"},
      {std::string("<a>\0</a>", 8), "invalid token"},
      {"<a>\xff</a>", "invalid token"},
      {"<!DOCTYPE a><a/>", "document type"},
      {"<!DOCTYPE a [<!ENTITY x \"1\"><!ENTITY y \"&x;&x;\">]><a>&y;</a>", "document type"},
      {"<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>", "document type"},
      {deep, "nested too deeply"},
      {"<a>" + Repeat("<b/>", QueryXml::kMaxElements) + "</a>", "too many elements"},
      {std::string(QueryXml::kMaxBytes + 1, ' '), "more than"},
  };
  for (const auto& [text, why] : cases) {
    const Status status = QueryXml::Parse(text).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << text.substr(0, 60);
    EXPECT_NE(status.message().find(why), std::string::npos) << status.message();
  }
}

TEST(QueryXmlTest, TakesWhatIsJustWithinTheLimits) {
  std::string deep = Repeat("<a>", QueryXml::kMaxDepth) + Repeat("</a>", QueryXml::kMaxDepth);
  EXPECT_TRUE(QueryXml::Parse(deep).ok());
  EXPECT_TRUE(QueryXml::Parse("<a>" + Repeat("<b/>", QueryXml::kMaxElements - 1) + "</a>").ok());
}

TEST(QueryXmlTest, ErrorsNeverQuoteTheInput) {
  for (const char* text : {"<a>hunter2</b>", "<hunter2", "<a>&hunter2;</a>", "hunter2<a/>"}) {
    EXPECT_EQ(QueryXml::Parse(text).status().message().find("hunter2"), std::string::npos) << text;
  }
}

TEST(QueryXmlTest, AnEncodingDeclarationDoesNotChangeTheEncoding) {
  const Result<QueryXml> xml =
      QueryXml::Parse("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a><b>\xc3\xa9</b></a>");
  ASSERT_TRUE(xml.ok());
  EXPECT_EQ(xml->Text("b"), "\xc3\xa9");
}

}  // namespace
}  // namespace keyturn::aws
