// SPDX-License-Identifier: Apache-2.0
#include "lib/delivery/render.h"

#include <utility>

#include "lib/base/strings.h"
#include "lib/crypto/pem.h"
#include "lib/delivery/render_document.h"
#include "lib/delivery/render_formats.h"
#include "lib/delivery/render_mustache.h"
#include "lib/delivery/render_template.h"

namespace keyturn::delivery {
namespace {

using internal::Document;
using plan::Format;

using RenderedFiles = std::vector<RenderedFile>;

RenderedFile MakeFile(const plan::File& file, std::string path, SecretBytes content) {
  return {std::move(path), std::move(content), file.mode, std::nullopt, file.gid};
}

// One file at the entry's own path.
Result<RenderedFiles> OneFile(const plan::File& file, const Result<std::string>& content) {
  if (!content.ok()) return content.status();
  RenderedFiles files;
  files.push_back(MakeFile(file, file.path, SecretBytes(std::string_view(*content))));
  return files;
}

// `name` in the directory that the entry's path is; "." is the target itself.
std::string PathInside(const plan::File& file, std::string_view name) {
  std::string_view directory = file.path;
  while (directory.ends_with('/')) directory.remove_suffix(1);
  if (directory.empty() || directory == ".") return std::string(name);
  return StrCat(directory, "/", name);
}

Result<std::string> WithNewline(Result<std::string> text) {
  if (text.ok()) *text += '\n';
  return text;
}

Result<RenderedFiles> RenderDirectory(const plan::File& file, const Document& document) {
  KEYTURN_ASSIGN_OR_RETURN(const auto members, document.Fields());
  RenderedFiles files;
  for (const internal::Field& member : members) {
    const Status legal = internal::CheckFileName(member.name);
    if (!legal.ok()) return AnnotateStatus(legal, document.label());
    files.push_back(
        MakeFile(file, PathInside(file, member.name), SecretBytes(std::string_view(member.text))));
  }
  return files;
}

Result<crypto::PemBundle> SplitPem(const Document& document) {
  if (!document.LooksLikeJsonObject()) return crypto::SplitPemBundle(document.text());
  KEYTURN_ASSIGN_OR_RETURN(const auto members, document.Fields());
  KEYTURN_ASSIGN_OR_RETURN(const std::string text, internal::JoinPemMembers(members));
  return crypto::SplitPemBundle(text);
}

// The names of a Kubernetes TLS secret. tls.crt is the leaf with its chain, as servers send it.
Result<RenderedFiles> RenderPem(const plan::File& file, const Document& document) {
  auto bundle = SplitPem(document);
  if (!bundle.ok()) return AnnotateStatus(bundle.status(), document.label());
  RenderedFiles files;
  const auto add = [&](std::string_view name, SecretBytes content) {
    files.push_back(MakeFile(file, PathInside(file, name), std::move(content)));
  };
  add("tls.crt", SecretBytes(std::string_view(bundle->certificate + bundle->chain)));
  if (!bundle->chain.empty()) add("ca.crt", SecretBytes(std::string_view(bundle->chain)));
  if (bundle->key) add("tls.key", std::move(*bundle->key));
  return files;
}

using MembersFormatter = Result<std::string> (*)(const internal::Members&);

Result<RenderedFiles> RenderMembers(const plan::File& file, const Document& document,
                                    MembersFormatter format) {
  KEYTURN_ASSIGN_OR_RETURN(const auto members, document.Fields());
  const Result<std::string> text = format(members);
  if (!text.ok()) return AnnotateStatus(text.status(), document.label());
  return OneFile(file, text);
}

Result<RenderedFiles> RenderDocument(const plan::File& file, const Document& document) {
  switch (file.format) {
    case Format::kRaw:
      return OneFile(file, document.text());
    case Format::kJson:
      return OneFile(file, WithNewline(document.AsJson()));
    case Format::kYaml:
      return OneFile(file, document.AsYaml());
    case Format::kEnv:
      return RenderMembers(file, document, internal::FormatEnv);
    case Format::kProperties:
      return RenderMembers(file, document, internal::FormatProperties);
    case Format::kDsn:
      return RenderMembers(file, document, internal::FormatDsn);
    case Format::kPgpass:
      return RenderMembers(file, document, internal::FormatPgpass);
    case Format::kMycnf:
      return RenderMembers(file, document, internal::FormatMycnf);
    case Format::kFiles:
      return RenderDirectory(file, document);
    case Format::kPem:
      return RenderPem(file, document);
  }
  return InternalError("unknown format");
}

Result<Document> SelectInput(const RenderInputs& inputs, const std::string& name,
                             const plan::Source& source) {
  const auto found = inputs.find(name);
  if (found == inputs.end() || found->second == nullptr) {
    return InternalError(StrCat(internal::SourceLabel(source), " was not fetched"));
  }
  return Document::Select(source, *found->second);
}

Result<RenderedFiles> RenderTemplate(const plan::File& file, const RenderInputs& inputs) {
  if (file.format == Format::kFiles || file.format == Format::kPem) {
    return InvalidArgumentError("a template makes one file: its format cannot be files or pem");
  }
  KEYTURN_ASSIGN_OR_RETURN(const internal::Template parsed,
                           internal::ParseTemplate(file.mustache, file.format));
  internal::TemplateInputs values;
  if (file.from) {
    KEYTURN_ASSIGN_OR_RETURN(values.root, SelectInput(inputs, "", *file.from));
  }
  for (const auto& [name, source] : file.with) {
    KEYTURN_ASSIGN_OR_RETURN(Document document, SelectInput(inputs, name, source));
    values.named.emplace(name, std::move(document));
  }
  return OneFile(file, internal::FillTemplate(parsed, file.format, values));
}

Result<RenderedFiles> Render(const plan::File& file, const RenderInputs& inputs) {
  if (!file.mustache.empty()) return RenderTemplate(file, inputs);
  if (!file.from) return InvalidArgumentError("neither a source nor a template");
  KEYTURN_ASSIGN_OR_RETURN(const Document document, SelectInput(inputs, "", *file.from));
  return RenderDocument(file, document);
}

}  // namespace

Result<std::vector<RenderedFile>> RenderFile(const plan::File& file, const RenderInputs& inputs) {
  auto files = Render(file, inputs);
  if (files.ok()) return files;
  return AnnotateStatus(files.status(), StrCat("file ", QuoteForMessage(file.path, 4096)));
}

}  // namespace keyturn::delivery
