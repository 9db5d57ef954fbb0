// JsonWriter: builds the flat JSON objects that requests are, without the JSON library.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/log.h"
#include "lib/base/strings.h"

namespace keyturn::aws {

// Writes members in the order of the calls. Names are the caller's literals.
class JsonWriter {
 public:
  void Text(std::string_view name, std::string_view value) {
    Name(name);
    AppendJsonString(out_, value);
  }

  void Texts(std::string_view name, const std::vector<std::string>& values) {
    Name(name);
    for (size_t i = 0; i < values.size(); ++i) {
      out_ += i == 0 ? '[' : ',';
      AppendJsonString(out_, values[i]);
    }
    out_ += values.empty() ? "[]" : "]";
  }

  // `values` are JSON already.
  void Array(std::string_view name, const std::vector<std::string>& values) {
    Name(name);
    out_ += "[" + Join(values, ",") + "]";
  }

  // `value` is JSON already.
  void Raw(std::string_view name, std::string_view value) {
    Name(name);
    out_ += value;
  }

  void Number(std::string_view name, int64_t value) { Raw(name, std::to_string(value)); }

  void True(std::string_view name) { Raw(name, "true"); }

  std::string Finish() { return out_.empty() ? "{}" : std::move(out_) + "}"; }

 private:
  void Name(std::string_view name) {
    out_ += out_.empty() ? '{' : ',';
    AppendJsonString(out_, name);
    out_ += ':';
  }

  std::string out_;
};

}  // namespace keyturn::aws
