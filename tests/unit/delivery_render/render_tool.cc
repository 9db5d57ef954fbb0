// render_tool FORMAT PATH TEMPLATE DIRECTORY [KEY]: renders the secret on standard input, named
// "db" in a template, into DIRECTORY. For tests only.
// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

#include "lib/delivery/render.h"

namespace {

using keyturn::plan::Format;

Format FormatOf(const std::string& name) {
  const std::map<std::string, Format> formats = {
      {"raw", Format::kRaw},       {"json", Format::kJson},
      {"env", Format::kEnv},       {"dsn", Format::kDsn},
      {"yaml", Format::kYaml},     {"files", Format::kFiles},
      {"pgpass", Format::kPgpass}, {"mycnf", Format::kMycnf},
      {"pem", Format::kPem},       {"properties", Format::kProperties}};
  return formats.at(name);
}

keyturn::delivery::FetchedPtr ReadSecret() {
  auto fetched = std::make_shared<keyturn::delivery::FetchedValue>();
  const std::string value((std::istreambuf_iterator<char>(std::cin)),
                          std::istreambuf_iterator<char>());
  fetched->value = keyturn::SecretBytes(std::string_view(value));
  return fetched;
}

void WriteFiles(const std::vector<keyturn::delivery::RenderedFile>& files,
                const std::filesystem::path& directory) {
  for (const auto& file : files) {
    const std::filesystem::path path = directory / file.path;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary)
        << file.content.Reveal(keyturn::InsecureSecretAccess::Get());
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::cerr << "usage: render_tool FORMAT PATH TEMPLATE DIRECTORY [KEY]\n";
    return 2;
  }
  keyturn::plan::Source source;
  source.secret = "prod/db";
  source.has_key = argc > 5;
  if (source.has_key) source.key = argv[5];
  keyturn::plan::File file;
  file.format = FormatOf(argv[1]);
  file.path = argv[2];
  file.mustache = argv[3];
  keyturn::delivery::RenderInputs inputs;
  if (file.mustache.empty()) {
    file.from = source;
    inputs[""] = ReadSecret();
  } else {
    file.with["db"] = source;
    inputs["db"] = ReadSecret();
  }
  const auto files = keyturn::delivery::RenderFile(file, inputs);
  if (!files.ok()) {
    std::cerr << files.status().ToString() << "\n";
    return 1;
  }
  WriteFiles(*files, argv[4]);
  return 0;
}
