// Tests and intervals against published examples and closed forms.
#include "data/metrics/significance.h"

#include <gtest/gtest.h>

#include <cmath>

#include "data/metrics/interval.h"
#include "kernels/device/error.h"
#include "random_findings.h"

namespace preceptor::test {
namespace {

std::vector<bool> repeated(std::initializer_list<std::pair<int, bool>> runs) {
  std::vector<bool> values;
  for (const auto& [count, value] : runs) values.insert(values.end(), static_cast<std::size_t>(count), value);
  return values;
}

TEST(Distributions, KnownPoints) {
  EXPECT_NEAR(normal_quantile(0.975), 1.959963984540054, 1e-14);
  EXPECT_NEAR(normal_below(-1.959963984540054), 0.025, 1e-15);
  EXPECT_NEAR(normal_two_sided(-1.959963984540054), 0.05, 1e-15);
  EXPECT_NEAR(t_quantile(0.975, 4), 2.776445105198, 1e-11);
  EXPECT_NEAR(t_two_sided(2.776445105198, 4), 0.05, 1e-12);
  EXPECT_NEAR(chi_squared_above(3.841458820694124, 1), 0.05, 1e-14);
  EXPECT_NEAR(fair_coins_at_most(1, 10), 11.0 / 1024, 1e-15);
}

TEST(Intervals, OfMeansAndShares) {
  const Interval seeds = t_interval({0.80, 0.82, 0.81, 0.83, 0.84});
  EXPECT_NEAR(seeds.value, 0.82, 1e-15);
  EXPECT_NEAR(seeds.high - seeds.value, 2.776445105198 * std::sqrt(0.00025 / 5), 1e-12);
  EXPECT_TRUE(std::isnan(t_interval({0.8}).low));
  EXPECT_TRUE(std::isnan(t_interval({}).value));
  // Newcombe 1998, table I, method 3: Wilson's interval of 81/263 is 0.2553 to 0.3662, of 15/148 0.0624 to 0.1605,
  // of 0/20 0 to 0.1611, of 1/29 0.0061 to 0.1718.
  for (const auto& [part, total, low, high] :
       {std::tuple{81u, 263u, 0.2553, 0.3662}, std::tuple{15u, 148u, 0.0624, 0.1605}, std::tuple{0u, 20u, 0.0, 0.1611},
        std::tuple{1u, 29u, 0.0061, 0.1718}}) {
    EXPECT_NEAR(wilson_interval(part, total).low, low, 5e-5);
    EXPECT_NEAR(wilson_interval(part, total).high, high, 5e-5);
  }
  EXPECT_EQ(wilson_interval(20, 20).high, 1);
  EXPECT_TRUE(std::isnan(wilson_interval(0, 0).value));
  EXPECT_EQ(normal_interval(0.99, 0.1, 0, 1).high, 1);
  EXPECT_TRUE(std::isnan(normal_interval(0.99, std::nan(""), 0, 1).high));
}

TEST(McNemar, CountsRowsOnWhichOneIsRight) {
  // 8 to 2: exact 2 * (1 + 10 + 45) / 1024, corrected (6 - 1)^2 / 10.
  const McNemar few = compare_decisions(repeated({{50, true}, {8, true}, {2, false}, {7, false}}),
                                        repeated({{50, true}, {8, false}, {2, true}, {7, false}}));
  EXPECT_EQ(few.only_first_right, 8u);
  EXPECT_EQ(few.only_second_right, 2u);
  EXPECT_NEAR(few.exact_p, 112.0 / 1024, 1e-14);
  EXPECT_NEAR(few.corrected_p, chi_squared_above(2.5, 1), 1e-15);
  const McNemar equal = compare_decisions({true, false}, {false, true});
  EXPECT_EQ(equal.exact_p, 1);
  EXPECT_EQ(equal.corrected_p, 1);
  EXPECT_EQ(compare_decisions({true}, {true}).exact_p, 1);
  EXPECT_THROW(compare_decisions({true}, {}), Error);
}

TEST(Holm, StepsDown) {
  // By hand: 0.01 * 4, then 0.02 * 3, 0.03 * 2 raised to the one before, 0.5.
  const std::vector<double> adjusted = holm({0.03, 0.01, 0.5, 0.02});
  EXPECT_DOUBLE_EQ(adjusted[1], 0.04);
  EXPECT_DOUBLE_EQ(adjusted[3], 0.06);
  EXPECT_DOUBLE_EQ(adjusted[0], 0.06);
  EXPECT_DOUBLE_EQ(adjusted[2], 0.5);
  EXPECT_EQ(holm({0.9, 0.8}), (std::vector<double>{1, 1}));
  const std::vector<double> with_unknown = holm({std::nan(""), 0.04});
  EXPECT_TRUE(std::isnan(with_unknown[0]));
  EXPECT_DOUBLE_EQ(with_unknown[1], 0.04);
  EXPECT_TRUE(holm({}).empty());
  Difference one{{}, 0, 0.03}, other{{}, 0, 0.02};
  EXPECT_TRUE(std::isnan(one.p_holm));
  adjust({&one, &other});
  EXPECT_EQ(one.p_holm, 0.04);
  EXPECT_EQ(other.p_holm, 0.04);
  EXPECT_EQ(one.p, 0.03);
}

// Student 1908 (Biometrika 6): hours of sleep gained by ten patients with two drugs; t = 4.0621, p = 0.002833.
TEST(PairedT, StudentsSleepData) {
  const Difference sleep = compare_paired({1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4},
                                          {0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0});
  EXPECT_NEAR(sleep.interval.value, 1.58, 1e-14);
  EXPECT_NEAR(sleep.interval.value / sleep.standard_error, 4.0621, 5e-5);
  EXPECT_NEAR(sleep.p, 0.002833, 5e-7);
  EXPECT_NEAR(sleep.interval.low, 0.7001142, 5e-8);
  EXPECT_NEAR(sleep.interval.high, 2.4598858, 5e-8);
  EXPECT_TRUE(std::isnan(compare_paired({1}, {2}).p));
  EXPECT_EQ(compare_paired({1, 2}, {1, 2}).p, 1);
  EXPECT_EQ(compare_paired({2, 3}, {1, 2}).p, 0);
  EXPECT_THROW(compare_paired({1}, {}), Error);
}

TEST(CompareAucs, EqualModelsDoNotDiffer) {
  const AucEstimate one = estimate_auc(Ranking(two_normals(RandomStream(71), 30, 30)));
  const Difference difference = compare_aucs(one, one);
  EXPECT_EQ(difference.p, 1);
  EXPECT_EQ(difference.interval.low, 0);
  const AucEstimate undefined = estimate_auc(Ranking({"", std::vector<double>(60, 0.5), std::vector<float>(60, 1.0f)}));
  EXPECT_TRUE(std::isnan(compare_aucs(one, undefined).p));
}

TEST(NonInferiority, ComparesTheBoundWithTheMargin) {
  const Difference difference{{-0.005, -0.025, 0.015}, 0.0102, 0.62};
  EXPECT_TRUE(non_inferiority(difference, 0.03).shown);
  EXPECT_NEAR(non_inferiority(difference, 0.03).p, normal_below(-0.025 / 0.0102), 1e-15);
  EXPECT_FALSE(non_inferiority(difference, 0.02).shown);
  EXPECT_THROW(non_inferiority(difference, 0), Error);
  EXPECT_EQ(non_inferiority({{0, 0, 0}, 0, 1}, 0.01).p, 0);
}

// (1.96 + 0.8416)^2 = 7.849 standard errors: the rule of thumb for 80 % power.
TEST(ImagesNeeded, GrowWithTheSquareOfTheRatio) {
  EXPECT_EQ(sample_size(0.01, 1000, 0.02), std::ceil(1000 * 7.848879734349088 / 4));
  EXPECT_EQ(sample_size(0.01, 1000, -0.02), sample_size(0.01, 1000, 0.02));
  EXPECT_THROW(sample_size(0.01, 1000, 0), Error);
}

// At that number of images, the test sees the difference in 80 % of runs.
TEST(ImagesNeeded, GiveThePowerTheySay) {
  // Readers with areas 0.760 and 0.714 of independent images' noise; a pilot of many images tells the standard error.
  const auto compared = [](int run, int each) {
    const Finding a = two_normals(RandomStream(72, run), each, each, 1),
                  b = two_normals(RandomStream(73, run), each, each, 0.8);
    return compare_aucs(estimate_auc(Ranking(a)), estimate_auc(Ranking(b)));
  };
  const Difference pilot = compared(0, 50000);
  const double needed = sample_size(pilot.standard_error, 100000, pilot.interval.value);
  int seen = 0;
  for (int run = 1; run <= 1000; ++run) seen += compared(run, static_cast<int>(needed / 2)).p < 0.05;
  EXPECT_NEAR(seen, 800, 60);  // four and a half standard deviations of the count, and the pilot's own error
}

}  // namespace
}  // namespace preceptor::test
