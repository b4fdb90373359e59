// DeLong's variances against their definition, and how often the intervals hold the truth.
#include "data/metrics/delong.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "data/metrics/interval.h"
#include "data/metrics/significance.h"
#include "kernels/device/error.h"
#include "random_findings.h"

namespace preceptor::test {
namespace {

// DeLong, DeLong, Clarke-Pearson 1988, equations 4 to 6, pair by pair.
double covariance_by_definition(const Finding& a, const Finding& b) {
  std::vector<std::size_t> positives, negatives;
  for (std::size_t i = 0; i < a.labels.size(); ++i)
    if (!std::isnan(a.labels[i])) (a.labels[i] > 0.5f ? positives : negatives).push_back(i);
  const auto components = [&](const std::vector<double>& scores, const std::vector<std::size_t>& of,
                              const std::vector<std::size_t>& against, bool positive) {
    std::vector<double> values;
    for (const std::size_t i : of) {
      double sum = 0;
      for (const std::size_t j : against) {
        const double apart = positive ? scores[i] - scores[j] : scores[j] - scores[i];
        sum += apart > 0 ? 1 : apart == 0 ? 0.5 : 0;
      }
      values.push_back(sum / static_cast<double>(against.size()));
    }
    return values;
  };
  const auto sample_covariance = [](const std::vector<double>& x, const std::vector<double>& y) {
    const auto count = static_cast<double>(x.size());
    double mean_x = 0, mean_y = 0, sum = 0;
    for (std::size_t i = 0; i < x.size(); ++i) mean_x += x[i] / count, mean_y += y[i] / count;
    for (std::size_t i = 0; i < x.size(); ++i) sum += (x[i] - mean_x) * (y[i] - mean_y);
    return sum / (count - 1);
  };
  const double s10 = sample_covariance(components(a.scores, positives, negatives, true),
                                       components(b.scores, positives, negatives, true));
  const double s01 = sample_covariance(components(a.scores, negatives, positives, false),
                                       components(b.scores, negatives, positives, false));
  return s10 / static_cast<double>(positives.size()) + s01 / static_cast<double>(negatives.size());
}

TEST(DeLong, EqualsItsDefinition) {
  for (int round = 0; round < 40; ++round) {
    RandomStream random(51, round);
    const int count = 6 + static_cast<int>(random.below(100));
    Finding a = random_finding(random, count, round % 2 == 0 ? 5 : 100000);
    a.labels[2] = 0;
    a.labels[3] = 1;
    Finding b = a;
    for (double& score : b.scores) score = score * 0.5 + random.below(8);
    const AucEstimate first = estimate_auc(Ranking(a)), second = estimate_auc(Ranking(b));
    EXPECT_NEAR(covariance(first, first), covariance_by_definition(a, a), 1e-13) << round;
    EXPECT_NEAR(covariance(first, second), covariance_by_definition(a, b), 1e-13) << round;
    const Difference difference = compare_aucs(first, second);
    const double variance =
        covariance_by_definition(a, a) + covariance_by_definition(b, b) - 2 * covariance_by_definition(a, b);
    EXPECT_NEAR(difference.standard_error, std::sqrt(variance), 1e-8) << round;
    EXPECT_NEAR(difference.interval.value, first.auc - second.auc, 1e-15);
  }
}

TEST(DeLong, ExtremeCases) {
  EXPECT_TRUE(std::isnan(auc_interval(estimate_auc(Ranking({"", {1, 2}, {1, 1}}))).low));
  EXPECT_TRUE(std::isnan(auc_interval(estimate_auc(Ranking({"", {}, {}}))).value));
  // One positive has no variance that could be seen.
  const AucEstimate single = estimate_auc(Ranking({"", {1, 2, 3}, {0, 0, 1}}));
  EXPECT_EQ(single.auc, 1);
  EXPECT_TRUE(std::isnan(auc_interval(single).low));
  const Interval perfect = auc_interval(estimate_auc(Ranking({"", {1, 2, 3, 4}, {0, 0, 1, 1}})));
  EXPECT_DOUBLE_EQ(perfect.low, std::sqrt(0.025));
  EXPECT_EQ(perfect.high, 1);
  const Interval reversed = auc_interval(estimate_auc(Ranking({"", {1, 2, 3, 4}, {1, 1, 0, 0}})));
  EXPECT_EQ(reversed.low, 0);
  EXPECT_DOUBLE_EQ(reversed.high, 1 - std::sqrt(0.025));
  EXPECT_THROW(difference(single, estimate_auc(Ranking({"", {1, 2}, {0, 1}}))), Error);
  EXPECT_THROW(standard_error(single, {0, 1}), Error);
  EXPECT_THROW(standard_error(single, {0, 1, 3}), Error);
}

TEST(DeLong, MeansCarryTheirCovariances) {
  RandomStream random(52);
  const Finding a = two_normals(RandomStream(53), 60, 40);
  Finding b = a;
  for (double& score : b.scores) score += random.normal();
  const AucEstimate first = estimate_auc(Ranking(a)), second = estimate_auc(Ranking(b));
  const AucEstimate undefined = estimate_auc(Ranking({"", a.scores, std::vector<float>(100, 0.0f)}));
  const AucEstimate mean = mean_auc({first, undefined, second});
  EXPECT_DOUBLE_EQ(mean.auc, (first.auc + second.auc) / 2);
  EXPECT_NEAR(covariance(mean, mean),
              (covariance(first, first) + covariance(second, second) + 2 * covariance(first, second)) / 4, 1e-15);
  EXPECT_TRUE(std::isnan(mean_auc({undefined}).auc));
}

// Every patient with the same image three times: one image's worth of knowledge, not three.
TEST(DeLong, CopiesOfAPatientTeachNothing) {
  const Finding once = two_normals(RandomStream(54), 120, 80);
  Finding thrice{"", {}, {}};
  Clusters patients;
  for (int i = 0; i < 200; ++i) {
    for (int copy = 0; copy < 3; ++copy) {
      thrice.scores.push_back(once.scores[static_cast<std::size_t>(i)]);
      thrice.labels.push_back(once.labels[static_cast<std::size_t>(i)]);
      patients.push_back(i);
    }
  }
  const double honest = standard_error(estimate_auc(Ranking(once)));
  const AucEstimate copied = estimate_auc(Ranking(thrice));
  // Patients of one image each: C / (C - 1) is all that differs.
  Clusters single;
  for (int i = 0; i < 200; ++i) single.push_back(i);
  EXPECT_DOUBLE_EQ(standard_error(estimate_auc(Ranking(once)), single), honest * std::sqrt(200.0 / 199));
  EXPECT_NEAR(standard_error(copied, patients) / honest, 1, 0.01);
  EXPECT_NEAR(standard_error(copied) * std::sqrt(3.0) / honest, 1, 0.01);
}

// 12 positives and 30 negatives, all in order: the bound is the AUC at which 12 pairs that share nothing are
// all in order once in forty times. In fact all 42 rows of two normals are then in order far less often.
TEST(DeLong, SaysWhatAPerfectOrderLeavesOpen) {
  Finding ordered{"", {}, {}};
  Clusters pairs_of_rows, single;
  for (int i = 0; i < 42; ++i) {
    ordered.scores.push_back(i);
    ordered.labels.push_back(i < 30 ? 0.0f : 1.0f);
    pairs_of_rows.push_back(i / 2);
    single.push_back(i);
  }
  const AucEstimate estimate = estimate_auc(Ranking(ordered));
  const double low = std::pow(0.025, 1.0 / 12);
  EXPECT_DOUBLE_EQ(auc_interval(estimate).low, low);
  EXPECT_DOUBLE_EQ(auc_interval(estimate, single).low, low);
  EXPECT_DOUBLE_EQ(auc_interval(estimate, pairs_of_rows).low, std::pow(0.025, 1.0 / 3));
  EXPECT_DOUBLE_EQ(auc_interval(mean_auc({estimate, estimate, estimate})).low, low);
  EXPECT_DOUBLE_EQ(auc_interval(estimate, {}, 0.8).low, std::pow(0.1, 1.0 / 12));
  // Means of normals this far apart have an AUC of `low`: P(negative < positive) = Phi(shift / sqrt 2).
  const double shift = std::sqrt(2.0) * normal_quantile(low);
  int perfect = 0;
  for (int run = 0; run < 2000; ++run) {
    RandomStream random(57, run);
    double highest_negative = -100, lowest_positive = 100;
    for (int i = 0; i < 30; ++i) highest_negative = std::max(highest_negative, random.normal());
    for (int i = 0; i < 12; ++i) lowest_positive = std::min(lowest_positive, random.normal() + shift);
    perfect += highest_negative < lowest_positive;
  }
  EXPECT_LE(perfect, 50);
}

// 2000 runs: a coverage of 95 % is seen with a standard deviation of 0.5 %.
TEST(DeLong, CoversTheTruth) {
  int covered = 0, rejected = 0, covered_clustered = 0;
  for (int run = 0; run < 2000; ++run) {
    const Finding a = two_normals(RandomStream(55, run), 150, 100);
    const AucEstimate estimate = estimate_auc(Ranking(a));
    const Interval interval = auc_interval(estimate);
    covered += interval.low <= true_auc && true_auc <= interval.high;
    // A second reader of the same power sees the same images with other noise: no true difference.
    RandomStream noise(56, run);
    Finding first = a, second = a;
    for (std::size_t i = 0; i < a.scores.size(); ++i) {
      first.scores[i] += noise.normal();
      second.scores[i] += noise.normal();
    }
    rejected += compare_aucs(estimate_auc(Ranking(first)), estimate_auc(Ranking(second))).p < 0.05;
    // Two images of each patient that share half of their variance.
    Finding pairs{"", {}, {}};
    Clusters patients;
    for (int i = 0; i < 250; ++i) {
      const double shared = noise.normal();
      for (int image = 0; image < 2; ++image) {
        pairs.labels.push_back(i < 150 ? 0.0f : 1.0f);
        pairs.scores.push_back((shared + noise.normal()) / std::sqrt(2.0) + (i < 150 ? 0 : 1));
        patients.push_back(i);
      }
    }
    const Interval clustered = auc_interval(estimate_auc(Ranking(pairs)), patients);
    covered_clustered += clustered.low <= true_auc && true_auc <= clustered.high;
  }
  EXPECT_GE(covered, 1870);
  EXPECT_LE(covered, 1930);
  EXPECT_GE(covered_clustered, 1870);
  EXPECT_LE(covered_clustered, 1930);
  EXPECT_GE(rejected, 70);
  EXPECT_LE(rejected, 130);
  RecordProperty("covered", covered);
  RecordProperty("covered_clustered", covered_clustered);
  RecordProperty("rejected", rejected);
}

}  // namespace
}  // namespace preceptor::test
