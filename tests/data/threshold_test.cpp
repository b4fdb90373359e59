// Decisions: counts and rates worked by hand, and thresholds against trying all of them.
#include "data/metrics/decisions.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/device/error.h"
#include "random_findings.h"

namespace preceptor::test {
namespace {

// A table as in textbooks: 100 ill of whom 90 are found, 900 well of whom 80 are alarmed.
TEST(Confusion, RatesOfATextbookTable) {
  const Confusion c{90, 80, 820, 10};
  EXPECT_EQ(c.known(), 1000u);
  EXPECT_DOUBLE_EQ(c.sensitivity(), 0.9);
  EXPECT_DOUBLE_EQ(c.specificity(), 820.0 / 900);
  EXPECT_DOUBLE_EQ(c.false_positive_rate(), 80.0 / 900);
  EXPECT_DOUBLE_EQ(c.ppv(), 90.0 / 170);
  EXPECT_DOUBLE_EQ(c.npv(), 820.0 / 830);
  EXPECT_DOUBLE_EQ(c.f1(), 180.0 / 270);
  EXPECT_DOUBLE_EQ(c.accuracy(), 0.91);
  EXPECT_DOUBLE_EQ(c.balanced_accuracy(), (0.9 + 820.0 / 900) / 2);
  EXPECT_DOUBLE_EQ(c.youden(), 0.9 + 820.0 / 900 - 1);
}

TEST(Confusion, RatesWithoutRowsAreUndefined) {
  const Confusion none_ill{0, 1, 2, 0}, none_called{0, 0, 2, 1};
  EXPECT_TRUE(std::isnan(none_ill.sensitivity()));
  EXPECT_TRUE(std::isnan(none_ill.balanced_accuracy()));
  EXPECT_EQ(none_ill.f1(), 0);
  EXPECT_TRUE(std::isnan(none_called.ppv()));
  EXPECT_TRUE(std::isnan(Confusion{}.accuracy()));
  EXPECT_TRUE(std::isnan(Confusion{}.f1()));
}

TEST(Confusion, CountsScoresAtTheThresholdAsPositive) {
  const Finding finding{"a", {0.2, 0.5, 0.5, 0.9, 0.7}, {0, 0, 1, 1, nan}};
  const Confusion c = confusion_at(finding, 0.5);
  EXPECT_EQ(c.true_positives, 2u);
  EXPECT_EQ(c.false_positives, 1u);
  EXPECT_EQ(c.true_negatives, 1u);
  EXPECT_EQ(c.false_negatives, 0u);
  const Confusion drawn = confusion_at(finding, 0.6, {3, 0, 2, 1, 5});
  EXPECT_EQ(drawn.true_negatives, 3u);
  EXPECT_EQ(drawn.false_positives, 0u);
  EXPECT_EQ(drawn.false_negatives, 2u);
  EXPECT_EQ(drawn.true_positives, 1u);
  EXPECT_THROW(confusion_at({"a", {nan}, {1}}, 0.5), Error);
}

TEST(ThresholdRule, ReadsItsOwnText) {
  for (const char* text : {"f1", "youden", "sensitivity=0.9", "specificity=0.95", "sensitivity=1"})
    EXPECT_EQ(to_string(parse_threshold_rule(text)), text);
  for (const char* text : {"", "F1", "sensitivity", "sensitivity=0", "sensitivity=1.1", "specificity=nan", "youden=1"})
    EXPECT_THROW(parse_threshold_rule(text), Error) << text;
}

double value(const Confusion& c, ThresholdRule::Kind kind) {
  return kind == ThresholdRule::Kind::max_f1 ? c.f1() : c.youden();
}

// The rules by trying every score, and one above all.
double best_of_all(const Finding& finding, const ThresholdRule& rule) {
  std::vector<double> candidates = finding.scores;
  for (std::size_t i = 0; i < finding.scores.size(); ++i)
    if (std::isnan(finding.labels[i])) candidates[i] = -1;
  std::erase(candidates, -1);
  std::sort(candidates.begin(), candidates.end(), std::greater<>());
  const double none = std::nextafter(candidates.front(), infinity);
  double best = none;
  using Kind = ThresholdRule::Kind;
  for (const double t : candidates) {
    const Confusion c = confusion_at(finding, t), at_best = confusion_at(finding, best);
    if (rule.kind == Kind::sensitivity) {
      if (c.sensitivity() >= rule.target) return t;
    } else if (rule.kind == Kind::specificity) {
      if (c.specificity() >= rule.target) best = t;
    } else if (value(c, rule.kind) > value(at_best, rule.kind) + 1e-12) {
      best = t;
    }
  }
  return best;
}

TEST(ThresholdRule, ChoosesAsTryingAllDoes) {
  for (int round = 0; round < 80; ++round) {
    RandomStream random(41, round);
    const Finding finding = random_finding(random, 2 + static_cast<int>(random.below(60)), round % 2 == 0 ? 8 : 100000);
    for (const char* text : {"f1", "youden", "sensitivity=0.8", "sensitivity=1", "specificity=0.9", "specificity=1"}) {
      const ThresholdRule rule = parse_threshold_rule(text);
      EXPECT_EQ(choose_threshold(finding, rule), best_of_all(finding, rule)) << text << " round " << round;
    }
  }
}

TEST(ThresholdRule, NeedsBothClasses) {
  for (const char* text : {"f1", "youden", "sensitivity=0.8", "specificity=0.9"}) {
    EXPECT_TRUE(std::isnan(choose_threshold({"a", {0.1, 0.2}, {1, 1}}, parse_threshold_rule(text))));
    EXPECT_TRUE(std::isnan(choose_threshold({"a", {0.1, 0.2}, {0, nan}}, parse_threshold_rule(text))));
  }
}

}  // namespace
}  // namespace preceptor::test
