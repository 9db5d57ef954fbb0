// SPDX-License-Identifier: Apache-2.0
#include "lib/net_cpprest/certificate_log.h"

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

namespace keyturn::net {

void CertificateLog::Install(const ClientTlsContext& context) {
  SSL_CTX_set_cert_verify_callback(context.native_handle(), &CertificateLog::Verify, this);
}

int CertificateLog::Verify(X509_STORE_CTX* chain, void* self) {
  const auto* ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx()));
  // The library names the host there always, IPv4 literals included.
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr || !ExpectTlsHost(X509_STORE_CTX_get0_param(chain), name)) return 0;
  const int result = X509_verify_cert(chain);
  static_cast<CertificateLog*>(self)->Record(name, X509_STORE_CTX_get_error(chain));
  return result;
}

void CertificateLog::Record(const std::string& host, long code) {
  MutexLock lock(mutex_);
  if (code == X509_V_OK) {
    codes_.erase(host);
  } else {
    codes_[host] = code;
  }
}

std::optional<Status> CertificateLog::TakeError(const std::string& host) {
  MutexLock lock(mutex_);
  const auto refused = codes_.extract(host);
  if (refused.empty()) return std::nullopt;
  return CertificateError(refused.mapped(), host);
}

}  // namespace keyturn::net
