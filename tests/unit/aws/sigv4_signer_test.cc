// Signature Version 4 against AWS's own vectors (SIGV4_VECTORS names the folder) and against ours.
// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "lib/aws/canonical_request.h"
#include "lib/aws/signing_key.h"
#include "lib/aws/sigv4.h"
#include "lib/aws/sigv4_verifier.h"
#include "lib/base/strings.h"
#include "lib/base/time_format.h"
#include "lib/json/checked_parse.h"
#include "lib/json/json.h"

namespace keyturn::aws {
namespace {

using json::Json;
using Path = std::filesystem::path;

std::string ReadAll(const Path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.is_open()) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

Json ReadJson(const Path& path) {
  Result<Json> document = json::CheckedParse(ReadAll(path));
  EXPECT_TRUE(document.ok()) << path << document.status().ToString();
  return document.ok() ? std::move(document).value() : Json();
}

// Reads "NAME:value" lines; a line that begins with a blank continues the one before.
void ReadHeaderLine(std::string_view line, HeaderFields& fields) {
  if (line.starts_with(' ') || line.starts_with('\t')) {
    fields.back().second += StrCat("\n", line);
    return;
  }
  const size_t colon = line.find(':');
  fields.emplace_back(line.substr(0, colon), line.substr(colon + 1));
}

// The request of a vector's text file. Targets hold raw blanks and UTF-8, so this is no HTTP
// parser.
net::HttpRequest ReadRequest(std::string_view text) {
  const std::vector<std::string_view> lines = Split(text, '\n');
  const std::string_view first = lines[0];
  const size_t blank = first.find(' ');
  net::HttpRequest request;
  request.url = {"https", "", 443, "/"};
  request.method = first.substr(0, blank);
  request.url.target = first.substr(blank + 1, first.rfind(" HTTP/") - blank - 1);
  HeaderFields fields;
  size_t i = 1;
  for (; i < lines.size() && !lines[i].empty(); ++i) ReadHeaderLine(lines[i], fields);
  for (auto& [name, value] : fields) {
    if (EqualsIgnoreCaseAscii(name, "host"))
      request.url.host = value;
    else
      request.headers.Add(name, value);
  }
  std::vector<std::string> body;
  for (++i; i < lines.size(); ++i) body.emplace_back(lines[i]);
  request.body = Join(body, "\n");
  return request;
}

// The request as comparable text: the order of header lines and the case of names carry no meaning.
std::string Comparable(const net::HttpRequest& request) {
  std::vector<std::string> lines = {StrCat("host:", request.url.HostHeader())};
  for (const auto& [name, value] : request.headers.fields()) {
    lines.push_back(StrCat(ToLowerAscii(name), ":", CanonicalHeaderValue(value)));
  }
  std::sort(lines.begin(), lines.end());
  return StrCat(request.method, " ", request.url.target, "\n", Join(lines, "\n"), "\n\n",
                request.body);
}

// What signs a request and how.
struct Setup {
  Credentials credentials;
  SigningOptions options;
  WallTime time;
  std::chrono::seconds expires;
};

Setup ReadSetup(const Json& context) {
  Setup setup;
  const Json& keys = context["credentials"];
  setup.credentials.access_key_id = keys["access_key_id"];
  setup.credentials.secret_access_key =
      SecretBytes(std::string_view(keys["secret_access_key"].get<std::string>()));
  setup.credentials.session_token =
      SecretBytes(std::string_view(keys.value("token", std::string())));
  setup.options.region = context["region"];
  setup.options.service = context["service"];
  setup.options.normalize_path = context["normalize"];
  setup.options.sign_body_header = context["sign_body"];
  setup.options.omit_session_token = context.value("omit_session_token", false);
  setup.time = ParseRfc3339(context["timestamp"].get<std::string>()).value();
  setup.expires = std::chrono::seconds(context["expiration_in_seconds"].get<int64_t>());
  return setup;
}

// The vectors are used both ways: what must come out of the signer must go through the verifier.
void CheckVerifies(net::HttpRequest request, const Setup& setup) {
  request.headers.Add("Host", request.url.HostHeader());
  const ReceivedRequest received{request.method, request.url.target, request.headers, request.body};
  const auto read = SigV4Verifier::Read(received);
  ASSERT_TRUE(std::holds_alternative<SignatureClaim>(read))
      << std::get<SignatureRefusal>(read).message;
  SigV4Verifier verifier({setup.options.normalize_path, setup.options.double_encode_path});
  const auto refusal = verifier.Check(received, std::get<SignatureClaim>(read),
                                      setup.credentials.secret_access_key, setup.time);
  EXPECT_FALSE(refusal.has_value()) << refusal->code << ": " << refusal->message;
}

void CheckVector(const Path& folder, const std::string& variant, SigV4Signer& signer) {
  SCOPED_TRACE(folder.filename().string() + " " + variant);
  const Setup setup = ReadSetup(ReadJson(folder / "context.json"));
  net::HttpRequest request = ReadRequest(ReadAll(folder / "request.txt"));
  const SignatureParts parts =
      variant == "header"
          ? signer.SignHeaders(request, setup.credentials, setup.time, setup.options)
          : signer.SignQuery(request, setup.credentials, setup.time, setup.expires, setup.options);
  const auto expected = [&](const char* what) {
    return ReadAll(folder / StrCat(variant, "-", what, ".txt"));
  };
  EXPECT_EQ(parts.canonical_request, expected("canonical-request"));
  EXPECT_EQ(parts.string_to_sign, expected("string-to-sign"));
  EXPECT_EQ(parts.signature, expected("signature"));
  const net::HttpRequest signed_request = ReadRequest(expected("signed-request"));
  EXPECT_EQ(Comparable(request), Comparable(signed_request));
  // A token that joins the query after signing cannot be told from one that was signed.
  const bool ambiguous = variant == "query" && setup.options.omit_session_token;
  if (!ambiguous) CheckVerifies(signed_request, setup);
}

TEST(SigV4SignerTest, MatchesTheOfficialVectors) {
  const char* folder = std::getenv("SIGV4_VECTORS");
  if (folder == nullptr || *folder == '\0') {
    std::fputs(
        "\n*** SIGV4_VECTORS is not set: the 76 OFFICIAL SIGNATURES WERE NOT COMPARED. ***\n"
        "*** Set it to the folder of aws-c-auth's tests/aws-signing-test-suite/v4.      ***\n\n",
        stderr);
    return;
  }
  SigV4Signer signer;
  int signatures = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (!entry.is_directory()) continue;
    for (const char* variant : {"header", "query"}) {
      CheckVector(entry.path(), variant, signer);
      ++signatures;
    }
  }
  EXPECT_EQ(signatures, 76) << "in " << folder;
}

void CheckParts(const SignatureParts& parts, const Json& expected) {
  EXPECT_EQ(parts.canonical_request, expected["canonicalRequest"].get<std::string>());
  EXPECT_EQ(parts.string_to_sign, expected["stringToSign"].get<std::string>());
  EXPECT_EQ(parts.signature, expected["signature"].get<std::string>());
}

net::HttpRequest RequestOf(const Json& vector) {
  net::HttpRequest request;
  request.method = vector["method"];
  Result<net::Url> url = net::ParseUrl(vector["url"].get<std::string>());
  EXPECT_TRUE(url.ok()) << url.status().ToString();
  request.url = std::move(url).value();
  for (const Json& header : vector["headers"]) request.headers.Add(header[0], header[1]);
  request.body = vector["body"];
  return request;
}

void CheckOwnVector(const Json& vector, SigV4Signer& signer) {
  SCOPED_TRACE(vector["name"].get<std::string>());
  Credentials credentials;
  credentials.access_key_id = vector["accessKeyId"];
  credentials.secret_access_key =
      SecretBytes(std::string_view(vector["secretAccessKey"].get<std::string>()));
  credentials.session_token =
      SecretBytes(std::string_view(vector["sessionToken"].get<std::string>()));
  SigningOptions options;
  options.region = vector["region"];
  options.service = vector["service"];
  const bool object_store = vector["objectStore"];
  options.normalize_path = !object_store;
  options.double_encode_path = !object_store;
  options.sign_body_header = object_store;
  const WallTime time = ParseRfc3339(vector["time"].get<std::string>()).value();

  net::HttpRequest request = RequestOf(vector);
  CheckParts(signer.SignHeaders(request, credentials, time, options), vector["header"]);
  if (!vector.contains("query")) return;
  request = RequestOf(vector);
  CheckParts(signer.SignQuery(request, credentials, time, std::chrono::seconds(900), options),
             vector["query"]);
}

TEST(SigV4SignerTest, MatchesBotocoreOnOurVectors) {
  const Json document = ReadJson(Path(KEYTURN_SOURCE_DIR) / "tests/data/sigv4/vectors.json");
  SigV4Signer signer;
  for (const Json& vector : document["vectors"]) CheckOwnVector(vector, signer);
  EXPECT_GE(document["vectors"].size(), 20U);
}

Credentials MakeCredentials() {
  Credentials credentials;
  credentials.access_key_id = "AKIDEXAMPLE";
  credentials.secret_access_key = SecretBytes(std::string_view("secret"));
  credentials.session_token = SecretBytes(std::string_view("token"));
  return credentials;
}

net::HttpRequest MakeRequest() {
  net::HttpRequest request;
  request.method = "POST";
  request.url = {"https", "example.com", 443, "/"};
  request.headers.Add("Content-Type", "application/x-amz-json-1.1");
  request.body = "{}";
  return request;
}

constexpr WallTime kNow{std::chrono::seconds(1'795'428'000)};

TEST(SigV4SignerTest, SigningAgainReplacesTheOldSignature) {
  SigV4Signer signer;
  SigningOptions options;
  options.region = "eu-central-1";
  options.service = "secretsmanager";
  const Credentials credentials = MakeCredentials();
  net::HttpRequest twice = MakeRequest();
  signer.SignHeaders(twice, credentials, kNow - std::chrono::hours(1), options);
  signer.SignHeaders(twice, credentials, kNow, options);
  net::HttpRequest once = MakeRequest();
  signer.SignHeaders(once, credentials, kNow, options);
  EXPECT_EQ(Comparable(twice), Comparable(once));
}

TEST(SigV4SignerTest, UnsignedHeadersDoNotChangeTheSignature) {
  SigV4Signer signer;
  const SigningOptions options;
  net::HttpRequest plain = MakeRequest();
  const std::string expected =
      signer.SignHeaders(plain, MakeCredentials(), kNow, options).signature;
  for (const char* name : {"User-Agent", "Connection", "EXPECT", "Transfer-Encoding",
                           "X-Amzn-Trace-Id", "Authorization", "Host"}) {
    net::HttpRequest request = MakeRequest();
    request.headers.Add(name, "anything");
    EXPECT_EQ(signer.SignHeaders(request, MakeCredentials(), kNow, options).signature, expected)
        << name;
  }
}

TEST(SigningKeyCacheTest, AnswersTheSameWithAndWithoutCachedKey) {
  SigningKeyCache cache;
  const SecretBytes secret(std::string_view("secret"));
  const SigningScope scope{"20261123", "eu-central-1", "secretsmanager"};
  const std::string first = cache.Sign(secret, scope, "text");
  EXPECT_EQ(cache.Sign(secret, scope, "text"), first);
  EXPECT_EQ(cache.size(), 1U);
  EXPECT_EQ(SigningKeyCache().Sign(secret, scope, "text"), first);
}

TEST(SigningKeyCacheTest, EverythingThatTheKeyIsForSelectsIt) {
  SigningKeyCache cache;
  const SecretBytes secret(std::string_view("secret"));
  const std::string base = cache.Sign(secret, {"20261123", "a", "b"}, "text");
  EXPECT_NE(cache.Sign(secret, {"20261124", "a", "b"}, "text"), base);
  EXPECT_NE(cache.Sign(secret, {"20261123", "x", "b"}, "text"), base);
  EXPECT_NE(cache.Sign(secret, {"20261123", "a", "x"}, "text"), base);
  EXPECT_NE(cache.Sign(SecretBytes(std::string_view("other")), {"20261123", "a", "b"}, "text"),
            base);
}

TEST(SigningKeyCacheTest, StaysWithinItsCapacity) {
  SigningKeyCache cache;
  const SecretBytes secret(std::string_view("secret"));
  for (size_t i = 0; i <= SigningKeyCache::kCapacity; ++i) {
    cache.Sign(secret, {std::to_string(i), "a", "b"}, "text");
    ASSERT_LE(cache.size(), SigningKeyCache::kCapacity);
  }
}

TEST(CanonicalRequestTest, MalformedPercentStandsForItself) {
  EXPECT_EQ(CanonicalQuery("a=%zz&b=%4&c=%"), "a=%25zz&b=%254&c=%25");
  EXPECT_EQ(UriDecode("%41%4a%4A%"), "AJJ%");
}

TEST(CanonicalRequestTest, QueryIgnoresEmptyFields) {
  EXPECT_EQ(CanonicalQuery(""), "");
  EXPECT_EQ(CanonicalQuery("&&a=1&"), "a=1");
  EXPECT_EQ(CanonicalQuery("=x"), "=x");
}

TEST(CanonicalRequestTest, PathKeepsItsTrailingSlashOnly) {
  EXPECT_EQ(CanonicalPath("", true, true), "/");
  EXPECT_EQ(CanonicalPath("/a/b/", true, true), "/a/b/");
  EXPECT_EQ(CanonicalPath("/a/b", true, true), "/a/b");
  EXPECT_EQ(CanonicalPath("/a/..", true, true), "/");
  EXPECT_EQ(CanonicalPath("/%20", false, false), "/%20");
}

TEST(CanonicalRequestTest, EveryByteButTheUnreservedIsEncoded) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text(1, static_cast<char>(byte));
    const bool unreserved =
        (byte < 128 && std::isalnum(byte) != 0) ||
        (byte != 0 && std::string_view("-._~").find(text) != std::string_view::npos);
    EXPECT_EQ(UriEncode(text).size(), unreserved ? 1U : 3U) << byte;
    EXPECT_EQ(UriDecode(UriEncode(text)), text);
  }
}

}  // namespace
}  // namespace keyturn::aws
