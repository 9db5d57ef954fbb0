// SPDX-License-Identifier: Apache-2.0
#include "lib/delivery/render_mustache.h"

#include <deque>
#include <exception>
#include <unordered_map>
#include <utility>
#include <vector>

#include <kainjow/mustache.hpp>

#include "lib/base/strings.h"
#include "lib/json/json.h"

namespace keyturn::delivery::internal {
namespace {

namespace mustache = kainjow::mustache;
using json::Json;

// A list inside a list inside a list multiplies. A secret holds at most 64 KiB; a file of more than
// 8 MiB is a mistake.
constexpr size_t kMaxOutputBytes = 8 * 1024 * 1024;
// What entering a section once costs us beyond its text.
constexpr size_t kEntryBytes = 64;

// Stands in the engine's output for the value with the index between two of them. Templates hold no
// NUL, so it cannot be confused with text.
constexpr char kPlaceholder = '\0';

struct Input {
  std::string label;
  Json value;
};

// A value on the way into a section, and the source that an error about it names.
struct Frame {
  const Json* value = nullptr;
  const Input* input = nullptr;
  const Tag* section = nullptr;
};

bool IsFalsy(const Json& value) {
  return value.is_null() || value == Json(false) || (value.is_array() && value.empty()) ||
         (value.is_string() && value.get_ref<const std::string&>().empty());
}

const Json* Member(const Json& value, std::string_view name) {
  if (!value.is_object()) return nullptr;
  const auto found = value.find(std::string(name));
  return found == value.end() ? nullptr : &*found;
}

// The engine asks for a value by a tag's index; this answers. Errors are kept, because the engine
// has no way to report them; after the first it gets nothing any more.
class Lookup final : public mustache::basic_context<std::string> {
 public:
  Lookup(const Template& parsed, plan::Format format, const TemplateInputs& inputs)
      : parsed_(parsed), format_(format) {
    for (const auto& [name, document] : inputs.named) {
      inputs_[name] = {document.label(), document.ForTemplate()};
    }
    if (inputs.root) root_ = Input{inputs.root->label(), inputs.root->ForTemplate()};
  }

  const Status& status() const { return status_; }

  void push(const mustache::data* data) override { frames_.push_back(by_node_.at(data)); }

  void pop() override { frames_.pop_back(); }

  const mustache::data* get_partial(const std::string&) const override { return nullptr; }

  const mustache::data* get(const std::string& name) const override {
    const auto index = ParseUnsigned<size_t>(name);
    if (!index || *index >= parsed_.tags.size() || !status_.ok()) return nullptr;
    const Tag& tag = parsed_.tags[*index];
    const auto found = Find(tag);
    if (!found.ok()) {
      status_ = Error(tag, found.status());
      return nullptr;
    }
    return IsVariable(tag) ? VariableNode(tag, *found) : SectionNode(tag, *found);
  }

  // Puts the values into what the engine made of the template.
  std::string Fill(std::string_view laid_out) const {
    std::string out;
    const std::vector<std::string_view> parts = Split(laid_out, kPlaceholder);
    for (size_t i = 0; i < parts.size(); ++i) {
      const bool is_value = i % 2 == 1;
      out += is_value ? std::string_view(values_[*ParseUnsigned<size_t>(parts[i])]) : parts[i];
    }
    return out;
  }

 private:
  static Status Error(const Tag& tag, const Status& status) {
    return AnnotateStatus(status, StrCat("template line ", tag.line));
  }

  // A frame with value null: nothing is there, which is an error for variables only.
  Result<Frame> Find(const Tag& tag) const {
    if (tag.name == ".") return CurrentItem(tag);
    const std::vector<std::string_view> path = Split(tag.name, '.');
    const Frame start = FindStart(path[0]);
    if (start.input == nullptr) return Unknown(tag, path[0]);
    Frame found{start.value, start.input, &tag};
    for (size_t i = 1; i < path.size() && found.value != nullptr; ++i) {
      if (!found.value->is_object() && IsVariable(tag)) {
        return InvalidArgumentError(
            StrCat(start.input->label, " is no JSON object at ", KeyName(start, path, i)));
      }
      found.value = Member(*found.value, path[i]);
    }
    if (found.value == nullptr && IsVariable(tag)) {
      return NotFoundError(
          StrCat(start.input->label, " has no key ", KeyName(start, path, path.size())));
    }
    return found;
  }

  static bool IsVariable(const Tag& tag) {
    return tag.kind == TagKind::kVariable || tag.kind == TagKind::kRawVariable;
  }

  // The first `size` parts of the path, without the name of the input that it begins with.
  std::string KeyName(const Frame& start, const std::vector<std::string_view>& path,
                      size_t size) const {
    const auto input = inputs_.find(std::string(path[0]));
    const bool is_input = input != inputs_.end() && &input->second.value == start.value;
    if (is_input && size == 1) return "its top";
    std::vector<std::string> key;
    for (size_t i = is_input ? 1 : 0; i < size; ++i) key.emplace_back(path[i]);
    return QuoteForMessage(Join(key, "."));
  }

  Result<Frame> CurrentItem(const Tag& tag) const {
    if (!frames_.empty()) return Frame{frames_.back().value, frames_.back().input, &tag};
    if (root_) return Frame{&root_->value, &*root_, &tag};
    return InvalidArgumentError("{{.}} outside a section");
  }

  // Where the first part of a name is: the innermost section that has it, else an input.
  Frame FindStart(std::string_view name) const {
    for (auto frame = frames_.rbegin(); frame != frames_.rend(); ++frame) {
      if (const Json* member = Member(*frame->value, name)) return {member, frame->input, nullptr};
    }
    if (const auto input = inputs_.find(std::string(name)); input != inputs_.end()) {
      return {&input->second.value, &input->second, nullptr};
    }
    if (!root_) return {};
    if (const Json* member = Member(root_->value, name)) return {member, &*root_, nullptr};
    return {};
  }

  // The first part of the name is nowhere.
  Result<Frame> Unknown(const Tag& tag, std::string_view name) const {
    const bool has_object = root_ || !frames_.empty();
    if (has_object && !IsVariable(tag)) return Frame{nullptr, nullptr, &tag};
    if (!frames_.empty()) {
      return NotFoundError(StrCat(frames_.back().input->label, " has no key ",
                                  QuoteForMessage(name), " in section ",
                                  QuoteForMessage(frames_.back().section->name)));
    }
    if (root_) return NotFoundError(StrCat(root_->label, " has no key ", QuoteForMessage(name)));
    return InvalidArgumentError(StrCat("there is no input ", QuoteForMessage(name)));
  }

  // False, and the error is set, when the output would become too large.
  bool Charge(const Tag& tag, size_t bytes) const {
    output_bytes_ += bytes;
    if (output_bytes_ <= kMaxOutputBytes) return true;
    status_ = Error(tag, InvalidArgumentError("the output is larger than 8 MiB"));
    return false;
  }

  const mustache::data* VariableNode(const Tag& tag, const Frame& found) const {
    auto text = Text(tag, *found.value);
    if (!text.ok()) {
      status_ = Error(tag, AnnotateStatus(text.status(), StrCat(found.input->label, ": ",
                                                                QuoteForMessage(tag.name))));
      return nullptr;
    }
    if (!Charge(tag, text->size() + 1)) return nullptr;
    values_.push_back(std::move(*text));
    return &nodes_.emplace_back(StrCat(kPlaceholder, values_.size() - 1, kPlaceholder));
  }

  Result<std::string> Text(const Tag& tag, const Json& value) const {
    if (value.is_null()) return InvalidArgumentError("is null");
    const ValueText text = TextOf(value);
    if (tag.kind == TagKind::kRawVariable) return text.text;
    return Escape(format_, tag.placement, text);
  }

  const mustache::data* SectionNode(const Tag& tag, const Frame& found) const {
    if (found.value == nullptr || IsFalsy(*found.value)) return nullptr;
    const size_t count = found.value->is_array() ? found.value->size() : 1;
    if (!Charge(tag, count * (tag.body_size + kEntryBytes))) return nullptr;
    if (!found.value->is_array()) {
      const mustache::data& node = nodes_.emplace_back(mustache::data::type::bool_true);
      by_node_[&node] = {found.value, found.input, &tag};
      return &node;
    }
    const mustache::list items(count, mustache::data(true));
    const mustache::data& node = nodes_.emplace_back(items);
    for (size_t i = 0; i < count; ++i) {
      by_node_[&node.list_value()[i]] = {&(*found.value)[i], found.input, &tag};
    }
    return &node;
  }

  const Template& parsed_;
  const plan::Format format_;
  std::map<std::string, Input> inputs_;
  std::optional<Input> root_;
  std::vector<Frame> frames_;
  // The engine looks values up through a const interface and keeps pointers to the answers.
  mutable std::deque<mustache::data> nodes_;
  mutable std::unordered_map<const mustache::data*, Frame> by_node_;
  mutable std::vector<std::string> values_;
  mutable size_t output_bytes_ = 0;  // upper bound
  mutable Status status_;
};

}  // namespace

Result<std::string> FillTemplate(const Template& parsed, plan::Format format,
                                 const TemplateInputs& inputs) {
  try {
    mustache::mustache engine(parsed.engine_text);
    if (!engine.is_valid()) return InternalError("the template engine refused a checked template");
    Lookup lookup(parsed, format, inputs);
    const std::string laid_out = engine.render(lookup);
    if (!lookup.status().ok()) return lookup.status();
    return lookup.Fill(laid_out);
  } catch (const std::exception&) {
    return InternalError("the template engine failed");
  }
}

}  // namespace keyturn::delivery::internal
