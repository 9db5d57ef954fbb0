// SPDX-License-Identifier: Apache-2.0
#include "lib/crypto/digest.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/fakes/fake_random.h"

namespace keyturn::crypto {
namespace {

std::string Sha256Hex(std::string_view data) {
  return HexEncode(AsView(Sha256(data)));
}

std::string HmacHex(std::string_view key, std::string_view data) {
  return HexEncode(AsView(HmacSha256(key, data)));
}

std::string Text(const SecretBytes& bytes) {
  return std::string(bytes.Reveal(InsecureSecretAccess::Get()));
}

// Source: FIPS 180-4, the examples of NIST's CSRC.
TEST(DigestTest, Sha256MatchesPublishedExamples) {
  EXPECT_EQ(Sha256Hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Sha256Hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

// Source: RFC 4231 §4.2, §4.3, §4.7.
TEST(DigestTest, HmacMatchesRfc4231) {
  EXPECT_EQ(HmacHex(std::string(20, '\x0b'), "Hi There"),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(HmacHex("Jefe", "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(
      HmacHex(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First"),
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(DigestTest, HmacTakesAnEmptyKey) {
  EXPECT_EQ(HmacHex("", ""), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
  EXPECT_EQ(HmacHex(std::string_view(), std::string_view()), HmacHex("", ""));
}

TEST(DigestTest, HexIsLowerCase) {
  EXPECT_EQ(HexEncode(std::string("\x00\xAF\xff", 3)), "00afff");
  EXPECT_EQ(HexEncode(""), "");
}

// Source: RFC 4648 §10.
TEST(DigestTest, Base64MatchesRfc4648BothWays) {
  const std::vector<std::pair<std::string, std::string>> cases = {{"", ""},
                                                                  {"f", "Zg=="},
                                                                  {"fo", "Zm8="},
                                                                  {"foo", "Zm9v"},
                                                                  {"foob", "Zm9vYg=="},
                                                                  {"fooba", "Zm9vYmE="},
                                                                  {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : cases) {
    EXPECT_EQ(Base64Encode(plain), encoded);
    const std::optional<SecretBytes> decoded = Base64Decode(encoded);
    ASSERT_TRUE(decoded.has_value()) << encoded;
    EXPECT_EQ(Text(*decoded), plain);
  }
}

TEST(DigestTest, Base64RefusesEveryOtherSpelling) {
  const std::vector<std::string> malformed = {"Zg",
                                              "Zg=",
                                              "Zg===",
                                              "=",
                                              "==",
                                              "===",
                                              "====",
                                              "Z===",
                                              "Zh==",  // bits left
                                              "Zm9=",
                                              "Zm8",
                                              "Zm 8",
                                              "Zm8=\n",
                                              " Zm8",
                                              "Zm8=Zm8=",
                                              "Zm-_",
                                              "Zm8*",
                                              "Zg=A",
                                              "Z=g=",
                                              std::string("Zm\0=", 4),
                                              "\xff\xff\xff\xff"};
  for (const std::string& text : malformed) {
    EXPECT_FALSE(Base64Decode(text).has_value()) << text;
  }
}

TEST(DigestTest, Base64RoundTripsEveryLength) {
  testing::FakeRandom random(7);
  for (size_t size = 0; size < 200; ++size) {
    std::string bytes(size, '\0');
    random.Fill(std::as_writable_bytes(std::span(bytes.data(), bytes.size())));
    const std::optional<SecretBytes> decoded = Base64Decode(Base64Encode(bytes));
    ASSERT_TRUE(decoded.has_value()) << size;
    EXPECT_EQ(Text(*decoded), bytes);
  }
}

TEST(DigestTest, ConstantTimeEqualsComparesContentAndSize) {
  EXPECT_TRUE(ConstantTimeEquals("", ""));
  EXPECT_TRUE(ConstantTimeEquals("abc", "abc"));
  EXPECT_FALSE(ConstantTimeEquals("abc", "abd"));
  EXPECT_FALSE(ConstantTimeEquals("abc", "ab"));
}

}  // namespace
}  // namespace keyturn::crypto
