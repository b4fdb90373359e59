// Variances and covariances of AUCs without resampling (DeLong, DeLong, Clarke-Pearson 1988) in O(n log n).
#pragma once

#include "data/metrics/interval.h"
#include "data/metrics/ranking.h"

namespace preceptor {

// An AUC with what each row adds to its deviation from the truth. Sums of products of deviations are DeLong's variances
// and covariances: for positives (V10 - auc) / sqrt(m (m - 1)), for negatives (V01 - auc) / sqrt(n (n - 1)), 0 for
// unknown rows. Deviations of one set of rows add up: means and differences of AUCs are estimates of the same kind.
struct AucEstimate {
  double auc = 0;                  // NaN where undefined; then the deviations are 0
  std::vector<double> deviations;  // [rows]
  std::uint64_t pairs = 0;  // disjoint pairs of a positive and a negative row that there are; of a mean the least
};

// V10 and V01 from mid-ranks (Sun and Xu 2014), counted in whole numbers, so exact at any number of rows.
// With a single positive or negative the deviations of that class are NaN.
AucEstimate estimate_auc(const Ranking& ranking);

// The mean of the defined ones; NaN and no deviations if there is none.
AucEstimate mean_auc(const std::vector<AucEstimate>& estimates);
// first - second, of the same rows: the pairing is in the deviations.
AucEstimate difference(const AucEstimate& first, const AucEstimate& second);

// The patient, or any other unit, of each row: rows of one unit may depend on each other. Empty: every row by itself.
using Units = std::vector<std::int32_t>;  // [rows], from 0

double covariance(const AucEstimate& first, const AucEstimate& second, const Units& units = {});
// Deviations are added within units before they are squared (Obuchowski 1997; with C / (C - 1) for C units).
double standard_error(const AucEstimate& estimate, const Units& units = {});

// Normal interval within [0, 1]; too narrow near AUC 1 and with few positives, where the bootstrap's BCa is better.
// Where all pairs are in order (AUC 1) or none is, no variance is seen, and the bound is another: with a true AUC A, k
// pairs of a positive and a negative that share no row are all in order with the chance A^k, so an A below
// ((1 - level) / 2)^(1 / k) would give AUC 1 with a chance of less than (1 - level) / 2. k = pairs; of units with up to
// c > 1 rows each, pairs / (2 c) but at least 1, which finds that many pairs of as many units. It never covers less
// often than the level says, and mostly more.
Interval auc_interval(const AucEstimate& estimate, const Units& units = {}, double level = 0.95);

}  // namespace preceptor
