// SPDX-License-Identifier: Apache-2.0
#include "lib/crypto/pem.h"

#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/base/strings.h"

namespace keyturn::crypto {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string ReadData(const std::string& name) {
  std::ifstream file(std::string(KEYTURN_SOURCE_DIR "/tests/data/render/pem/") + name);
  std::ostringstream text;
  text << file.rdbuf();
  EXPECT_FALSE(text.str().empty()) << name;
  return text.str();
}

std::string Replace(std::string text, std::string_view from, std::string_view to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

class PemTest : public testing::Test {
 protected:
  const std::string leaf_ = ReadData("leaf.crt");
  const std::string intermediate_ = ReadData("intermediate.crt");
  const std::string root_ = ReadData("root.crt");
  const std::string key_ = ReadData("leaf.key");
};

std::string_view KeyText(const PemBundle& bundle) {
  return bundle.key ? bundle.key->Reveal(InsecureSecretAccess::Get()) : std::string_view();
}

TEST_F(PemTest, SplitsLeafChainAndKeyInEveryOrder) {
  for (const std::string& text :
       {StrCat(leaf_, intermediate_, root_, key_), StrCat(key_, leaf_, intermediate_, root_),
        StrCat(intermediate_, root_, key_, leaf_), StrCat(intermediate_, leaf_, root_, key_)}) {
    const auto bundle = SplitPemBundle(text);
    ASSERT_TRUE(bundle.ok()) << bundle.status().message();
    EXPECT_EQ(bundle->certificate, leaf_);
    EXPECT_EQ(bundle->chain, intermediate_ + root_);
    EXPECT_EQ(KeyText(*bundle), key_);
  }
}

TEST_F(PemTest, TakesTheFirstCertificateForTheLeafWithoutAKey) {
  const auto bundle = SplitPemBundle(root_ + intermediate_);
  ASSERT_TRUE(bundle.ok());
  EXPECT_EQ(bundle->certificate, root_);
  EXPECT_EQ(bundle->chain, intermediate_);
  EXPECT_FALSE(bundle->key);
}

TEST_F(PemTest, KeepsTheFormOfEveryKindOfKey) {
  for (const char* name :
       {"leaf.key", "leaf-sec1.key", "leaf-encrypted.key", "leaf-legacy-encrypted.key"}) {
    const std::string key = ReadData(name);
    const auto bundle = SplitPemBundle(leaf_ + key);
    ASSERT_TRUE(bundle.ok()) << name << ": " << bundle.status().message();
    EXPECT_EQ(KeyText(*bundle), key) << name;
    EXPECT_EQ(bundle->certificate, leaf_);
  }
}

// What forms, environment variables and editors do to line ends.
TEST_F(PemTest, RepairsDamagedLineEnds) {
  const std::string good = leaf_ + intermediate_ + key_;
  const std::string body_in_spaces = Replace(good, "\n", " ");
  for (const std::string& text :
       {Replace(good, "\n", "\r\n"), Replace(good, "\n", "\\n"), Replace(good, "\n", "\\r\\n"),
        body_in_spaces, Replace(good, "\n", "\n   "), "\xEF\xBB\xBF" + good,
        good.substr(0, good.size() - 1)}) {
    const auto bundle = SplitPemBundle(text);
    ASSERT_TRUE(bundle.ok()) << bundle.status().message();
    EXPECT_EQ(bundle->certificate, leaf_);
    EXPECT_EQ(bundle->chain, intermediate_);
    EXPECT_EQ(KeyText(*bundle), key_);
  }
}

TEST_F(PemTest, LeavesOutRepeatsParametersAndText) {
  const std::string parameters =
      "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
  const auto bundle =
      SplitPemBundle(StrCat("Bag Attributes\n  friendlyName: db\n", leaf_, parameters, key_, key_,
                            "subject=CN = x\n", leaf_, intermediate_, intermediate_));
  ASSERT_TRUE(bundle.ok()) << bundle.status().message();
  EXPECT_EQ(bundle->certificate, leaf_);
  EXPECT_EQ(bundle->chain, intermediate_);
  EXPECT_EQ(KeyText(*bundle), key_);
}

TEST_F(PemTest, IsIdempotent) {
  const auto once = SplitPemBundle(Replace(leaf_ + intermediate_ + key_, "\n", " "));
  ASSERT_TRUE(once.ok());
  const auto twice = SplitPemBundle(StrCat(once->certificate, once->chain, KeyText(*once)));
  ASSERT_TRUE(twice.ok());
  EXPECT_EQ(once->certificate, twice->certificate);
  EXPECT_EQ(once->chain, twice->chain);
  EXPECT_EQ(KeyText(*once), KeyText(*twice));
}

struct BadBundle {
  const char* name;
  std::string text;
  const char* reason;
};

TEST_F(PemTest, RefusesMalformedBundlesWithoutQuotingThem) {
  const std::string other = ReadData("other.key");
  const std::string certificate_as_key = Replace(leaf_, " CERTIFICATE-----", " PRIVATE KEY-----");
  const BadBundle cases[] = {
      {"empty", "", "no certificate"},
      {"no block", "hunter2-canary", "no certificate"},
      {"key only", key_, "no certificate"},
      {"foreign key", leaf_ + other, "belongs to none"},
      {"two keys", leaf_ + key_ + other, "more than one private key"},
      {"unknown block", leaf_ + "-----BEGIN CANARY-----\nAAAA\n-----END CANARY-----\n",
       "block 2 is neither"},
      {"no end", leaf_.substr(0, leaf_.size() - 30), "block 1 has no END line"},
      {"wrong end", Replace(leaf_, "END CERTIFICATE", "END PRIVATE KEY"), "no END line"},
      {"malformed begin", "-----BEGIN CERTIFICATE\ncanary", "malformed BEGIN"},
      {"begin at the end", "-----BEGIN ", "malformed BEGIN"},
      {"empty block", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----", "not base64"},
      {"not base64", "-----BEGIN CERTIFICATE-----\ncanary!\n-----END CERTIFICATE-----",
       "not base64"},
      {"colon in body", "-----BEGIN CERTIFICATE-----\nca:nary\n-----END CERTIFICATE-----",
       "not base64"},
      {"not a certificate", "-----BEGIN CERTIFICATE-----\nY2FuYXJ5\n-----END CERTIFICATE-----",
       "block 1 is not a certificate"},
      {"not a key", leaf_ + "-----BEGIN PRIVATE KEY-----\nY2FuYXJ5\n-----END PRIVATE KEY-----",
       "block 2 is not a private key"},
      {"certificate as key", certificate_as_key, "is not a private key"},
      {"nested", "-----BEGIN CERTIFICATE-----\n" + leaf_, "not base64"},
      {"NUL inside", Replace(leaf_, "\n", std::string_view("\n\0", 2)), "not base64"},
  };
  for (const BadBundle& bad : cases) {
    const auto bundle = SplitPemBundle(bad.text);
    ASSERT_FALSE(bundle.ok()) << bad.name;
    EXPECT_EQ(bundle.status().code(), StatusCode::kInvalidArgument) << bad.name;
    EXPECT_THAT(bundle.status().message(), HasSubstr(bad.reason)) << bad.name;
    EXPECT_THAT(bundle.status().message(), Not(HasSubstr("anary"))) << bad.name;
  }
}

TEST_F(PemTest, RefusesEveryTruncationOfABundleOrDropsWholeBlocks) {
  const std::string good = leaf_ + key_;
  for (size_t size = 0; size < good.size(); ++size) {
    const auto bundle = SplitPemBundle(std::string_view(good).substr(0, size));
    if (!bundle.ok()) continue;
    EXPECT_EQ(bundle->certificate, leaf_) << size;
    EXPECT_TRUE(!bundle->key || KeyText(*bundle) == key_) << size;
  }
}

TEST_F(PemTest, ReadsNotAfterOfTheFirstCertificate) {
  // openssl x509 -noout -enddate: Oct 30 18:57:28 2126 GMT
  const auto not_after = CertificateNotAfter(key_ + leaf_ + intermediate_);
  ASSERT_TRUE(not_after.ok()) << not_after.status().message();
  EXPECT_EQ(std::chrono::system_clock::to_time_t(*not_after), 4949060248);
  EXPECT_EQ(CertificateNotAfter(key_).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(CertificateNotAfter(Replace(leaf_, "MII", "AII")).status().code(),
            StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace keyturn::crypto
