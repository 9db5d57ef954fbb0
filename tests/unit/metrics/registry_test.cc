// Tests of the metrics registry: identity of series, the text format, and what is refused.
// SPDX-License-Identifier: Apache-2.0
#include "lib/metrics/registry.h"

#include <cmath>
#include <thread>

#include <gtest/gtest.h>

namespace keyturn::metrics {
namespace {

TEST(RegistryTest, ExposesEveryKindInAStableOrder) {
  Registry registry;
  registry.GetGauge("keyturn_up", "Whether it runs.").Set(1);
  Histogram& latency = registry.GetHistogram("keyturn_latency_seconds", "Time per call.", {0.1, 1},
                                             {{"operation", "get"}});
  latency.Observe(0.1);
  latency.Observe(0.5);
  latency.Observe(7);
  registry.GetCounter("keyturn_calls_total", "Calls.", {{"code", "b"}}).Increment(2);
  registry.GetCounter("keyturn_calls_total", "Calls.", {{"code", "a"}}).Increment();
  EXPECT_EQ(registry.Expose(),
            "# HELP keyturn_calls_total Calls.\n"
            "# TYPE keyturn_calls_total counter\n"
            "keyturn_calls_total{code=\"a\"} 1\n"
            "keyturn_calls_total{code=\"b\"} 2\n"
            "# HELP keyturn_latency_seconds Time per call.\n"
            "# TYPE keyturn_latency_seconds histogram\n"
            "keyturn_latency_seconds_bucket{operation=\"get\",le=\"0.1\"} 1\n"
            "keyturn_latency_seconds_bucket{operation=\"get\",le=\"1\"} 2\n"
            "keyturn_latency_seconds_bucket{operation=\"get\",le=\"+Inf\"} 3\n"
            "keyturn_latency_seconds_sum{operation=\"get\"} 7.6\n"
            "keyturn_latency_seconds_count{operation=\"get\"} 3\n"
            "# HELP keyturn_up Whether it runs.\n"
            "# TYPE keyturn_up gauge\n"
            "keyturn_up 1\n");
}

TEST(RegistryTest, SameNameAndLabelsInAnyOrderGiveTheSameObject) {
  Registry registry;
  Counter& first = registry.GetCounter("c_total", "first help", {{"a", "1"}, {"b", "2"}});
  Counter& second = registry.GetCounter("c_total", "second help", {{"b", "2"}, {"a", "1"}});
  EXPECT_EQ(&first, &second);
  EXPECT_NE(&first, &registry.GetCounter("c_total", "", {{"a", "1"}}));
  EXPECT_NE(registry.Expose().find("# HELP c_total first help\n"), std::string::npos);
  EXPECT_EQ(registry.Expose().find("second help"), std::string::npos);
}

TEST(RegistryTest, NoLabelValueCanBreakOutOfItsQuotes) {
  const struct {
    const char* value;
    const char* shown;
  } cases[] = {
      {"plain", "plain"}, {"a\"b", "a\\\"b"},
      {"a\\b", "a\\\\b"}, {"a\nfake_total 1", "a\\nfake_total 1"},
      {"grün", "grün"},   {"bad\xFF\xC3", "bad??"},
      {"", ""},
  };

  for (const auto& c : cases) {
    Registry registry;
    registry.GetGauge("g", "h", {{"l", c.value}}).Set(1);
    EXPECT_EQ(registry.Expose(),
              "# HELP g h\n# TYPE g gauge\ng{l=\"" + std::string(c.shown) + "\"} 1\n");
  }
}

TEST(RegistryTest, HelpTextStaysOnOneLineAndKeepsQuotes) {
  Registry registry;
  registry.GetGauge("g", "a \"b\"\nc\\d");
  EXPECT_NE(registry.Expose().find("# HELP g a \"b\"\\nc\\\\d\n"), std::string::npos);
}

TEST(RegistryTest, WritesNumbersAsTheFormatAsks) {
  const struct {
    double value;
    const char* shown;
  } cases[] = {
      {0, "0"},     {-1.5, "-1.5"},     {1e300, "1e+300"},   {0.1, "0.1"},
      {NAN, "NaN"}, {INFINITY, "+Inf"}, {-INFINITY, "-Inf"}, {1795428000, "1795428000"},
  };

  for (const auto& c : cases) {
    Registry registry;
    registry.GetGauge("g", "h").Set(c.value);
    EXPECT_NE(registry.Expose().find("\ng " + std::string(c.shown) + "\n"), std::string::npos)
        << c.shown << " in " << registry.Expose();
  }
}

TEST(RegistryTest, CounterNeverFalls) {
  Counter counter;
  counter.Increment(2.5);
  counter.Increment(-1);
  counter.Increment(NAN);
  EXPECT_EQ(counter.value(), 2.5);
}

TEST(RegistryTest, ForgetsARemovedGaugeAndLeavesTheOthers) {
  Registry registry;
  registry.GetGauge("g", "h", {{"file", "a"}}).Set(1);
  registry.GetGauge("g", "h", {{"file", "b"}}).Set(2);
  registry.RemoveGauge("g", {{"file", "a"}});
  registry.RemoveGauge("g", {{"file", "never there"}});
  registry.RemoveGauge("unknown", {});
  EXPECT_EQ(registry.Expose(), "# HELP g h\n# TYPE g gauge\ng{file=\"b\"} 2\n");
  registry.RemoveGauge("g", {{"file", "b"}});
  EXPECT_EQ(registry.Expose(), "");
}

TEST(RegistryTest, BucketsCountValuesUpToAndIncludingTheirBound) {
  Histogram histogram({1, 2});
  for (const double value : {0.0, 1.0, 1.5, 2.0, 2.5}) histogram.Observe(value);
  const Histogram::Data data = histogram.Snapshot();
  EXPECT_EQ(data.cumulative, (std::vector<uint64_t>{2, 4, 5}));
  EXPECT_EQ(data.sum, 7);
}

TEST(RegistryTest, CountsFromSeveralThreadsAreNotLost) {
  Registry registry;
  const auto work = [&registry] {
    for (int i = 0; i < 1000; ++i) {
      registry.GetCounter("c_total", "h", {{"l", "v"}}).Increment();
      registry.GetHistogram("h_seconds", "h", {1}).Observe(0.5);
      EXPECT_FALSE(i % 100 == 0 && registry.Expose().empty());
    }
  };
  std::thread other(work);
  work();
  other.join();
  EXPECT_EQ(registry.GetCounter("c_total", "h", {{"l", "v"}}).value(), 2000);
  EXPECT_EQ(registry.GetHistogram("h_seconds", "h", {1}).Snapshot().cumulative.back(), 2000U);
}

using RegistryDeathTest = ::testing::Test;

TEST(RegistryDeathTest, RefusesInvalidMetricNames) {
  Registry registry;
  for (const char* name : {"", "9a", "a-b", "a b", "a\n", "ü", "a{b}"}) {
    EXPECT_DEATH(registry.GetCounter(name, "h"), "check failed") << name;
  }
  registry.GetCounter("a:b_9", "h");
}

TEST(RegistryDeathTest, RefusesInvalidOrRepeatedLabelNames) {
  Registry registry;
  for (const char* name : {"", "9a", "a-b", "a:b", "__name__", "a\"b"}) {
    EXPECT_DEATH(registry.GetCounter("c", "h", {{name, "v"}}), "check failed") << name;
  }
  EXPECT_DEATH(registry.GetCounter("c", "h", {{"a", "1"}, {"a", "2"}}), "check failed");
  EXPECT_DEATH(registry.GetHistogram("h", "h", {1}, {{"le", "1"}}), "check failed");
}

TEST(RegistryDeathTest, RefusesTwoKindsUnderOneName) {
  Registry registry;
  registry.GetCounter("c", "h");
  EXPECT_DEATH(registry.GetGauge("c", "h"), "check failed");
  EXPECT_DEATH(registry.RemoveGauge("c", {}), "check failed");
}

TEST(RegistryDeathTest, RefusesUnorderedOrInfiniteBounds) {
  EXPECT_DEATH(Histogram({2, 1}), "check failed");
  EXPECT_DEATH(Histogram({1, 1}), "check failed");
  EXPECT_DEATH(Histogram({1, INFINITY}), "check failed");
  EXPECT_DEATH(Histogram({NAN}), "check failed");
}

}  // namespace
}  // namespace keyturn::metrics
