// Variances and covariances of AUCs without resampling (DeLong, DeLong, Clarke-Pearson 1988) in O(n log n).
#pragma once

#include "data/metrics/interval.h"
#include "data/metrics/ranking.h"

namespace preceptor {

// An AUC with each row's contribution to its deviation from the true value. Sums of products of deviations are DeLong's
// variances and covariances: for positives (V10 - auc) / sqrt(m (m - 1)), for negatives (V01 - auc) / sqrt(n (n - 1)),
// 0 for unknown rows. Deviations of the same rows add up: means and differences of AUCs are estimates of the same kind.
struct AucEstimate {
  double auc = 0;                  // NaN if undefined; then the deviations are 0
  std::vector<double> deviations;  // [rows]
  std::uint64_t pairs = 0;         // number of disjoint pairs of a positive and a negative row; smallest for a mean
};

// V10 and V01 from mid-ranks (Sun and Xu 2014), counted in whole numbers, so exact at any number of rows.
// With a single positive or negative the deviations of that class are NaN.
AucEstimate estimate_auc(const Ranking& ranking);

std::vector<AucEstimate> estimate_aucs(const std::vector<Ranking>& rankings);

// The mean of the defined ones; NaN and no deviations if there is none.
AucEstimate mean_auc(const std::vector<AucEstimate>& estimates);
// first - second, of the same rows: the pairing is in the deviations.
AucEstimate difference(const AucEstimate& first, const AucEstimate& second);

// The patient, or any other cluster, of each row: rows of one cluster may depend on each other. Empty: no clusters.
using Clusters = std::vector<std::int32_t>;  // [rows], from 0

double covariance(const AucEstimate& first, const AucEstimate& second, const Clusters& clusters = {});
// Adds deviations within clusters before they are squared (Obuchowski 1997; with C / (C - 1) for C clusters).
double standard_error(const AucEstimate& estimate, const Clusters& clusters = {});

// Normal interval within [0, 1]; too narrow near AUC 1 and with few positives, where the bootstrap's BCa is better.
// If all pairs are in order (AUC 1) or none is, the observed variance is 0 and another bound applies: with a true AUC
// A, k disjoint pairs of a positive and a negative row are all in order with probability A^k, so an A below
// ((1 - level) / 2)^(1 / k) gives AUC 1 with a probability below (1 - level) / 2. k = pairs; for clusters of up to c >
// 1 rows, pairs / (2 c) but at least 1, which guarantees that many pairs of distinct clusters. It never covers less
// often than the level, and mostly more.
Interval auc_interval(const AucEstimate& estimate, const Clusters& clusters = {}, double level = 0.95);

}  // namespace preceptor
