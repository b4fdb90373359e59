// Agreement of two networks in their outputs and in their representations.
#pragma once

#include <span>
#include <vector>

namespace preceptor {

// Fraction of rows in which both have the highest score at the same output (the first of equals). Scores [rows,
// outputs], outputs > 0; NaN without rows.
double top_one_agreement(const std::vector<float>& a, const std::vector<float>& b, int outputs);

// Spearman's rank correlation, -1 to 1: Pearson's of the ranks; ties share their mean rank. NaN if either is constant
// or there are fewer than two values. Both have the same length.
double rank_correlation(const std::vector<double>& a, const std::vector<double>& b);

// Linear centered kernel alignment of two representations (Kornblith et al. 2019), in the form over batches of Nguyen,
// Raghu and Kornblith 2021, equations 2 and 3: the mean over batches of the unbiased HSIC_1 of both, divided by the
// root of the product of those of each with itself. About 0, possibly slightly below, for unrelated representations, 1
// for those that differ only in a rotation and a scale.
class KernelAlignment {
 public:
  // Products of all pairs of a batch's representations, [images, images]. Skips batches of fewer than four images, for
  // which HSIC_1 is not defined.
  void add(std::span<const float> first, std::span<const float> second, int images);

  // NaN if nothing was added or all images have the same representation.
  double value() const;

 private:
  double between_ = 0, first_ = 0, second_ = 0;
};

}  // namespace preceptor
