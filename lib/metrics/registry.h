// Registry: counters, gauges and histograms in the Prometheus text exposition format.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/mutex.h"

namespace keyturn::metrics {

using Labels = std::vector<std::pair<std::string, std::string>>;

// A value that only grows. THREAD: safe.
class Counter {
 public:
  // Zero and negative amounts are ignored.
  void Increment(double by = 1);

  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_ = 0;
};

// A value that goes up and down. THREAD: safe.
class Gauge {
 public:
  void Set(double value) { value_.store(value, std::memory_order_relaxed); }

  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_ = 0;
};

// Counts of observations at most each upper bound. THREAD: safe.
class Histogram {
 public:
  // REQUIRES: finite bounds in strictly ascending order. The last bucket, +Inf, is implied.
  explicit Histogram(std::vector<double> upper_bounds);
  void Observe(double value);

  struct Data {
    std::vector<double> bounds;
    std::vector<uint64_t> cumulative;  // one per bound, then the total
    double sum = 0;
  };

  Data Snapshot() const;

 private:
  mutable Mutex mutex_;
  const std::vector<double> bounds_;
  std::vector<uint64_t> counts_ KEYTURN_GUARDED_BY(mutex_);
  double sum_ KEYTURN_GUARDED_BY(mutex_) = 0;
};

// Owns every metric of a program. The same name and labels (in any order) give the same object; a
// name keeps the help text of its first use, a histogram its bounds. References live as long as the
// Registry, except that RemoveGauge ends those to its series. THREAD: safe.
// REQUIRES (checked, terminates): names match [a-zA-Z_:][a-zA-Z0-9_:]*, label names
// [a-zA-Z_][a-zA-Z0-9_]* without leading "__" and without repetition; a name has one kind; a
// histogram has no label "le".
// SECURITY: labels are names, codes and paths, never values.
class Registry {
 public:
  Counter& GetCounter(std::string_view name, std::string_view help, const Labels& labels = {});
  Gauge& GetGauge(std::string_view name, std::string_view help, const Labels& labels = {});
  Histogram& GetHistogram(std::string_view name, std::string_view help, std::vector<double> bounds,
                          const Labels& labels = {});
  // Forgets one series of a gauge (a file that left the Plan).
  void RemoveGauge(std::string_view name, const Labels& labels);

  // The text exposition format 0.0.4, families and series in a stable order.
  // Source: https://prometheus.io/docs/instrumenting/exposition_formats/
  std::string Expose() const;

 private:
  struct Family;
  Family& GetFamily(std::string_view name, std::string_view help, std::string_view type)
      KEYTURN_REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::map<std::string, std::unique_ptr<Family>, std::less<>> families_ KEYTURN_GUARDED_BY(mutex_);

 public:
  Registry();
  ~Registry();
};

}  // namespace keyturn::metrics
