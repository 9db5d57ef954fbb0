// SPDX-License-Identifier: Apache-2.0
#include "lib/aws/query_xml.h"

#include <expat.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "lib/base/strings.h"

namespace keyturn::aws {

// Turns expat's events into leaves. The first refusal stops the parser.
class QueryXmlReader {
 public:
  explicit QueryXmlReader(XML_Parser parser) : parser_(parser) {
    XML_SetUserData(parser, this);
    XML_SetElementHandler(parser, &OnStart, &OnEnd);
    XML_SetCharacterDataHandler(parser, &OnText);
    // Without a document type there are no entities to expand.
    XML_SetStartDoctypeDeclHandler(parser, &OnDoctype);
  }

  QueryXmlReader(const QueryXmlReader&) = delete;
  QueryXmlReader& operator=(const QueryXmlReader&) = delete;

  ~QueryXmlReader() { Cleanse(text_); }

  Result<QueryXml> Read(std::string_view input) {
    const XML_Status status =
        XML_Parse(parser_, input.data(), static_cast<int>(input.size()), XML_TRUE);
    if (status == XML_STATUS_OK) return std::move(document_);
    const std::string_view why =
        refusal_.empty() ? std::string_view(XML_ErrorString(XML_GetErrorCode(parser_))) : refusal_;
    return InvalidArgumentError(StrCat("XML, line ", XML_GetCurrentLineNumber(parser_), ": ", why));
  }

 private:
  static QueryXmlReader& Self(void* data) { return *static_cast<QueryXmlReader*>(data); }

  static void XMLCALL OnStart(void* data, const XML_Char* name, const XML_Char** /*attributes*/) {
    Self(data).Start(name);
  }

  static void XMLCALL OnEnd(void* data, const XML_Char* /*name*/) { Self(data).End(); }

  static void XMLCALL OnText(void* data, const XML_Char* text, int size) {
    Self(data).text_.append(text, static_cast<size_t>(size));
  }

  static void XMLCALL OnDoctype(void* data, const XML_Char* /*name*/, const XML_Char* /*system*/,
                                const XML_Char* /*public_id*/, int /*has_internal_subset*/) {
    Self(data).Refuse("a document type declaration is not allowed");
  }

  void Refuse(std::string_view why) {
    refusal_ = why;
    XML_StopParser(parser_, XML_FALSE);
  }

  void Start(std::string_view name) {
    if (++elements_ > QueryXml::kMaxElements) return Refuse("too many elements");
    if (sizes_.size() >= QueryXml::kMaxDepth) return Refuse("nested too deeply");
    Cleanse(text_);
    sizes_.push_back(path_.size());
    if (sizes_.size() == 1) {
      document_.root_ = name;
      return;
    }
    if (!path_.empty()) path_ += '/';
    path_ += name;
  }

  void End() {
    const std::string_view text = TrimWhitespace(text_);
    if (!text.empty() && !path_.empty()) document_.leaves_.push_back({path_, SecretBytes(text)});
    Cleanse(text_);
    path_.resize(sizes_.back());
    sizes_.pop_back();
  }

  const XML_Parser parser_;
  QueryXml document_;
  std::string path_;           // of the open element, below the root
  std::vector<size_t> sizes_;  // of path_ before each open element
  std::string text_;           // of the open element since its last child
  size_t elements_ = 0;
  std::string_view refusal_;
};

Result<QueryXml> QueryXml::Parse(std::string_view text) {
  if (text.size() > kMaxBytes) {
    return InvalidArgumentError(StrCat("XML: more than ", kMaxBytes, " bytes"));
  }
  using Parser = std::remove_pointer_t<XML_Parser>;
  // The encoding is given, so that no declaration can choose another one.
  const std::unique_ptr<Parser, decltype(&XML_ParserFree)> parser(XML_ParserCreate("UTF-8"),
                                                                  &XML_ParserFree);
  if (parser == nullptr) return ResourceExhaustedError("XML: out of memory");
  return QueryXmlReader(parser.get()).Read(text);
}

const SecretBytes* QueryXml::Find(std::string_view path) const {
  const auto leaf = std::find_if(leaves_.begin(), leaves_.end(),
                                 [path](const Leaf& candidate) { return candidate.path == path; });
  return leaf == leaves_.end() ? nullptr : &leaf->text;
}

std::string QueryXml::Text(std::string_view path) const {
  const SecretBytes* text = Find(path);
  return text == nullptr ? std::string() : std::string(text->Reveal(InsecureSecretAccess::Get()));
}

}  // namespace keyturn::aws
