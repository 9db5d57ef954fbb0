// SPDX-License-Identifier: Apache-2.0
#include "tests/conformance/transport/test_pki.h"

#include <memory>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "lib/base/check.h"

namespace keyturn::testing {
namespace {

using KeyHandle = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using X509Handle = std::unique_ptr<X509, decltype(&X509_free)>;
using BioHandle = std::unique_ptr<BIO, decltype(&BIO_free)>;

KeyHandle NewKey() {
  KeyHandle key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"), &EVP_PKEY_free);
  KEYTURN_CHECK(key != nullptr);
  return key;
}

std::string Text(const BioHandle& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<size_t>(size));
}

TestCertificate ToPem(X509* certificate, EVP_PKEY* key) {
  const BioHandle certificate_bio(BIO_new(BIO_s_mem()), &BIO_free);
  const BioHandle key_bio(BIO_new(BIO_s_mem()), &BIO_free);
  KEYTURN_CHECK(PEM_write_bio_X509(certificate_bio.get(), certificate) == 1);
  KEYTURN_CHECK(
      PEM_write_bio_PrivateKey(key_bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return {Text(certificate_bio), Text(key_bio)};
}

void AddExtension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  KEYTURN_CHECK(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

X509Handle NewCertificate(EVP_PKEY* key, const char* name, const LeafOptions& options) {
  X509Handle certificate(X509_new(), &X509_free);
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), options.valid_from_seconds);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), options.valid_to_seconds);
  const auto* text = reinterpret_cast<const unsigned char*>(name);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_ASC, text, -1,
                             -1, 0);
  X509_set_pubkey(certificate.get(), key);
  return certificate;
}

KeyHandle ReadKey(const std::string& pem) {
  const BioHandle bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  return {PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr), &EVP_PKEY_free};
}

X509Handle ReadCertificate(const std::string& pem) {
  const BioHandle bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  return {PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr), &X509_free};
}

}  // namespace

TestPki::TestPki() {
  const KeyHandle key = NewKey();
  const X509Handle certificate = NewCertificate(key.get(), "keyturn test CA", {});
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate.get()));
  AddExtension(certificate.get(), certificate.get(), NID_basic_constraints, "critical,CA:TRUE");
  KEYTURN_CHECK(X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0);
  ca_ = ToPem(certificate.get(), key.get());
}

TestCertificate TestPki::IssueLeaf(const LeafOptions& options) const {
  const KeyHandle ca_key = ReadKey(ca_.key_pem);
  const X509Handle issuer = ReadCertificate(ca_.certificate_pem);
  const KeyHandle key = NewKey();
  const X509Handle certificate = NewCertificate(key.get(), "leaf", options);
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer.get()));
  AddExtension(certificate.get(), issuer.get(), NID_subject_alt_name, options.subject_alt_names);
  KEYTURN_CHECK(X509_sign(certificate.get(), ca_key.get(), EVP_sha256()) > 0);
  return ToPem(certificate.get(), key.get());
}

}  // namespace keyturn::testing
