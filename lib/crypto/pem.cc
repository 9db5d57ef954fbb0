// SPDX-License-Identifier: Apache-2.0
#include "lib/crypto/pem.h"

#include <climits>
#include <ctime>
#include <memory>
#include <set>
#include <utility>

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "lib/base/strings.h"
#include "lib/crypto/digest.h"

namespace keyturn::crypto {
namespace {

constexpr std::string_view kBegin = "-----BEGIN ";
constexpr std::string_view kEnd = "-----END ";
constexpr std::string_view kDashes = "-----";
// Source: RFC 7468 §2: generators wrap the text at 64 characters.
constexpr size_t kLineWidth = 64;
// Every certificate is checked against the key and kept in memory; real bundles hold fewer than 10.
constexpr size_t kMaxBlocks = 1000;

struct OpenSslDeleter {
  void operator()(X509* certificate) const { X509_free(certificate); }

  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};

using X509Handle = std::unique_ptr<X509, OpenSslDeleter>;
using KeyHandle = std::unique_ptr<EVP_PKEY, OpenSslDeleter>;

// OpenSSL's error queue is per thread and would otherwise carry our failures into somebody else's
// message.
class ErrorQueueGuard {
 public:
  ErrorQueueGuard() = default;
  ErrorQueueGuard(const ErrorQueueGuard&) = delete;
  ErrorQueueGuard& operator=(const ErrorQueueGuard&) = delete;

  ~ErrorQueueGuard() { ERR_clear_error(); }
};

enum class BlockKind { kCertificate, kKey, kParameters, kOther };

struct Block {
  BlockKind kind = BlockKind::kOther;
  std::string label;
  std::string headers;  // of RFC 1421, as in keys encrypted the old way; with final newline
  SecretBytes der;
};

BlockKind KindOf(std::string_view label) {
  if (label == "CERTIFICATE" || label == "X509 CERTIFICATE") return BlockKind::kCertificate;
  // Key generators write the curve or group in front of the key; TLS servers do not need it.
  if (label == "EC PARAMETERS" || label == "DH PARAMETERS") return BlockKind::kParameters;
  if (label == "PRIVATE KEY" || label == "ENCRYPTED PRIVATE KEY" || label == "RSA PRIVATE KEY" ||
      label == "EC PRIVATE KEY" || label == "DSA PRIVATE KEY") {
    return BlockKind::kKey;
  }
  return BlockKind::kOther;
}

// Values that went through a form field or an environment variable often carry the two characters
// "\n" for a line end. A backslash is part of no PEM block, so this cannot change a well-formed
// one.
std::string WithRealLineEnds(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const bool escaped =
        text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == 'n' || text[i + 1] == 'r');
    if (escaped) {
      out += '\n';
      ++i;
    } else if (text[i] != '\r') {
      out += text[i];
    }
  }
  return out;
}

std::string WithoutBlanks(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (c != ' ' && c != '\t' && c != '\n') out += c;
  }
  return out;
}

// Splits "Proc-Type: …\nDEK-Info: …\n\nbase64" into headers and the rest.
std::string TakeHeaders(std::string_view& body) {
  std::string headers;
  const std::string_view trimmed = TrimWhitespace(body);
  if (trimmed.find(':') == std::string_view::npos) return headers;
  const size_t blank = trimmed.find("\n\n");
  if (blank == std::string_view::npos) return headers;  // the ':' fails the base64 check
  headers = StrCat(trimmed.substr(0, blank), "\n");
  body = trimmed.substr(blank);
  return headers;
}

Status BlockError(size_t number, std::string_view why) {
  return InvalidArgumentError(StrCat("reading PEM: block ", number, " ", why));
}

// Takes the next block off `rest`; an empty label when there is none.
Result<Block> TakeBlock(std::string_view& rest, size_t number) {
  const size_t begin = rest.find(kBegin);
  if (begin == std::string_view::npos) return Block{};
  rest.remove_prefix(begin + kBegin.size());
  const size_t label_end = rest.find(kDashes);
  if (label_end == std::string_view::npos || rest.substr(0, label_end).find('\n') < label_end) {
    return BlockError(number, "has a malformed BEGIN line");
  }
  Block block;
  block.label = std::string(rest.substr(0, label_end));
  block.kind = KindOf(block.label);
  rest.remove_prefix(label_end + kDashes.size());

  const std::string footer = StrCat(kEnd, block.label, kDashes);
  const size_t end = rest.find(footer);
  if (end == std::string_view::npos) return BlockError(number, "has no END line");
  std::string_view body = rest.substr(0, end);
  rest.remove_prefix(end + footer.size());

  block.headers = TakeHeaders(body);
  std::string base64 = WithoutBlanks(body);
  const ScopedCleanse cleanse(base64);
  auto der = Base64Decode(base64);
  if (!der || der->empty()) return BlockError(number, "is not base64");
  block.der = std::move(*der);
  return block;
}

std::string Format(const Block& block) {
  std::string base64 = Base64Encode(block.der.Reveal(InsecureSecretAccess::Get()));
  const ScopedCleanse cleanse(base64);
  std::string out = StrCat(kBegin, block.label, kDashes, "\n", block.headers);
  if (!block.headers.empty()) out += '\n';
  for (size_t i = 0; i < base64.size(); i += kLineWidth) {
    out.append(base64, i, kLineWidth);
    out += '\n';
  }
  return out.append(StrCat(kEnd, block.label, kDashes, "\n"));
}

X509Handle ParseCertificate(const Block& block) {
  const std::string_view der = block.der.Reveal(InsecureSecretAccess::Get());
  if (der.size() > LONG_MAX) return nullptr;
  const auto* cursor = reinterpret_cast<const unsigned char*>(der.data());
  const auto* const end = cursor + der.size();
  X509Handle certificate(d2i_X509(nullptr, &cursor, static_cast<long>(der.size())));
  return cursor == end ? std::move(certificate) : nullptr;
}

KeyHandle ParseKey(const Block& block) {
  const std::string_view der = block.der.Reveal(InsecureSecretAccess::Get());
  if (der.size() > LONG_MAX) return nullptr;
  const auto* cursor = reinterpret_cast<const unsigned char*>(der.data());
  return KeyHandle(d2i_AutoPrivateKey(nullptr, &cursor, static_cast<long>(der.size())));
}

// Whether the key's numbers can be read only with a passphrase that we do not have.
bool IsEncrypted(const Block& block) {
  return block.label == "ENCRYPTED PRIVATE KEY" || !block.headers.empty();
}

struct Blocks {
  std::vector<Block> certificates;
  std::vector<X509Handle> parsed;  // of the same index
  std::optional<Block> key;
  KeyHandle parsed_key;  // null for an encrypted one
};

Status AddCertificate(Block block, size_t number, std::set<Sha256Digest>& seen, Blocks& blocks) {
  X509Handle certificate = ParseCertificate(block);
  if (certificate == nullptr) return BlockError(number, "is not a certificate");
  // The leaf is often there twice: alone and as the first of the full chain.
  if (!seen.insert(Sha256(block.der.Reveal(InsecureSecretAccess::Get()))).second) return {};
  blocks.certificates.push_back(std::move(block));
  blocks.parsed.push_back(std::move(certificate));
  return {};
}

Status AddKey(Block block, size_t number, Blocks& blocks) {
  if (blocks.key) {
    if (blocks.key->der == block.der) return {};
    return InvalidArgumentError("reading PEM: more than one private key");
  }
  if (!IsEncrypted(block)) {
    blocks.parsed_key = ParseKey(block);
    if (blocks.parsed_key == nullptr) return BlockError(number, "is not a private key");
  }
  blocks.key = std::move(block);
  return {};
}

Result<Blocks> ReadBlocks(std::string_view text) {
  Blocks blocks;
  std::set<Sha256Digest> seen;
  std::string_view rest = text;
  for (size_t number = 1;; ++number) {
    KEYTURN_ASSIGN_OR_RETURN(Block block, TakeBlock(rest, number));
    if (block.label.empty() && block.der.empty()) return blocks;
    if (number > kMaxBlocks) return InvalidArgumentError("reading PEM: too many blocks");
    if (block.kind == BlockKind::kCertificate) {
      KEYTURN_RETURN_IF_ERROR(AddCertificate(std::move(block), number, seen, blocks));
    } else if (block.kind == BlockKind::kKey) {
      KEYTURN_RETURN_IF_ERROR(AddKey(std::move(block), number, blocks));
    } else if (block.kind == BlockKind::kOther) {
      return BlockError(number, "is neither a certificate nor a private key");
    }
  }
}

// The certificate of the key. Without a readable key the first, which TLS wants to be the leaf.
// Source: RFC 8446 §4.4.2.
std::optional<size_t> FindLeaf(const Blocks& blocks) {
  if (blocks.parsed_key == nullptr) return 0;
  for (size_t i = 0; i < blocks.parsed.size(); ++i) {
    if (X509_check_private_key(blocks.parsed[i].get(), blocks.parsed_key.get()) == 1) return i;
  }
  return std::nullopt;
}

}  // namespace

Result<PemBundle> SplitPemBundle(std::string_view text) {
  const ErrorQueueGuard guard;
  std::string normalised = WithRealLineEnds(text);
  const ScopedCleanse cleanse(normalised);
  KEYTURN_ASSIGN_OR_RETURN(Blocks blocks, ReadBlocks(normalised));
  if (blocks.certificates.empty()) return InvalidArgumentError("reading PEM: no certificate");
  const std::optional<size_t> leaf = FindLeaf(blocks);
  if (!leaf) {
    return InvalidArgumentError("reading PEM: the private key belongs to none of the certificates");
  }
  PemBundle bundle;
  for (size_t i = 0; i < blocks.certificates.size(); ++i) {
    (i == *leaf ? bundle.certificate : bundle.chain) += Format(blocks.certificates[i]);
  }
  if (blocks.key) {
    std::string key = Format(*blocks.key);
    const ScopedCleanse cleanse_key(key);
    bundle.key.emplace(std::string_view(key));
  }
  return bundle;
}

Result<WallTime> CertificateNotAfter(std::string_view pem) {
  const ErrorQueueGuard guard;
  const std::string normalised = WithRealLineEnds(pem);
  std::string_view rest = normalised;
  for (size_t number = 1;; ++number) {
    KEYTURN_ASSIGN_OR_RETURN(const Block block, TakeBlock(rest, number));
    if (block.label.empty() && block.der.empty()) {
      return InvalidArgumentError("reading PEM: no certificate");
    }
    if (block.kind != BlockKind::kCertificate) continue;
    const X509Handle certificate = ParseCertificate(block);
    std::tm when{};
    if (certificate == nullptr ||
        ASN1_TIME_to_tm(X509_get0_notAfter(certificate.get()), &when) != 1) {
      return BlockError(number, "is not a certificate");
    }
    return std::chrono::system_clock::from_time_t(timegm(&when));
  }
}

}  // namespace keyturn::crypto
