// SPDX-License-Identifier: Apache-2.0
#include "lib/metrics/registry.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "lib/base/check.h"
#include "lib/base/strings.h"

namespace keyturn::metrics {
namespace {

bool IsNameStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool IsNameCharacter(char c) {
  return IsNameStart(c) || (c >= '0' && c <= '9');
}

// Source: https://prometheus.io/docs/concepts/data_model/#metric-names-and-labels
bool IsLabelName(std::string_view name) {
  return !name.empty() && !name.starts_with("__") && IsNameStart(name[0]) &&
         std::all_of(name.begin(), name.end(), IsNameCharacter);
}

bool IsMetricName(std::string_view name) {
  const auto allowed = [](char c) { return IsNameCharacter(c) || c == ':'; };
  return !name.empty() && !(name[0] >= '0' && name[0] <= '9') &&
         std::all_of(name.begin(), name.end(), allowed);
}

void AppendNumber(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
  } else {
    std::array<char, 32> buffer{};
    const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
    out.append(buffer.data(), end);
  }
}

// Backslash and line feed are escaped everywhere, the quote only in label values.
void AppendEscaped(std::string& out, std::string_view text, bool quoted) {
  const bool well_formed = IsValidUtf8(text);
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quoted) {
      out += "\\\"";
    } else {
      // The format is UTF-8 throughout: one bad byte makes a scraper refuse the whole page.
      out += well_formed || static_cast<unsigned char>(c) < 0x80 ? c : '?';
    }
  }
}

// `a="1",b="2"`: sorted by name, so that the order of the caller does not make a second series.
std::string LabelText(Labels labels) {
  std::sort(labels.begin(), labels.end());
  std::string out;
  std::string_view previous;
  for (const auto& [name, value] : labels) {
    KEYTURN_CHECK(IsLabelName(name) && name != previous);
    if (!out.empty()) out += ',';
    out += name;
    out += "=\"";
    AppendEscaped(out, value, true);
    out += '"';
    previous = name;
  }
  return out;
}

void AppendSample(std::string& out, std::string_view name, std::string_view labels, double value) {
  out += name;
  if (!labels.empty()) {
    out += '{';
    out += labels;
    out += '}';
  }
  out += ' ';
  AppendNumber(out, value);
  out += '\n';
}

void AppendHistogram(std::string& out, const std::string& name, const std::string& labels,
                     const Histogram::Data& data) {
  for (size_t i = 0; i < data.cumulative.size(); ++i) {
    std::string with_bound = labels.empty() ? "le=\"" : labels + ",le=\"";
    AppendNumber(with_bound, i < data.bounds.size() ? data.bounds[i] : INFINITY);
    with_bound += '"';
    AppendSample(out, name + "_bucket", with_bound, static_cast<double>(data.cumulative[i]));
  }
  AppendSample(out, name + "_sum", labels, data.sum);
  AppendSample(out, name + "_count", labels, static_cast<double>(data.cumulative.back()));
}

// Exactly one member is set: the one of the family's kind.
struct Series {
  std::unique_ptr<Counter> counter;
  std::unique_ptr<Gauge> gauge;
  std::unique_ptr<Histogram> histogram;
};

}  // namespace

struct Registry::Family {
  std::string help;
  std::string type;
  std::map<std::string, Series> series;  // by label text
};

Registry::Registry() = default;
Registry::~Registry() = default;

void Counter::Increment(double by) {
  if (by > 0) value_.fetch_add(by, std::memory_order_relaxed);
}

Histogram::Histogram(std::vector<double> upper_bounds)
    : bounds_(std::move(upper_bounds)), counts_(bounds_.size() + 1) {
  // Strictly ascending and finite: the last bucket, +Inf, is implied.
  KEYTURN_CHECK(std::adjacent_find(bounds_.begin(), bounds_.end(), std::greater_equal<>()) ==
                bounds_.end());
  KEYTURN_CHECK(
      std::all_of(bounds_.begin(), bounds_.end(), [](double b) { return std::isfinite(b); }));
}

void Histogram::Observe(double value) {
  const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  MutexLock lock(mutex_);
  ++counts_[static_cast<size_t>(bucket)];
  sum_ += value;
}

Histogram::Data Histogram::Snapshot() const {
  MutexLock lock(mutex_);
  Data data{bounds_, counts_, sum_};
  for (size_t i = 1; i < data.cumulative.size(); ++i) data.cumulative[i] += data.cumulative[i - 1];
  return data;
}

Registry::Family& Registry::GetFamily(std::string_view name, std::string_view help,
                                      std::string_view type) {
  auto found = families_.find(name);
  if (found == families_.end()) {
    KEYTURN_CHECK(IsMetricName(name));
    auto family = std::make_unique<Family>(Family{std::string(help), std::string(type), {}});
    found = families_.emplace(std::string(name), std::move(family)).first;
  }
  // Two kinds under one name would make the page invalid for every scraper.
  KEYTURN_CHECK(found->second->type == type);
  return *found->second;
}

Counter& Registry::GetCounter(std::string_view name, std::string_view help, const Labels& labels) {
  const std::string key = LabelText(labels);
  MutexLock lock(mutex_);
  auto& counter = GetFamily(name, help, "counter").series[key].counter;
  if (!counter) counter = std::make_unique<Counter>();
  return *counter;
}

Gauge& Registry::GetGauge(std::string_view name, std::string_view help, const Labels& labels) {
  const std::string key = LabelText(labels);
  MutexLock lock(mutex_);
  auto& gauge = GetFamily(name, help, "gauge").series[key].gauge;
  if (!gauge) gauge = std::make_unique<Gauge>();
  return *gauge;
}

Histogram& Registry::GetHistogram(std::string_view name, std::string_view help,
                                  std::vector<double> bounds, const Labels& labels) {
  for (const auto& label : labels) KEYTURN_CHECK(label.first != "le");  // taken by the buckets
  const std::string key = LabelText(labels);
  MutexLock lock(mutex_);
  auto& histogram = GetFamily(name, help, "histogram").series[key].histogram;
  if (!histogram) histogram = std::make_unique<Histogram>(std::move(bounds));
  return *histogram;
}

void Registry::RemoveGauge(std::string_view name, const Labels& labels) {
  const std::string key = LabelText(labels);
  MutexLock lock(mutex_);
  const auto family = families_.find(name);
  if (family == families_.end()) return;
  KEYTURN_CHECK(family->second->type == "gauge");
  family->second->series.erase(key);
}

std::string Registry::Expose() const {
  std::string out;
  MutexLock lock(mutex_);
  for (const auto& [name, family] : families_) {
    if (family->series.empty()) continue;
    out += StrCat("# HELP ", name, " ");
    AppendEscaped(out, family->help, false);
    out += StrCat("\n# TYPE ", name, " ", family->type, "\n");
    for (const auto& [labels, series] : family->series) {
      if (series.counter) AppendSample(out, name, labels, series.counter->value());
      if (series.gauge) AppendSample(out, name, labels, series.gauge->value());
      if (series.histogram) AppendHistogram(out, name, labels, series.histogram->Snapshot());
    }
  }
  return out;
}

}  // namespace keyturn::metrics
