// CpprestRuntime: what cpprestsdk needs of a whole program before it may be used.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "lib/base/result.h"

namespace keyturn::net {

// Owns the threads that run cpprestsdk's event loop. THREAD: made and destroyed by main.
class CpprestRuntime {
 public:
  virtual ~CpprestRuntime() = default;
};

// REQUIRES: first in main, before any other thread starts and before anything else of cpprestsdk is
// used. It does what no transport can do for itself:
//  - The library's pool of 40 threads is replaced by two threads that survive an exception; as
//    shipped, one malformed chunk length in a response ends the process.
//  - SSL_CERT_FILE and SSL_CERT_DIR are pointed at nothing, because the library loads the system's
//    CA bundle (25 ms, 0.9 MB) for each connection and trusts it beside ours. Child processes
//    inherit that; give them an environment of their own.
// Destroy it at the end of main, after every transport.
// ERRORS: FAILED_PRECONDITION when the library was used before.
Result<std::unique_ptr<CpprestRuntime>> InitializeCpprest();

}  // namespace keyturn::net
