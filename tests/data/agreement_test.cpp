// Agreement of two networks: definitions on small cases, and what must not change the alignment of kernels.
#include "data/metrics/agreement.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace preceptor {
namespace {

TEST(Agreement, CountsEqualFirstPlaces) {
  EXPECT_EQ(
      top_one_agreement({0.2f, 0.8f, 0.6f, 0.4f, 0.5f, 0.5f, 0, 1}, {0, 1, 0.4f, 0.6f, 0.9f, 0.1f, 0.1f, 0.9f}, 2),
      0.75);
  EXPECT_TRUE(std::isnan(top_one_agreement({}, {}, 2)));
}

TEST(Agreement, RankCorrelationIsOfRanks) {
  EXPECT_DOUBLE_EQ(rank_correlation({1, 2, 3, 50}, {0, 0.1, 7, 8}), 1);
  EXPECT_DOUBLE_EQ(rank_correlation({1, 2, 3}, {3, 2, 1}), -1);
  // Ranks 0, 1.5, 1.5, 3 and 1, 0, 2, 3: products around 1.5 are 0.75 + 0 + 0 + 2.25, squares 4.5 and 5.
  EXPECT_DOUBLE_EQ(rank_correlation({1, 2, 2, 3}, {5, 4, 6, 9}), 3 / std::sqrt(4.5 * 5));
  EXPECT_TRUE(std::isnan(rank_correlation({1, 1, 1}, {1, 2, 3})));
  EXPECT_TRUE(std::isnan(rank_correlation({1}, {1})));
}

using Matrix = std::vector<std::vector<double>>;

Matrix drawn(int rows, int columns, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<double> normal;
  Matrix x(static_cast<std::size_t>(rows), std::vector<double>(static_cast<std::size_t>(columns)));
  for (std::vector<double>& row : x)
    for (double& value : row) value = normal(generator);
  return x;
}

std::vector<float> gram(const Matrix& x) {
  std::vector<float> products;
  for (const std::vector<double>& a : x)
    for (const std::vector<double>& b : x) {
      double sum = 0;
      for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
      products.push_back(static_cast<float>(sum));
    }
  return products;
}

double aligned(const Matrix& x, const Matrix& y) {
  KernelAlignment alignment;
  alignment.add(gram(x), gram(y), static_cast<int>(x.size()));
  return alignment.value();
}

// HSIC_1 as a mean over sums of four different images each (Song et al. 2012, section 2): what the closed form is for.
double hsic_by_definition(const std::vector<float>& k, const std::vector<float>& l, std::size_t n) {
  const auto at = [n](const std::vector<float>& m, std::size_t i, std::size_t j) { return double{m[i * n + j]}; };
  double pairs = 0, threes = 0, fours = 0;
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) {
      if (j == i) continue;
      pairs += at(k, i, j) * at(l, i, j);
      for (std::size_t q = 0; q < n; ++q) {
        if (q == i || q == j) continue;
        threes += at(k, i, j) * at(l, i, q);
        for (std::size_t r = 0; r < n; ++r)
          if (r != i && r != j && r != q) fours += at(k, i, j) * at(l, q, r);
      }
    }
  const double m = static_cast<double>(n), two = m * (m - 1), three = two * (m - 2), four = three * (m - 3);
  return pairs / two + fours / four - 2 * threes / three;
}

TEST(KernelAlignment, IsItsDefinition) {
  for (const int images : {4, 7}) {
    const std::vector<float> x = gram(drawn(images, 5, 1)), y = gram(drawn(images, 3, 2));
    const auto n = static_cast<std::size_t>(images);
    KernelAlignment alignment;
    alignment.add(x, y, images);
    const double expected =
        hsic_by_definition(x, y, n) / std::sqrt(hsic_by_definition(x, x, n) * hsic_by_definition(y, y, n));
    EXPECT_NEAR(alignment.value(), expected, 1e-12) << images;
  }
}

TEST(KernelAlignment, SeesThroughRotationsScalesAndShifts) {
  const Matrix x = drawn(32, 2, 3), other = drawn(32, 2, 4);
  Matrix turned = x, shifted = x;
  for (std::size_t i = 0; i < x.size(); ++i) {
    turned[i] = {5 * (0.6 * x[i][0] - 0.8 * x[i][1]), 5 * (0.8 * x[i][0] + 0.6 * x[i][1])};
    shifted[i] = {x[i][0] + 3, x[i][1] - 2};
  }
  // Products are rounded to float.
  EXPECT_NEAR(aligned(x, turned), 1, 1e-5);
  EXPECT_NEAR(aligned(x, shifted), 1, 1e-4);
  EXPECT_LT(aligned(x, other), 0.5);
}

// Unbiased: with more features than images the plain form would be near 1 for representations that share nothing.
TEST(KernelAlignment, OfNothingInCommonIsAboutZero) {
  KernelAlignment alignment;
  for (unsigned batch = 0; batch < 40; ++batch)
    alignment.add(gram(drawn(16, 200, 10 + batch)), gram(drawn(16, 200, 100 + batch)), 16);
  EXPECT_NEAR(alignment.value(), 0, 0.1);
}

TEST(KernelAlignment, LeavesOutSmallBatchesAndIsUndefinedOfNothing) {
  KernelAlignment alignment;
  alignment.add(gram(drawn(3, 5, 1)), gram(drawn(3, 5, 2)), 3);
  EXPECT_TRUE(std::isnan(alignment.value()));
  EXPECT_TRUE(std::isnan(aligned(Matrix(8, {1, 1}), drawn(8, 2, 5)))) << "all images are alike";
}

}  // namespace
}  // namespace preceptor
