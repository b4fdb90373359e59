// Areas and curves: values worked by hand, published ones, and quadratic counts on random data.
#include "data/metrics/ranking.h"

#include <gtest/gtest.h>

#include <cmath>

#include "data/metrics/delong.h"
#include "data/random.h"
#include "kernels/device/error.h"
#include "random_findings.h"

namespace preceptor::test {
namespace {

double auc(const std::vector<double>& scores, const std::vector<float>& labels) {
  return Ranking({"", scores, labels}).auc();
}

TEST(Auc, HandWorkedValues) {
  EXPECT_EQ(auc({0.1, 0.4, 0.35, 0.8}, {0, 0, 1, 1}), 0.75);  // scikit-learn's example
  EXPECT_EQ(auc({1, 2, 3, 4}, {0, 0, 1, 1}), 1.0);
  EXPECT_EQ(auc({4, 3, 2, 1}, {0, 0, 1, 1}), 0.0);
  EXPECT_EQ(auc({5, 5, 5, 5}, {0, 1, 0, 1}), 0.5);
  EXPECT_EQ(auc({1, 1, 2}, {0, 1, 1}), 0.75);   // one tie, one win
  EXPECT_EQ(auc({-0.0, 0.0}, {0, 1}), 0.5);     // the two zeros are equal
  EXPECT_EQ(auc({1, 2, 3}, {0, nan, 1}), 1.0);  // unknown labels do not count
  EXPECT_EQ(auc({3, 9, 1, 2}, {1, nan, 0, 0}), 1.0);
}

// Hanley and McNeil 1982, table I: 109 CT images on a scale of five ratings; by trapezoids their area is 0.893.
TEST(Auc, HanleyAndMcNeilsExample) {
  const int normal[5] = {33, 6, 6, 11, 2}, abnormal[5] = {3, 2, 2, 11, 33};
  Finding finding;
  for (int rating = 0; rating < 5; ++rating) {
    for (int i = 0; i < normal[rating] + abnormal[rating]; ++i) {
      finding.scores.push_back(rating + 1);
      finding.labels.push_back(i < abnormal[rating] ? 1.0f : 0.0f);
    }
  }
  EXPECT_NEAR(Ranking(finding).auc(), 0.893, 0.0005);
  EXPECT_EQ(Ranking(finding).roc().size(), 6u);
}

TEST(Auc, IsUndefinedWithoutBothClasses) {
  EXPECT_TRUE(std::isnan(auc({1, 2, 3}, {1, 1, 1})));
  EXPECT_TRUE(std::isnan(auc({1, 2, 3}, {0, 0, nan})));
  EXPECT_TRUE(std::isnan(auc({1}, {1})));
  EXPECT_TRUE(std::isnan(auc({}, {})));
  EXPECT_TRUE(Ranking({"", {1, 2}, {0, 0}}).roc().empty());
  EXPECT_TRUE(Ranking({"", {1, 2}, {0, 0}}).precision_recall().empty());
  EXPECT_TRUE(std::isnan(Ranking({"", {1, 2}, {0, 0}}).average_precision()));
  EXPECT_TRUE(std::isnan(Ranking({"", {1, 2}, {0, 0}}).precision_at({0.5})[0]));
  EXPECT_TRUE(std::isnan(Ranking({"", {1, 2}, {0, 0}}).sensitivity_at({0.5})[0]));
}

TEST(Auc, RefusesBrokenInput) {
  EXPECT_THROW(auc({1, nan}, {0, 1}), Error);
  EXPECT_THROW(auc({1, infinity}, {0, 1}), Error);
  EXPECT_THROW(auc({1, 2, 3}, {0, 1}), Error);
  EXPECT_THROW(Ranking::pooled({{"a", {1, 2}, {0, 1}}, {"b", {1}, {1}}}), Error);
}

// The definition: the share of (positive, negative) pairs in the right order, ties one half.
double pairs_in_order(const Finding& finding, const SampleWeights& times) {
  double won = 0, pairs = 0;
  for (std::size_t i = 0; i < finding.scores.size(); ++i) {
    for (std::size_t j = 0; j < finding.scores.size(); ++j) {
      if (!(finding.labels[i] > 0.5f) || !(finding.labels[j] <= 0.5f)) continue;
      const auto count = static_cast<double>(times_of(times, i) * times_of(times, j));
      won += count * (finding.scores[i] > finding.scores[j] ? 1 : finding.scores[i] == finding.scores[j] ? 0.5 : 0);
      pairs += count;
    }
  }
  return won / pairs;
}

// Average precision by its definition: the mean over positives of the precision at their own score.
double mean_precision(const Finding& finding, const SampleWeights& times) {
  double sum = 0, positives = 0;
  for (std::size_t i = 0; i < finding.scores.size(); ++i) {
    if (!(finding.labels[i] > 0.5f)) continue;
    double called = 0, right = 0;
    for (std::size_t j = 0; j < finding.scores.size(); ++j) {
      if (std::isnan(finding.labels[j]) || finding.scores[j] < finding.scores[i]) continue;
      called += static_cast<double>(times_of(times, j));
      right += finding.labels[j] > 0.5f ? static_cast<double>(times_of(times, j)) : 0;
    }
    const auto own = static_cast<double>(times_of(times, i));
    if (own == 0) continue;
    sum += own * right / called;
    positives += own;
  }
  return sum / positives;
}

TEST(Auc, EqualsTheCountOfPairs) {
  for (int round = 0; round < 60; ++round) {
    RandomStream random(21, round);
    const Finding finding =
        random_finding(random, 2 + static_cast<int>(random.below(150)), round % 2 == 0 ? 6 : 100000);
    const SampleWeights times = round % 3 == 0 ? SampleWeights{} : random_times(random, finding.scores.size());
    const Ranking ranking(finding);
    EXPECT_NEAR(ranking.auc(times), pairs_in_order(finding, times), 1e-12) << "round " << round;
    EXPECT_NEAR(ranking.average_precision(times), mean_precision(finding, times), 1e-12) << "round " << round;
  }
}

TEST(Curves, StepThroughTheirPoints) {
  const Ranking ranking({"", {0.1, 0.4, 0.35, 0.8}, {0, 0, 1, 1}});
  const std::vector<RocPoint> roc = ranking.roc();
  ASSERT_EQ(roc.size(), 5u);
  EXPECT_TRUE(std::isinf(roc[0].threshold));
  EXPECT_EQ(roc[1].threshold, 0.8);
  EXPECT_EQ(roc[1].sensitivity, 0.5);
  EXPECT_EQ(roc[2].false_positive_rate, 0.5);
  EXPECT_EQ(roc[3].sensitivity, 1);
  EXPECT_EQ(roc[4].false_positive_rate, 1);
  const std::vector<PrecisionRecallPoint> pr = ranking.precision_recall();
  ASSERT_EQ(pr.size(), 4u);
  EXPECT_EQ(pr[0].precision, 1);
  EXPECT_EQ(pr[1].precision, 0.5);
  EXPECT_DOUBLE_EQ(pr[2].precision, 2.0 / 3);
  EXPECT_EQ(pr[3].precision, 0.5);
  // Right of a rise its upper end counts; between two points the straight line.
  EXPECT_EQ(ranking.sensitivity_at({0, 0.25, 0.5, 1}), (std::vector<double>{0.5, 0.5, 1, 1}));
  const Ranking tied({"", {1, 1, 0, 0}, {0, 1, 1, 0}});
  EXPECT_EQ(tied.sensitivity_at({0, 0.25, 0.5, 1}), (std::vector<double>{0, 0.25, 0.5, 1}));
  EXPECT_EQ(ranking.precision_at({0.5, 1}), (std::vector<double>{1, 2.0 / 3}));
}

TEST(Curves, TheAreaUnderTheRocCurveIsTheAuc) {
  for (int round = 0; round < 20; ++round) {
    RandomStream random(22, round);
    const Finding finding = random_finding(random, 200, round % 2 == 0 ? 7 : 100000);
    const SampleWeights times = random_times(random, 200);
    const std::vector<RocPoint> roc = Ranking(finding).roc(times);
    double area = 0;
    for (std::size_t k = 1; k < roc.size(); ++k)
      area += (roc[k].false_positive_rate - roc[k - 1].false_positive_rate) *
              (roc[k].sensitivity + roc[k - 1].sensitivity) / 2;
    EXPECT_NEAR(area, Ranking(finding).auc(times), 1e-12);
  }
}

TEST(Averages, MacroMicroAndWeighted) {
  // a: 1 positive, area 1. b: undefined. c: 2 positives of 3, area 0.5 (one right, one wrong).
  const std::vector<Finding> findings = {
      {"a", {0.9, 0.1, 0.2}, {1, 0, 0}}, {"b", {0.5, 0.6, 0.7}, {0, 0, 0}}, {"c", {0.8, 0.3, 0.4}, {1, 1, 0}}};
  const std::vector<Ranking> rankings = rank_all(findings);
  EXPECT_EQ(macro_auc(rankings), 0.75);
  EXPECT_DOUBLE_EQ(weighted_auc(rankings), (1 * 1.0 + 2 * 0.5) / 3);
  EXPECT_DOUBLE_EQ(macro_average_precision(rankings), (1 + (1 + 2.0 / 3) / 2) / 2);
  // Pooled: positives 0.9, 0.8, 0.3; negatives 0.1, 0.2, 0.5, 0.6, 0.7, 0.4.
  EXPECT_DOUBLE_EQ(Ranking::pooled(findings).auc(), (6 + 6 + 2) / 18.0);
  // Row 0 twice: positives 0.9 and 0.8 twice, negatives 0.5 twice.
  EXPECT_DOUBLE_EQ(Ranking::pooled(findings).auc({2, 1, 1}), (14 + 14 + 2) / 35.0);
  EXPECT_TRUE(std::isnan(macro_auc({rankings[1]})));
  EXPECT_TRUE(std::isnan(weighted_auc({rankings[1]})));
}

// Counts of pairs pass 2^32 early; at a million rows there are 2.5e11.
TEST(Auc, IsExactForAMillionRows) {
  Finding finding;
  constexpr int count = 1'000'000;
  for (int i = 0; i < count; ++i) {
    finding.scores.push_back(i / 2);  // tied pairs of one positive and one negative
    finding.labels.push_back(static_cast<float>(i % 2));
  }
  EXPECT_EQ(Ranking(finding).auc(), 0.5);
  finding.labels[0] = 1;  // the lowest pair: now 500001 positives, 499999 negatives
  const double m = 500001, n = 499999;
  // Pairs k < l: a positive of a higher pair wins against the negative of each lower pair that has one.
  const AucEstimate estimate = estimate_auc(Ranking(finding));
  EXPECT_DOUBLE_EQ(estimate.auc, (n * (n - 1) / 2 + n / 2) / (m * n));
  // V10 and V01 are uniform here: variances 1/12 over m and over n.
  EXPECT_NEAR(standard_error(estimate), std::sqrt((1 / m + 1 / n) / 12), 1e-8);
}

}  // namespace
}  // namespace preceptor::test
