// The fixture of the transport suite: which implementation, and what it is known not to do.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lib/net/transport_factory.h"
#include "tests/conformance/transport/scripted_server.h"

namespace keyturn::testing {

using CreateTransport = Result<std::unique_ptr<net::HttpTransport>> (*)(net::TransportOptions,
                                                                        net::LookupFunction);

struct TransportKind {
  const char* name = "";
  CreateTransport create = nullptr;
  // cpprestsdk hands 100 Continue to its caller as the final answer: there any 1xx is an error.
  bool skips_interim = true;
  // cpprestsdk drops a request silently on some malformed bytes: only the deadline ends it then.
  bool explains_malformed = true;
  // cpprestsdk neither sees TLS's goodbye nor counts bytes before they are parsed.
  bool checks_every_byte = true;
  // cpprestsdk gives a connection back a moment after the response is out: the next request may
  // come too early for it.
  bool reuses_at_once = true;
};

inline void PrintTo(const TransportKind& kind, std::ostream* out) {
  *out << kind.name;
}

// Those that this build has. Defined by the file that the suite is linked with.
std::vector<TransportKind> TransportKinds();

inline std::string KindName(const ::testing::TestParamInfo<TransportKind>& info) {
  return info.param.name;
}

// Long enough for anything that works, short enough to end a test that does not.
constexpr std::chrono::milliseconds kAmple{5'000};
// For what must run into its deadline.
constexpr std::chrono::milliseconds kShort{150};

class TransportTest : public ::testing::TestWithParam<TransportKind> {
 protected:
  // REQUIRES: called before the first Send.
  net::TransportOptions& options() { return options_; }

  net::HttpTransport& transport();

  net::HttpRequest Get(const std::string& url) const;
  Result<net::HttpResponse> Send(const net::HttpRequest& request,
                                 std::chrono::milliseconds timeout = kAmple,
                                 const net::BodySink* sink = nullptr, std::stop_token stop = {});

  Result<net::HttpResponse> SendGet(const std::string& url,
                                    std::chrono::milliseconds timeout = kAmple) {
    return Send(Get(url), timeout);
  }

  // Sends some requests and expects them to share connections.
  void ExpectReuse(const ScriptedServer& server, const std::string& url);

  net::TransportOptions WithClock(net::TransportOptions options) {
    options.clock = &clock_;
    return options;
  }

  net::LookupFunction lookup_ = net::SystemLookup();

 private:
  SystemClock clock_;
  net::TransportOptions options_;
  std::unique_ptr<net::HttpTransport> transport_;
};

// One authority for the whole program: making keys is the slow part.
const TestPki& Pki();

// "OK" or the code's name with the message, for readable failures.
std::string Describe(const Result<net::HttpResponse>& response);

}  // namespace keyturn::testing
