// Bootstrap: what decides its numbers, its intervals against formulas, and how often they hold the truth.
#include "data/metrics/bootstrap.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "data/metrics/interval.h"
#include "kernels/device/error.h"
#include "random_findings.h"

namespace preceptor::test {
namespace {

Statistics mean_of(const std::vector<double>& values) {
  return [&values](const SampleWeights& times) {
    double sum = 0, count = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      sum += static_cast<double>(times_of(times, i)) * values[i];
      count += static_cast<double>(times_of(times, i));
    }
    return std::vector{sum / count};
  };
}

BootstrapOptions options(int resamples, std::uint64_t seed) {
  BootstrapOptions chosen;
  chosen.resamples = resamples;
  chosen.seed = seed;
  return chosen;
}

TEST(Bootstrap, SeedAloneDecides) {
  const std::vector<double> values = {1, 2, 4, 8, 16, 32};
  BootstrapOptions one = options(300, 1), two = one, other = options(300, 2);
  one.threads = 1;
  two.threads = 4;
  const Bootstrap a = bootstrap(mean_of(values), 6, one, true), b = bootstrap(mean_of(values), 6, two, true);
  EXPECT_EQ(a.samples, b.samples);
  EXPECT_EQ(a.accelerations, b.accelerations);
  EXPECT_NE(a.samples, bootstrap(mean_of(values), 6, other).samples);
  EXPECT_EQ(a.estimates, (std::vector<double>{10.5}));
}

// Efron 1987: for means, a is a sixth of the sample's skewness over the root of n.
TEST(Bootstrap, AccelerationIsTheSkewness) {
  for (const int count : {50, 4000}) {  // the second is jackknifed by groups
    RandomStream random(61);
    std::vector<double> values;
    for (int i = 0; i < count; ++i) values.push_back(-std::log(1 - random.uniform()));
    double mean = 0, squares = 0, cubes = 0;
    for (const double value : values) mean += value / count;
    for (const double value : values) squares += std::pow(value - mean, 2), cubes += std::pow(value - mean, 3);
    const double expected = cubes / (6 * std::pow(squares, 1.5));
    const Bootstrap drawn = bootstrap(mean_of(values), count, options(10, 1), true);
    // 200 groups see the skewness with a standard deviation of sqrt(6 / 200), a sixth of its root of 200 in a.
    EXPECT_NEAR(drawn.accelerations[0], expected,
                count == 50 ? 1e-9 : 4 * std::sqrt(6.0 / 200) / (6 * std::sqrt(200.0)));
  }
}

TEST(Bootstrap, PercentilesAndP) {
  Bootstrap drawn;
  drawn.estimates = {0.5};
  drawn.samples = {{3, 1, 0, 2, std::nan(""), 4}};
  EXPECT_EQ(drawn.undefined_samples(0), 1);
  EXPECT_NEAR(drawn.percentile(0).low, 0.1, 1e-15);  // numpy.percentile([0, 1, 2, 3, 4], 2.5)
  EXPECT_DOUBLE_EQ(drawn.percentile(0).high, 3.9);
  EXPECT_DOUBLE_EQ(drawn.percentile(0, 0.5).low, 1);
  EXPECT_EQ(drawn.percentile(0).value, 0.5);
  EXPECT_DOUBLE_EQ(drawn.p_of_zero(0), 2 * 2.0 / 6);
  drawn.samples = {{std::nan("")}};
  EXPECT_TRUE(std::isnan(drawn.percentile(0).low));
  EXPECT_TRUE(std::isnan(drawn.p_of_zero(0)));
  EXPECT_TRUE(std::isnan(drawn.bca(0).high));
}

// Efron 1987, equation 3.8, from the numbers of a bootstrap that is symmetric around its estimate.
TEST(Bootstrap, BcaShiftsByBiasAndAcceleration) {
  Bootstrap drawn;
  drawn.estimates = {0};
  drawn.samples = {{}};
  for (int k = -1000; k <= 1000; ++k) drawn.samples[0].push_back(k);
  drawn.accelerations = {0};
  EXPECT_NEAR(drawn.bca(0).low, -950, 1e-6);
  EXPECT_NEAR(drawn.bca(0).high, 950, 1e-6);
  drawn.accelerations = {0.05};
  const double z = normal_quantile(0.025);
  EXPECT_NEAR(drawn.bca(0).low, 2000 * normal_below(z / (1 - 0.05 * z)) - 1000, 1e-6);
  EXPECT_NEAR(drawn.bca(0).high, 2000 * normal_below(-z / (1 + 0.05 * z)) - 1000, 1e-6);
  drawn.accelerations = {0};
  drawn.estimates = {500};
  const double bias = normal_quantile(1500.5 / 2001);
  EXPECT_NEAR(drawn.bca(0).low, 2000 * normal_below(2 * bias + z) - 1000, 1e-6);
  drawn.estimates = {2000};  // beyond all samples: no bias can be told
  EXPECT_EQ(drawn.bca(0).low, drawn.percentile(0).low);
}

TEST(Bootstrap, DrawsUnitsWholeAndStrataInFull) {
  BootstrapOptions chosen = options(200, 3);
  chosen.clusters = {0, 0, 1, 2, 2, 2, 5, 5};  // cluster numbers may have gaps
  chosen.strata = {0, 0, 0, 1, 1, 1, 1, 1};    // clusters 0 and 1; clusters 2 and 5
  std::set<SampleWeights> seen;
  chosen.threads = 1;
  bootstrap(
      [&](const SampleWeights& times) {
        if (!times.empty()) {
          EXPECT_EQ(times[0], times[1]);
          EXPECT_EQ(times[3], times[4]);
          EXPECT_EQ(times[4], times[5]);
          EXPECT_EQ(times[6], times[7]);
          EXPECT_EQ(times[0] + times[2], 2u);
          EXPECT_EQ(times[3] + times[6], 2u);
          seen.insert(times);
        }
        return std::vector{0.0};
      },
      8, chosen);
  EXPECT_EQ(seen.size(), 9u);  // three ways in each stratum
  chosen.strata = {0, 1, 0, 1, 1, 1, 1, 1};
  EXPECT_THROW(bootstrap([](const SampleWeights&) { return std::vector{0.0}; }, 8, chosen), Error);
  chosen.strata = {0, 0};
  EXPECT_THROW(bootstrap([](const SampleWeights&) { return std::vector{0.0}; }, 8, chosen), Error);
  chosen.strata.clear();
  chosen.clusters[0] = 8;
  EXPECT_THROW(bootstrap([](const SampleWeights&) { return std::vector{0.0}; }, 8, chosen), Error);
  EXPECT_THROW(bootstrap([](const SampleWeights&) { return std::vector{0.0}; }, 0, options(1, 1)), Error);
}

TEST(Bootstrap, CopiesOfAPatientTeachNothing) {
  const Finding once = two_normals(RandomStream(62), 60, 60);
  Finding twice{"", once.scores, once.labels};
  BootstrapOptions clustered = options(1500, 4);
  twice.scores.insert(twice.scores.end(), once.scores.begin(), once.scores.end());
  twice.labels.insert(twice.labels.end(), once.labels.begin(), once.labels.end());
  for (int i = 0; i < 240; ++i) clustered.clusters.push_back(i % 120);
  const Ranking a(once), b(twice);
  const auto width = [](const Interval& interval) { return interval.high - interval.low; };
  const double honest = width(
      bootstrap([&](const SampleWeights& t) { return std::vector{a.auc(t)}; }, 120, options(1500, 4)).percentile(0));
  const double by_patient =
      width(bootstrap([&](const SampleWeights& t) { return std::vector{b.auc(t)}; }, 240, clustered).percentile(0));
  EXPECT_DOUBLE_EQ(honest, by_patient);  // the same draws of the same patients
}

// 2000 runs each: 93.5 to 96.5 %, three standard deviations around 95.
TEST(Bootstrap, CoversTheTruth) {
  int percentile = 0, bca = 0;
  for (int run = 0; run < 2000; ++run) {
    const Ranking ranking(two_normals(RandomStream(63, run), 150, 100));
    const Bootstrap drawn = bootstrap([&](const SampleWeights& times) { return std::vector{ranking.auc(times)}; }, 250,
                                      options(400, static_cast<std::uint64_t>(run)), true);
    const Interval a = drawn.percentile(0), b = drawn.bca(0);
    percentile += a.low <= true_auc && true_auc <= a.high;
    bca += b.low <= true_auc && true_auc <= b.high;
  }
  for (const int covered : {percentile, bca}) {
    EXPECT_GE(covered, 1870);
    EXPECT_LE(covered, 1930);
  }
  RecordProperty("percentile", percentile);
  RecordProperty("bca", bca);
}

}  // namespace
}  // namespace preceptor::test
