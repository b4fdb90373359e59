// Metrics: values worked by hand, a quadratic count on random data, and intervals that behave.
#include "data/metrics/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "data/random.h"
#include "kernels/device/error.h"

namespace preceptor::test {
namespace {

constexpr float nan = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

TEST(Evaluation, TwoClassesUseTheSecond) {
  const Evaluation e = evaluate_scores(Task::multi_class, 2, {"normal", "pneumonia"},
                                       {0.9f, 0.1f, 0.6f, 0.4f, 0.65f, 0.35f, 0.2f, 0.8f}, {0, 0, 1, 1}, 0, 0);
  EXPECT_EQ(e.count, 4);
  EXPECT_EQ(e.auc_macro, 0.75);
  EXPECT_EQ(e.auc_names, std::vector<std::string>{"pneumonia"});
  EXPECT_EQ(e.accuracy, 0.75);
  EXPECT_TRUE(std::isnan(e.auc_low));
  EXPECT_TRUE(std::isnan(e.auc_high));
}

TEST(Evaluation, ManyClassesAverageOneAgainstTheRest) {
  // Class 0: perfect, 1. Class 1: positive 0.5 against 0.2, 0.3, 0.5, which is 2.5 of 3. Class 2: 0.4 and 0.3 against
  // 0.1 and 0.2, again 1.
  const std::vector<float> probabilities = {0.7f, 0.2f, 0.1f, 0.3f, 0.5f, 0.2f, 0.3f, 0.3f, 0.4f, 0.2f, 0.5f, 0.3f};
  const std::vector<float> labels = {0, 1, 2, 2};
  for (const Task task : {Task::multi_class, Task::ordinal}) {
    const Evaluation e = evaluate_scores(task, 3, {"a", "b", "c"}, probabilities, labels, 0, 0);
    ASSERT_EQ(e.auc.size(), 3u);
    EXPECT_EQ(e.auc[0], 1.0);
    EXPECT_DOUBLE_EQ(e.auc[1].value(), 2.5 / 3);
    EXPECT_EQ(e.auc[2], 1.0);
    EXPECT_DOUBLE_EQ(e.auc_macro, (2 + 2.5 / 3) / 3);
    EXPECT_EQ(e.accuracy, 0.75);
    EXPECT_TRUE(e.undefined.empty());
  }
}

TEST(Evaluation, FindingsLeaveUndefinedLabelsOut) {
  // Finding b has no positive; a is perfect; c is known for two images.
  const std::vector<float> probabilities = {0.9f, 0.1f, 0.2f, 0.1f, 0.6f, 0.7f, 0.8f, 0.2f, 0.5f};
  const std::vector<float> labels = {1, 0, 0, 0, 0, 1, 1, 0, nan};
  const Evaluation e = evaluate_scores(Task::multi_label, 3, {"a", "b", "c"}, probabilities, labels, 0, 0);
  EXPECT_EQ(e.auc[0], 1.0);
  EXPECT_FALSE(e.auc[1].has_value());
  EXPECT_EQ(e.auc[2], 1.0);
  EXPECT_EQ(e.undefined, std::vector<std::string>{"b"});
  EXPECT_EQ(e.auc_macro, 1.0);
  EXPECT_DOUBLE_EQ(e.accuracy, (1.0 + 2.0 / 3 + 1.0) / 3);
}

TEST(Evaluation, NothingDefinedIsNan) {
  const Evaluation e = evaluate_scores(Task::multi_label, 1, {"a"}, {0.2f, 0.3f}, {0, 0}, 50, 0);
  EXPECT_TRUE(std::isnan(e.auc_macro));
  EXPECT_TRUE(std::isnan(e.auc_low));
  EXPECT_EQ(e.undefined.size(), 1u);
  EXPECT_EQ(e.accuracy, 1.0);
}

TEST(Evaluation, RefusesBrokenInput) {
  const std::vector<std::string> two = {"a", "b"};
  const auto evaluate = [&](Task task, const std::vector<float>& scores, const std::vector<float>& labels) {
    return evaluate_scores(task, 2, two, scores, labels, 0, 0);
  };
  EXPECT_NO_THROW(evaluate(Task::multi_class, {0.5f, 0.5f}, {1}));
  EXPECT_THROW(evaluate(Task::multi_class, {nan, 0.5f}, {1}), Error);
  EXPECT_THROW(evaluate(Task::multi_label, {0.5f, infinity}, {1, nan}), Error);
  EXPECT_THROW(evaluate(Task::multi_class, {0.5f, 0.5f}, {2}), Error);
  EXPECT_THROW(evaluate(Task::multi_class, {0.5f, 0.5f}, {-1}), Error);
  EXPECT_THROW(evaluate(Task::multi_class, {0.5f, 0.5f}, {0.5f}), Error);
  EXPECT_THROW(evaluate(Task::multi_class, {0.5f, 0.5f}, {nan}), Error);
  EXPECT_THROW(evaluate(Task::multi_class, {0.5f, 0.5f, 0.1f}, {0}), Error);
  EXPECT_THROW(evaluate(Task::multi_label, {0.5f, 0.5f}, {1}), Error);
  EXPECT_THROW(evaluate(Task::multi_class, {}, {}), Error);
  EXPECT_THROW(evaluate_scores(Task::multi_class, 2, {"a"}, {0.5f, 0.5f}, {1}, 0, 0), Error);
  EXPECT_THROW(evaluate_scores(Task::multi_class, 2, two, {0.5f, 0.5f}, {1}, -1, 0), Error);
}

// Scores of two normal distributions one standard deviation apart: the AUC is Phi(1/sqrt(2)) = 0.760.
Evaluation two_normals(int count, int resamples, std::uint64_t seed) {
  RandomStream random(31);
  std::vector<float> scores, labels;
  for (int i = 0; i < count; ++i) {
    labels.push_back(static_cast<float>(i % 2));
    scores.push_back(static_cast<float>(random.normal()) + labels.back());
  }
  return evaluate_scores(Task::multi_label, 1, {"a"}, scores, labels, resamples, seed);
}

TEST(EvaluationInterval, SeedsDecideAlone) {
  const Evaluation one = two_normals(200, 300, 1), same = two_normals(200, 300, 1), other = two_normals(200, 300, 2);
  EXPECT_EQ(one.auc_low, same.auc_low);
  EXPECT_EQ(one.auc_high, same.auc_high);
  EXPECT_NE(one.auc_low, other.auc_low);
}

TEST(EvaluationInterval, WidthAgreesWithTheory) {
  // Hanley and McNeil 1982 at AUC 0.76: Q1 = A/(2-A), Q2 = 2A^2/(1+A); 95 % is 3.92 standard errors wide.
  const int each = 1000;
  const Evaluation e = two_normals(2 * each, 4000, 3);
  const double a = e.auc_macro, q1 = a / (2 - a), q2 = 2 * a * a / (1 + a);
  const double error = std::sqrt((a * (1 - a) + (each - 1) * (q1 + q2 - 2 * a * a)) / (double{each} * each));
  EXPECT_LT(e.auc_low, a);
  EXPECT_GT(e.auc_high, a);
  EXPECT_NEAR((a - e.auc_low) / (1.96 * error), 1, 0.08);
  EXPECT_NEAR((e.auc_high - a) / (1.96 * error), 1, 0.08);
}

TEST(EvaluationInterval, LeavesUndefinedResamplesOut) {
  // One positive among eight: a third of the resamples miss it; the rest are perfect.
  const Evaluation e =
      evaluate_scores(Task::multi_label, 1, {"a"}, {8, 1, 2, 3, 4, 5, 6, 7}, {1, 0, 0, 0, 0, 0, 0, 0}, 400, 5);
  EXPECT_EQ(e.auc_low, 1.0);
  EXPECT_EQ(e.auc_high, 1.0);
}

}  // namespace
}  // namespace preceptor::test
