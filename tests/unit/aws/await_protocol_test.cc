// SPDX-License-Identifier: Apache-2.0
#include "lib/aws/await_protocol.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace keyturn::aws {
namespace {

TEST(AwaitProtocolTest, RequestHasTheDocumentedForm) {
  const AwaitRequest request{{{"prod/db", "AWSCURRENT", "v1"}, {"new \"one\"", "AWSCURRENT", ""}},
                             std::chrono::seconds(20)};
  EXPECT_EQ(EncodeAwaitRequest(request),
            R"({"Entries":[{"SecretId":"prod/db","VersionStage":"AWSCURRENT",)"
            R"("KnownVersionId":"v1"},{"SecretId":"new \"one\"","VersionStage":"AWSCURRENT"}],)"
            R"("WaitSeconds":20})");
}

TEST(AwaitProtocolTest, RequestSurvivesTheRoundTrip) {
  AwaitRequest request;
  request.wait = std::chrono::seconds(7);
  for (size_t i = 0; i < kMaxAwaitEntries; ++i) {
    request.entries.push_back({"größe/\n\"" + std::to_string(i), "AWSPENDING", "v"});
  }
  const Result<AwaitRequest> decoded = DecodeAwaitRequest(EncodeAwaitRequest(request));
  ASSERT_TRUE(decoded.ok()) << decoded.status().ToString();
  EXPECT_EQ(decoded->entries, request.entries);
  EXPECT_EQ(decoded->wait, request.wait);
}

TEST(AwaitProtocolTest, AnswerSurvivesTheRoundTrip) {
  AwaitAnswer answer;
  answer.spread = std::chrono::milliseconds(1500);
  answer.entries = {{"a", "AWSCURRENT", "v2", "", ""},
                    {"b", "AWSCURRENT", "", "ResourceNotFoundException", "can't find \"it\""},
                    {"c", "AWSCURRENT", "", "AccessDeniedException", ""}};
  const Result<AwaitAnswer> decoded = DecodeAwaitAnswer(EncodeAwaitAnswer(answer));
  ASSERT_TRUE(decoded.ok()) << decoded.status().ToString();
  ASSERT_EQ(decoded->entries.size(), 3U);
  EXPECT_EQ(decoded->entries[0].version_id, "v2");
  EXPECT_EQ(decoded->entries[1].error_code, "ResourceNotFoundException");
  EXPECT_EQ(decoded->entries[1].error_message, "can't find \"it\"");
  EXPECT_EQ(decoded->entries[2].error_code, "AccessDeniedException");
  EXPECT_EQ(decoded->spread, answer.spread);
}

TEST(AwaitProtocolTest, UnknownMembersAreIgnoredSoThatTheProtocolMayGrow) {
  EXPECT_TRUE(
      DecodeAwaitRequest(R"({"Entries":[{"SecretId":"a","VersionStage":"b","New":1}],"X":{}})")
          .ok());
  EXPECT_TRUE(DecodeAwaitAnswer(R"({"Entries":[],"X":[]})").ok());
}

TEST(AwaitProtocolTest, WaitDefaultsToTheMaximum) {
  const auto request = DecodeAwaitRequest(R"({"Entries":[{"SecretId":"a","VersionStage":"b"}]})");
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request->wait, kMaxAwaitWait);
}

std::string Entries(size_t count) {
  std::string out = R"({"Entries":[)";
  for (size_t i = 0; i < count; ++i) {
    out +=
        std::string(i == 0 ? "" : ",") + R"({"SecretId":"a","VersionStage":"b","VersionId":"c"})";
  }
  return out + "]}";
}

std::string Sized(const char* member, size_t size) {
  std::string id = "a";
  std::string stage = "b";
  std::string version = "c";
  (std::string(member) == "SecretId"       ? id
   : member == std::string("VersionStage") ? stage
                                           : version) = std::string(size, 'x');
  return R"({"Entries":[{"SecretId":")" + id + R"(","VersionStage":")" + stage +
         R"(","KnownVersionId":")" + version + R"(","VersionId":")" + version + "\"}]}";
}

TEST(AwaitProtocolTest, BothDecodersRefuseOtherShapes) {
  const std::vector<std::string> malformed = {
      "",
      "null",
      "[]",
      "{}",
      "{",
      "\"x\"",
      "7",
      R"({"Entries":{}})",
      R"({"Entries":[1]})",
      R"({"Entries":[null]})",
      R"({"Entries":[[]]})",
      R"({"Entries":[{}]})",
      R"({"Entries":[{"SecretId":"a"}]})",
      R"({"Entries":[{"VersionStage":"a"}]})",
      R"({"Entries":[{"SecretId":1,"VersionStage":"b"}]})",
      R"({"Entries":[{"SecretId":"","VersionStage":"b"}]})",
      R"({"Entries":[{"SecretId":"a","VersionStage":["b"]}]})",
      R"({"Entries":[],"Entries":[]})",
      Entries(kMaxAwaitEntries + 1),
      Sized("SecretId", 2049),
      Sized("VersionStage", 257),
      Sized("VersionId", 65)};
  for (const std::string& text : malformed) {
    EXPECT_EQ(DecodeAwaitRequest(text).status().code(), StatusCode::kInvalidArgument)
        << text.substr(0, 100);
    EXPECT_EQ(DecodeAwaitAnswer(text).status().code(), StatusCode::kInvalidArgument)
        << text.substr(0, 100);
  }
}

TEST(AwaitProtocolTest, RequestDecoderRefusesBadWaitsAndNoEntries) {
  for (const char* wait : {"-1", "51", "1.5", "\"5\"", "9223372036854775808", "true"}) {
    const std::string text =
        std::string(R"({"Entries":[{"SecretId":"a","VersionStage":"b"}],"WaitSeconds":)") + wait +
        "}";
    EXPECT_EQ(DecodeAwaitRequest(text).status().code(), StatusCode::kInvalidArgument) << wait;
  }
  EXPECT_EQ(DecodeAwaitRequest(R"({"Entries":[]})").status().code(), StatusCode::kInvalidArgument);
}

TEST(AwaitProtocolTest, AnswerDecoderWantsEitherVersionOrError) {
  const std::string head = R"({"Entries":[{"SecretId":"a","VersionStage":"b")";
  for (const char* rest :
       {"}]}", R"(,"VersionId":""}]})", R"(,"VersionId":"v","Error":{"Code":"c"}}]})",
        R"(,"Error":{}}]})", R"(,"Error":"x"}]})", R"(,"Error":{"Code":7}}]})",
        R"(,"VersionId":"v"}],"SpreadMillis":-1})",
        R"(,"VersionId":"v"}],"SpreadMillis":3600001})"}) {
    EXPECT_EQ(DecodeAwaitAnswer(head + rest).status().code(), StatusCode::kInvalidArgument) << rest;
  }
}

}  // namespace
}  // namespace keyturn::aws
