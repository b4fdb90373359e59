// Ranks, and sums over Gram matrices.
#include "data/metrics/agreement.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>

#include "data/metrics/interval.h"

namespace preceptor {
namespace {

std::vector<double> ranks(const std::vector<double>& values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> result(values.size());
  for (std::size_t begin = 0, end; begin < order.size(); begin = end) {
    for (end = begin + 1; end < order.size() && values[order[end]] == values[order[begin]];) ++end;
    for (std::size_t i = begin; i < end; ++i) result[order[i]] = 0.5 * static_cast<double>(begin + end - 1);
  }
  return result;
}

// HSIC_1 of Song et al. 2012 as in equation 3 of Nguyen, Raghu and Kornblith 2021; the diagonals count as zeros.
double unbiased_hsic(std::span<const float> first, std::span<const float> second, int images) {
  const auto n = static_cast<std::size_t>(images);
  std::vector<double> first_sums(n), second_sums(n);
  double products = 0, size = 0;
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) {
      if (i == j) continue;
      const double a = static_cast<double>(first[i * n + j]), b = static_cast<double>(second[i * n + j]);
      first_sums[i] += a;
      second_sums[i] += b;
      products += a * b;
      size += std::abs(a * b);
    }
  const double count = images, first_sum = std::accumulate(first_sums.begin(), first_sums.end(), 0.0),
               second_sum = std::accumulate(second_sums.begin(), second_sums.end(), 0.0),
               rows = std::inner_product(first_sums.begin(), first_sums.end(), second_sums.begin(), 0.0);
  const double sum = products + first_sum * second_sum / ((count - 1) * (count - 2)) - 2 * rows / (count - 2);
  // Products are rounded to float: if all images are equal, only squared rounding errors are left.
  return std::abs(sum) <= 1e-12 * size ? 0 : sum / (count * (count - 3));
}

}  // namespace

double top_one_agreement(const std::vector<float>& a, const std::vector<float>& b, int outputs) {
  if (a.empty()) return undefined;
  const auto width = static_cast<std::ptrdiff_t>(outputs);
  std::size_t same = 0, rows = 0;
  for (auto x = a.begin(), y = b.begin(); x != a.end(); x += width, y += width, ++rows)
    same += std::max_element(x, x + width) - x == std::max_element(y, y + width) - y;
  return static_cast<double>(same) / static_cast<double>(rows);
}

double rank_correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const std::vector<double> x = ranks(a), y = ranks(b);
  // Whole and half numbers, so sums are exact; the mean of ranks from 0 is half the last.
  const double mean = 0.5 * (static_cast<double>(x.size()) - 1);
  double xy = 0, xx = 0, yy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - mean) * (y[i] - mean);
    xx += (x[i] - mean) * (x[i] - mean);
    yy += (y[i] - mean) * (y[i] - mean);
  }
  return xx > 0 && yy > 0 ? xy / std::sqrt(xx * yy) : undefined;
}

void KernelAlignment::add(std::span<const float> first, std::span<const float> second, int images) {
  if (images < 4) return;
  between_ += unbiased_hsic(first, second, images);
  first_ += unbiased_hsic(first, first, images);
  second_ += unbiased_hsic(second, second, images);
}

double KernelAlignment::value() const {
  return first_ > 0 && second_ > 0 ? between_ / std::sqrt(first_ * second_) : undefined;
}

}  // namespace preceptor
