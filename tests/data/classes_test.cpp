// Confusion of classes, worked by hand.
#include "data/metrics/decisions.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/device/error.h"

namespace preceptor::test {
namespace {

TEST(Classes, AccuracyAndBalancedAccuracy) {
  const std::vector<double> probabilities = {0.5, 0.3, 0.2, 0.4, 0.4, 0.2, 0.1, 0.1, 0.8, 0.6, 0.3, 0.1};
  const std::vector<int> chosen = most_probable(probabilities, 3);
  EXPECT_EQ(chosen, (std::vector<int>{0, 0, 2, 0}));
  const ClassConfusion confusion(3, chosen, {0, 1, 2, 2});
  EXPECT_EQ(confusion.accuracy(), 0.5);
  EXPECT_DOUBLE_EQ(confusion.balanced_accuracy(), (1 + 0 + 0.5) / 3);
  EXPECT_EQ(confusion.count(2, 0), 1u);
  // Class 1 does not occur: the mean is over the two that do.
  EXPECT_DOUBLE_EQ(ClassConfusion(3, {0, 1, 2}, {0, 0, 2}).balanced_accuracy(), 0.75);
  EXPECT_DOUBLE_EQ(ClassConfusion(3, chosen, {0, 1, 2, 2}, {1, 0, 3, 1}).accuracy(), 0.8);
}

// Two raters, three grades.
TEST(Classes, QuadraticWeightedKappaByHand) {
  std::vector<int> predicted;
  std::vector<float> truth;
  const int counts[3][3] = {{88, 14, 18}, {10, 40, 10}, {2, 6, 12}};
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j)
      for (int k = 0; k < counts[i][j]; ++k) {
        truth.push_back(static_cast<float>(i));
        predicted.push_back(j);
      }
  // Rows 120, 60, 20; columns 100, 60, 40; all 200. Observed: 14 + 18*4 + 10 + 10 + 2*4 + 6 = 120.
  // Expected: (120*60 + 4*120*40 + 60*100 + 60*40 + 4*20*100 + 20*60) / 200 = 220.
  EXPECT_NEAR(ClassConfusion(3, predicted, truth).quadratic_weighted_kappa(), 1 - 120.0 / 220, 1e-15);
}

TEST(Classes, AbsoluteErrorOfGrades) {
  EXPECT_EQ(ClassConfusion(4, {0, 3, 1, 2}, {0, 0, 2, 2}).mean_absolute_error(), 1);
  EXPECT_EQ(ClassConfusion(4, {0, 3}, {0, 0}, {3, 1}).mean_absolute_error(), 0.75);
  EXPECT_TRUE(std::isnan(ClassConfusion(3, {}, {}).mean_absolute_error()));
}

TEST(Classes, KappaOfExtremes) {
  EXPECT_EQ(ClassConfusion(4, {0, 1, 2, 3}, {0, 1, 2, 3}).quadratic_weighted_kappa(), 1);
  EXPECT_EQ(ClassConfusion(2, {1, 0}, {0, 1}).quadratic_weighted_kappa(), -1);
  EXPECT_TRUE(std::isnan(ClassConfusion(3, {1, 1}, {1, 1}).quadratic_weighted_kappa()));
  EXPECT_EQ(ClassConfusion(3, {1, 1}, {0, 2}).quadratic_weighted_kappa(), 0);
  EXPECT_TRUE(std::isnan(ClassConfusion(3, {}, {}).accuracy()));
  EXPECT_TRUE(std::isnan(ClassConfusion(3, {}, {}).balanced_accuracy()));
}

TEST(Classes, RefuseWhatIsNone) {
  EXPECT_THROW(ClassConfusion(3, {0}, {3}), Error);
  EXPECT_THROW(ClassConfusion(3, {0}, {0.5f}), Error);
  EXPECT_THROW(ClassConfusion(3, {3}, {0}), Error);
  EXPECT_THROW(ClassConfusion(3, {-1}, {0}), Error);
  EXPECT_THROW(ClassConfusion(3, {0, 1}, {0}), Error);
  EXPECT_THROW(ClassConfusion(3, {0}, {std::nanf("")}), Error);
  EXPECT_THROW(most_probable({0.5, 0.5, 0.1}, 2), Error);
}

}  // namespace
}  // namespace preceptor::test
