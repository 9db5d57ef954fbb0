// CertificateLog: remembers why a server's certificate was refused, which cpprestsdk does not say.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>

#include "lib/base/mutex.h"
#include "lib/net/tls_context.h"

struct x509_store_ctx_st;

namespace keyturn::net {

// Verifies chains for a shared TLS context: against the host as well, so that the library's own
// check of the name is not the only one. THREAD: safe.
class CertificateLog {
 public:
  // REQUIRES: this object outlives every session of `context`.
  void Install(const ClientTlsContext& context);

  // Why the last certificate of `host` was refused (UNAUTHENTICATED), once; nothing when none was.
  std::optional<Status> TakeError(const std::string& host);

 private:
  static int Verify(x509_store_ctx_st* chain, void* self);
  void Record(const std::string& host, long code);

  Mutex mutex_;
  std::map<std::string, long> codes_ KEYTURN_GUARDED_BY(mutex_);
};

}  // namespace keyturn::net
