// Answers of the query protocol (STS): XML, read into texts by path.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/result.h"
#include "lib/base/secret_bytes.h"

namespace keyturn::aws {

// The leaves of a document: elements with text, by the names of the elements around them. Texts are
// secrets, because credentials are among them. Immutable.
class QueryXml {
 public:
  // Answers of STS are below 20 KB and 6 levels; the rest is room.
  static constexpr size_t kMaxBytes = 256 * 1024;
  static constexpr size_t kMaxDepth = 16;
  static constexpr size_t kMaxElements = 1000;

  // ERRORS: INVALID_ARGUMENT for malformed XML, more than the limits, a document type declaration
  // (and with it every entity but the five of XML itself), by line and kind. SECURITY: never quotes
  // the input.
  static Result<QueryXml> Parse(std::string_view text);

  // The name of the root element.
  const std::string& root() const { return root_; }

  // The text at "AssumeRoleResult/Credentials/AccessKeyId" below the root, without surrounding
  // blanks; null when absent or empty. The first of several counts.
  const SecretBytes* Find(std::string_view path) const;
  // The same as text, "" when absent. SECURITY: only for members that are no secrets.
  std::string Text(std::string_view path) const;

 private:
  struct Leaf {
    std::string path;
    SecretBytes text;
  };

  friend class QueryXmlReader;
  std::string root_;
  std::vector<Leaf> leaves_;
};

}  // namespace keyturn::aws
