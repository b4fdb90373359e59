// DeLong's components by mid-ranks, and sums of their products.
#include "data/metrics/delong.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/files/check.h"

namespace preceptor {
namespace {

std::vector<double> added_within(const std::vector<double>& deviations, const Clusters& clusters) {
  require(clusters.size() == deviations.size(), "metrics: ", clusters.size(), " clusters for ", deviations.size(),
          " rows");
  std::vector<double> sums;
  for (std::size_t i = 0; i < clusters.size(); ++i) {
    require(clusters[i] >= 0 && static_cast<std::size_t>(clusters[i]) < clusters.size(), "metrics: cluster ",
            clusters[i], " of row ", i, " of ", clusters.size());
    if (sums.size() <= static_cast<std::size_t>(clusters[i])) sums.resize(static_cast<std::size_t>(clusters[i]) + 1, 0);
    sums[clusters[i]] += deviations[i];
  }
  return sums;
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

std::uint64_t largest_cluster(const Clusters& clusters) {
  std::vector<std::uint64_t> rows(clusters.size());
  for (const std::int32_t cluster : clusters) ++rows[cluster];
  return clusters.empty() ? 1 : *std::max_element(rows.begin(), rows.end());
}

void require_same_rows(const AucEstimate& a, const AucEstimate& b) {
  require(a.deviations.size() == b.deviations.size(), "metrics: AUCs of ", a.deviations.size(), " and ",
          b.deviations.size(), " rows cannot be paired");
}

}  // namespace

AucEstimate estimate_auc(const Ranking& ranking) {
  AucEstimate estimate{ranking.auc(), std::vector<double>(ranking.rows(), 0.0),
                       std::min(ranking.positives(), ranking.negatives())};
  if (std::isnan(estimate.auc)) return estimate;
  const std::vector<Ranking::Entry>& entries = ranking.entries();
  const auto m = static_cast<double>(ranking.positives()), n = static_cast<double>(ranking.negatives());
  const double positive_scale = m > 1 ? 1 / std::sqrt(m * (m - 1)) : undefined;
  const double negative_scale = n > 1 ? 1 / std::sqrt(n * (n - 1)) : undefined;
  std::uint64_t positives_below = 0, negatives_below = 0;
  for (std::size_t begin = 0, end = 0; begin < entries.size(); begin = end) {
    std::uint64_t tied_positives = 0, tied_negatives = 0;
    for (end = begin; end == begin || !entries[end - 1].ends_tie; ++end)
      ++(entries[end].positive ? tied_positives : tied_negatives);
    // V10: share of negatives below a positive; V01: share of positives above a negative; ties one half.
    const double v10 = static_cast<double>(2 * negatives_below + tied_negatives) / (2 * n);
    const double v01 = 1 - static_cast<double>(2 * positives_below + tied_positives) / (2 * m);
    for (std::size_t k = begin; k < end; ++k)
      estimate.deviations[entries[k].row] =
          entries[k].positive ? (v10 - estimate.auc) * positive_scale : (v01 - estimate.auc) * negative_scale;
    positives_below += tied_positives;
    negatives_below += tied_negatives;
  }
  return estimate;
}

std::vector<AucEstimate> estimate_aucs(const std::vector<Ranking>& rankings) {
  std::vector<AucEstimate> estimates;
  std::ranges::transform(rankings, std::back_inserter(estimates), estimate_auc);
  return estimates;
}

AucEstimate mean_auc(const std::vector<AucEstimate>& estimates) {
  AucEstimate mean{0, {}, std::numeric_limits<std::uint64_t>::max()};
  double defined = 0;
  for (const AucEstimate& estimate : estimates) defined += std::isnan(estimate.auc) ? 0 : 1;
  for (const AucEstimate& estimate : estimates) {
    if (mean.deviations.empty()) mean.deviations.assign(estimate.deviations.size(), 0.0);
    require_same_rows(mean, estimate);
    if (std::isnan(estimate.auc)) continue;
    mean.auc += estimate.auc / defined;
    mean.pairs = std::min(mean.pairs, estimate.pairs);
    for (std::size_t i = 0; i < mean.deviations.size(); ++i) mean.deviations[i] += estimate.deviations[i] / defined;
  }
  if (defined == 0) return {undefined, mean.deviations, 0};
  return mean;
}

AucEstimate difference(const AucEstimate& first, const AucEstimate& second) {
  require_same_rows(first, second);
  AucEstimate result{first.auc - second.auc, first.deviations, 0};
  for (std::size_t i = 0; i < result.deviations.size(); ++i) result.deviations[i] -= second.deviations[i];
  return result;
}

double covariance(const AucEstimate& first, const AucEstimate& second, const Clusters& clusters) {
  require_same_rows(first, second);
  if (std::isnan(first.auc) || std::isnan(second.auc)) return undefined;
  if (clusters.empty()) return dot(first.deviations, second.deviations);
  const std::vector<double> a = added_within(first.deviations, clusters), b = added_within(second.deviations, clusters);
  const auto count = static_cast<double>(a.size());
  return count < 2 ? undefined : dot(a, b) * count / (count - 1);
}

double standard_error(const AucEstimate& estimate, const Clusters& clusters) {
  return std::sqrt(covariance(estimate, estimate, clusters));
}

Interval auc_interval(const AucEstimate& estimate, const Clusters& clusters, double level) {
  const double error = standard_error(estimate, clusters);
  Interval interval = normal_interval(estimate.auc, error, 0, 1, level);
  // Means of ones may be a rounding away from 1.
  const bool all_right = estimate.auc > 1 - 1e-12, all_wrong = estimate.auc < 1e-12;
  if (error != 0 || !(all_right || all_wrong)) return interval;
  const std::uint64_t rows = largest_cluster(clusters),
                      pairs = std::max<std::uint64_t>(1, rows == 1 ? estimate.pairs : estimate.pairs / (2 * rows));
  const double bound = std::pow((1 - level) / 2, 1 / static_cast<double>(pairs));
  if (all_right) interval.low = bound;
  if (all_wrong) interval.high = 1 - bound;
  return interval;
}

}  // namespace preceptor
