// The suite over the Beast transport alone: builds without cpprestsdk.
// SPDX-License-Identifier: Apache-2.0
#include "tests/conformance/transport/transport_fixture.h"

namespace keyturn::testing {

std::vector<TransportKind> TransportKinds() {
  return {{.name = "Beast", .create = net::CreateBeastTransportWithLookup}};
}

}  // namespace keyturn::testing
