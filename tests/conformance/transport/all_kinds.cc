// The suite over both transports, and the main that cpprestsdk needs.
// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include "lib/net_cpprest/cpprest_runtime.h"
#include "lib/net_cpprest/cpprest_transport.h"
#include "tests/conformance/transport/transport_fixture.h"

namespace keyturn::testing {

std::vector<TransportKind> TransportKinds() {
  return {{.name = "Beast", .create = net::CreateBeastTransportWithLookup},
          {.name = "Cpprest",
           .create = net::CreateCpprestTransportWithLookup,
           .skips_interim = false,
           .explains_malformed = false,
           .checks_every_byte = false,
           .reuses_at_once = false}};
}

}  // namespace keyturn::testing

// cpprestsdk leaks 32 bytes for each tunnel through a proxy; and what its task scheduler has still
// queued when the process ends, such as the rest of a cancelled request, is never freed.
extern "C" const char* __lsan_default_suppressions();

extern "C" const char* __lsan_default_suppressions() {
  return "leak:libcpprest\nleak:pplx::\nleak:pplxtasks.h";
}

int main(int argc, char** argv) {
  const auto runtime = keyturn::net::InitializeCpprest();
  if (!runtime.ok()) {
    std::fprintf(stderr, "%s\n", runtime.status().ToString().c_str());
    return 1;
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
