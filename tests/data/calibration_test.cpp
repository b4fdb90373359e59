// Proper scores and reliability by hand; scalings recover what made the data.
#include "data/metrics/calibration.h"

#include <gtest/gtest.h>

#include <cmath>

#include "data/metrics/scaling.h"
#include "kernels/device/error.h"
#include "random_findings.h"

namespace preceptor::test {
namespace {

const Finding rain{"rain", {0.1, 0.9, 0.8, 0.35, 0.5}, {0, 1, 1, 0, nan}};

TEST(Scores, BrierAndLogLossByHand) {
  EXPECT_NEAR(brier_score(rain), (0.01 + 0.01 + 0.04 + 0.1225) / 4, 1e-15);
  EXPECT_NEAR(log_loss(rain), -(std::log(0.9) + std::log(0.9) + std::log(0.8) + std::log(0.65)) / 4, 1e-15);
  EXPECT_NEAR(brier_score(rain, {2, 0, 1, 0, 7}), (0.02 + 0.04) / 3, 1e-15);
  // A certain mistake costs as much as 2^-52 lets it.
  EXPECT_NEAR(log_loss({"a", {0}, {1}}), 52 * std::log(2.0), 1e-12);
  EXPECT_EQ(brier_score({"a", {0}, {1}}), 1);
  EXPECT_TRUE(std::isnan(brier_score({"a", {0.5}, {nan}})));
  EXPECT_TRUE(std::isnan(log_loss({"a", {}, {}})));
  EXPECT_THROW(brier_score({"a", {1.5}, {1}}), Error);
  EXPECT_THROW(log_loss({"a", {-0.1}, {1}}), Error);
}

TEST(Scores, OfClasses) {
  const std::vector<double> probabilities = {0.7, 0.2, 0.1, 0.3, 0.3, 0.4};
  EXPECT_NEAR(class_brier_score(probabilities, {0, 1}, 3), (0.09 + 0.04 + 0.01 + 0.09 + 0.49 + 0.16) / 2, 1e-15);
  EXPECT_NEAR(class_log_loss(probabilities, {0, 1}, 3), -(std::log(0.7) + std::log(0.3)) / 2, 1e-15);
  const Finding top = top_class(probabilities, {0, 1}, 3);
  EXPECT_EQ(top.scores, (std::vector<double>{0.7, 0.4}));
  EXPECT_EQ(top.labels, (std::vector<float>{1, 0}));
  EXPECT_THROW(class_log_loss(probabilities, {0, 3}, 3), Error);
  EXPECT_THROW(class_log_loss(probabilities, {0}, 3), Error);
}

TEST(Reliability, EqualWidths) {
  const Finding finding{"a", {0, 0.1, 0.2, 0.4, 0.45, 0.9, 1}, {0, 0, 1, 1, 1, 1, nan}};
  const std::vector<ReliabilityBin> bins = reliability(finding, Binning::equal_width, 5);
  ASSERT_EQ(bins.size(), 5u);
  EXPECT_EQ(bins[0].count, 3u);  // (0, 0.2] with 0 itself
  EXPECT_NEAR(bins[0].mean_probability, 0.1, 1e-15);
  EXPECT_NEAR(bins[0].positive_share, 1.0 / 3, 1e-15);
  EXPECT_EQ(bins[1].count, 1u);
  EXPECT_EQ(bins[2].count, 1u);
  EXPECT_EQ(bins[3].count, 0u);
  EXPECT_TRUE(std::isnan(bins[3].positive_share));
  EXPECT_EQ(bins[4].count, 1u);
  EXPECT_NEAR(expected_calibration_error(bins), (3 * (1.0 / 3 - 0.1) + 0.6 + 0.55 + 0.1) / 6, 1e-15);
  EXPECT_NEAR(maximum_calibration_error(bins), 0.6, 1e-15);
}

TEST(Reliability, EqualCountsKeepTiesTogether) {
  const Finding finding{"a", {0.1, 0.2, 0.3, 0.4, 0.5, 0.6}, {0, 0, 0, 1, 1, 1}};
  const std::vector<ReliabilityBin> halves = reliability(finding, Binning::equal_count, 2);
  ASSERT_EQ(halves.size(), 2u);
  EXPECT_EQ(halves[0].count, 3u);
  EXPECT_NEAR(halves[0].mean_probability, 0.2, 1e-15);
  EXPECT_NEAR(expected_calibration_error(halves), (0.2 + 0.5) / 2, 1e-15);
  const Finding tied{"a", {0.5, 0.5, 0.5, 0.5, 0.9}, {0, 1, 0, 1, 1}};
  const std::vector<ReliabilityBin> bins = reliability(tied, Binning::equal_count, 5);
  ASSERT_EQ(bins.size(), 2u);
  EXPECT_EQ(bins[0].count, 4u);
  EXPECT_NEAR(expected_calibration_error(bins), 0.1 / 5, 1e-15);
  // Three of four rows are tied; their middle lies in the upper half, so the lower one keeps the first row.
  EXPECT_EQ(reliability({"a", {0.1, 0.5, 0.5, 0.5}, {0, 1, 0, 1}}, Binning::equal_count, 2).size(), 2u);
  // Twice the same rows, and rows that count twice, are one thing.
  const std::vector<ReliabilityBin> drawn = reliability(finding, Binning::equal_count, 2, {0, 2, 2, 1, 1, 0});
  const std::vector<ReliabilityBin> copied =
      reliability({"a", {0.2, 0.2, 0.3, 0.3, 0.4, 0.5}, {0, 0, 0, 0, 1, 1}}, Binning::equal_count, 2);
  EXPECT_EQ(expected_calibration_error(drawn), expected_calibration_error(copied));
}

TEST(Reliability, NothingKnownIsUndefined) {
  for (const Binning binning : {Binning::equal_width, Binning::equal_count}) {
    EXPECT_TRUE(std::isnan(expected_calibration_error(reliability({"a", {0.5}, {nan}}, binning))));
    EXPECT_TRUE(std::isnan(maximum_calibration_error(reliability({"a", {0.5}, {nan}}, binning))));
    EXPECT_NEAR(expected_calibration_error(reliability({"a", {0.7}, {1}}, binning)), 0.3, 1e-15);  // n = 1
  }
  EXPECT_THROW(reliability(rain, Binning::equal_width, 0), Error);
}

double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }

// Labels drawn by the true probability, scores that are too sure by a factor and shifted.
TEST(Platt, RecoversTheScaleThatMadeTheData) {
  RandomStream random(5);
  Finding finding{"a", {}, {}};
  for (int i = 0; i < 40000; ++i) {
    const double logit = 2 * random.normal();
    finding.scores.push_back(sigmoid_of(2 * logit + 1));
    finding.labels.push_back(random.chance(sigmoid_of(logit)) ? 1.0f : 0.0f);
  }
  // logit = (score's logit - 1) / 2; four standard errors of the fit are 0.05.
  const PlattScale scale = fit_platt(finding);
  EXPECT_NEAR(scale.slope, 0.5, 0.05);
  EXPECT_NEAR(scale.intercept, -0.5, 0.05);
  Finding scaled = finding;
  for (double& p : scaled.scores) p = scale(p);
  EXPECT_LT(log_loss(scaled), log_loss(finding));
  EXPECT_LT(expected_calibration_error(reliability(scaled)), 0.02);
}

// At the optimum of Platt's loss the residuals to his targets vanish, alone and weighted with the logits.
TEST(Platt, ItsGradientIsZero) {
  int turned = 0;
  for (int round = 0; round < 20; ++round) {
    RandomStream random(6, round);
    const Finding finding = random_finding(random, 5 + static_cast<int>(random.below(200)), 50);
    const PlattScale scale = fit_platt(finding);
    double positives = 0, negatives = 0, first = 0, second = 0;
    for (const float label : finding.labels) {
      positives += label > 0.5f ? 1 : 0;
      negatives += label <= 0.5f ? 1 : 0;
    }
    for (std::size_t i = 0; i < finding.scores.size(); ++i) {
      if (std::isnan(finding.labels[i])) continue;
      const double target = finding.labels[i] > 0.5f ? (positives + 1) / (positives + 2) : 1 / (negatives + 2);
      first += scale(finding.scores[i]) - target;
      second += (scale(finding.scores[i]) - target) * log_odds(finding.scores[i]);
    }
    EXPECT_NEAR(first, 0, 1e-7) << round;
    // A slope of 0 is the best one that does not turn the order around: a lower one would gain.
    if (scale.slope > 0) {
      EXPECT_NEAR(second, 0, 1e-6) << round;
    } else {
      EXPECT_EQ(scale.slope, 0) << round;
      EXPECT_GT(second, 0) << round;
    }
    turned += scale.slope == 0 ? 1 : 0;
  }
  EXPECT_GT(turned, 0);
  EXPECT_LT(turned, 20);
}

TEST(Platt, SeparatedAndOneSidedDataStayFinite) {
  const PlattScale separated = fit_platt({"a", {0, 0, 1, 1}, {0, 0, 1, 1}});
  EXPECT_TRUE(std::isfinite(separated.slope));
  EXPECT_NEAR(separated(1), 3.0 / 4, 1e-6);  // Platt's target
  const PlattScale constant = fit_platt({"a", {0.5, 0.5, 0.5}, {0, 1, 0}});
  EXPECT_NEAR(constant(0.5), (2.0 / 3 + 1.0 / 4 + 1.0 / 4) / 3, 1e-6);
  EXPECT_EQ(fit_platt({"a", {0.2, 0.3}, {1, 1}}).slope, 1);
  EXPECT_EQ(fit_platt({"a", {0.2, 0.3}, {1, nan}}).intercept, 0);
}

TEST(Temperature, RecoversTheOneThatMadeTheData) {
  RandomStream random(7);
  std::vector<double> classes, findings;
  std::vector<float> grades, labels;
  for (int i = 0; i < 20000; ++i) {
    double logits[3], total = 0, hot = 0;
    for (double& logit : logits) logit = 1.5 * random.normal();
    for (const double logit : logits) total += std::exp(logit), hot += std::exp(3 * logit);
    double draw = random.uniform() * total;
    int grade = 0;
    while (grade < 2 && (draw -= std::exp(logits[grade])) > 0) ++grade;
    grades.push_back(static_cast<float>(grade));
    for (const double logit : logits) classes.push_back(std::exp(3 * logit) / hot);
    findings.push_back(sigmoid_of(3 * logits[0]));
    labels.push_back(random.chance(sigmoid_of(logits[0])) ? 1.0f : 0.0f);
  }
  const double t = fit_temperature(Task::multi_class, 3, classes, grades);
  EXPECT_NEAR(t, 3, 0.1);
  EXPECT_NEAR(fit_temperature(Task::multi_label, 1, findings, labels), 3, 0.15);
  const std::vector<double> cooled = at_temperature(Task::multi_class, 3, classes, t);
  EXPECT_NEAR(cooled[0] + cooled[1] + cooled[2], 1, 1e-12);
  const double best = class_log_loss(cooled, grades, 3);
  for (const double other : {t * 0.98, t * 1.02})
    EXPECT_GT(class_log_loss(at_temperature(Task::multi_class, 3, classes, other), grades, 3), best);
}

TEST(Temperature, HasBoundsAndADefault) {
  EXPECT_EQ(fit_temperature(Task::multi_label, 2, {0.5, 0.5}, {nan, nan}), 1);
  EXPECT_DOUBLE_EQ(fit_temperature(Task::multi_class, 2, {0.4, 0.6}, {1}), 0.01);  // always right: surer
  EXPECT_DOUBLE_EQ(fit_temperature(Task::multi_class, 2, {0.6, 0.4}, {1}), 100);   // always wrong: less sure
  EXPECT_THROW(fit_temperature(Task::multi_class, 2, {0.6, 0.4}, {2}), Error);
  EXPECT_THROW(at_temperature(Task::multi_class, 2, {0.6, 0.4}, 0), Error);
  const std::vector<double> same = at_temperature(Task::multi_label, 1, {0.3}, 1);
  EXPECT_NEAR(same[0], 0.3, 1e-15);
}

}  // namespace
}  // namespace preceptor::test
