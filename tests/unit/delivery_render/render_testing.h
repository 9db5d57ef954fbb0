// Short forms for tests of rendering.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/delivery/render.h"

namespace keyturn::delivery {

inline FetchedPtr Fetched(std::string_view value, bool is_binary = false) {
  auto fetched = std::make_shared<FetchedValue>();
  fetched->value = SecretBytes(value);
  fetched->is_binary = is_binary;
  return fetched;
}

inline plan::Source SecretSource(const std::string& name = "prod/db") {
  plan::Source source;
  source.secret = name;
  return source;
}

inline plan::File FileFrom(plan::Format format, plan::Source source = SecretSource()) {
  plan::File file;
  file.path = "out";
  file.format = format;
  file.from = std::move(source);
  return file;
}

using Files = std::map<std::string, std::string>;

inline Files ToMap(const std::vector<RenderedFile>& rendered) {
  Files files;
  for (const RenderedFile& file : rendered) {
    files[file.path] = std::string(file.content.Reveal(InsecureSecretAccess::Get()));
  }
  return files;
}

inline Result<Files> RenderToMap(const plan::File& file, const RenderInputs& inputs) {
  const auto rendered = RenderFile(file, inputs);
  if (!rendered.ok()) return rendered.status();
  return ToMap(*rendered);
}

inline Result<std::string> OnlyFile(const Result<Files>& files) {
  if (!files.ok()) return files.status();
  if (files->size() != 1) return InternalError("not one file");
  return files->begin()->second;
}

// The only file of a source without selection.
inline Result<std::string> RenderValue(plan::Format format, std::string_view value) {
  return OnlyFile(RenderToMap(FileFrom(format), {{"", Fetched(value)}}));
}

inline Result<std::string> RenderKey(plan::Format format, std::string_view value,
                                     const std::string& key) {
  plan::Source source = SecretSource();
  source.has_key = true;
  source.key = key;
  return OnlyFile(RenderToMap(FileFrom(format, source), {{"", Fetched(value)}}));
}

// With input "db" (secret prod/db) and, if given, "api" (secret prod/api).
inline Result<std::string> RenderTemplateText(plan::Format format, const std::string& text,
                                              std::string_view db, std::string_view api = "") {
  plan::File file;
  file.path = "out";
  file.format = format;
  file.mustache = text;
  file.with["db"] = SecretSource();
  file.with["api"] = SecretSource("prod/api");
  return OnlyFile(RenderToMap(file, {{"db", Fetched(db)}, {"api", Fetched(api)}}));
}

}  // namespace keyturn::delivery
