// TestPki: certificates made on the spot, good ones and each kind of bad one.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace keyturn::testing {

struct TestCertificate {
  std::string certificate_pem;
  std::string key_pem;
};

struct LeafOptions {
  std::string subject_alt_names = "DNS:localhost,IP:127.0.0.1,IP:::1";
  long valid_from_seconds = -3600;  // relative to now
  long valid_to_seconds = 3600;
};

// A certificate authority of its own. Terminates when OpenSSL fails.
class TestPki {
 public:
  TestPki();

  const std::string& ca_pem() const { return ca_.certificate_pem; }

  TestCertificate IssueLeaf(const LeafOptions& options = {}) const;

 private:
  TestCertificate ca_;
};

}  // namespace keyturn::testing
