// How alike two networks are in what they say and in what they see.
#pragma once

#include <span>
#include <vector>

namespace preceptor {

// Share of rows in which both have the highest score at the same place (the first of equals). Scores [rows, outputs],
// outputs > 0; NaN without rows.
double top_one_agreement(const std::vector<float>& a, const std::vector<float>& b, int outputs);

// Spearman's rank correlation, -1 to 1: Pearson's of the ranks, ties share the mean of theirs. NaN where one of both is
// constant or there are fewer than two values. Both have one length.
double rank_correlation(const std::vector<double>& a, const std::vector<double>& b);

// Linear centered kernel alignment of two representations (Kornblith et al. 2019), in the form over batches of Nguyen,
// Raghu and Kornblith 2021, equations 2 and 3: the mean over batches of the unbiased HSIC_1 of both, divided by the
// root of the product of those of each with itself. About 0 for representations that have nothing to do with each
// other, 1 for those that differ in a rotation and a scale alone. It may be a little below 0.
class KernelAlignment {
 public:
  // The products of all pairs of a batch's representations, [images, images]. Batches of fewer than four images are
  // left out: HSIC_1 is not defined for them.
  void add(std::span<const float> first, std::span<const float> second, int images);

  // NaN where nothing was added, or where all images of one representation are alike.
  double value() const;

 private:
  double between_ = 0, first_ = 0, second_ = 0;
};

}  // namespace preceptor
