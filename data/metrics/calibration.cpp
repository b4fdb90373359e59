// Proper scores and reliability bins.
#include "data/metrics/calibration.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "data/metrics/decisions.h"
#include "data/metrics/interval.h"
#include "engine/files/check.h"

namespace preceptor {
namespace {

constexpr double smallest = 0x1p-52;

// Weighted mean of loss(row) over the rows.
template <class Loss>
double mean_loss(std::size_t rows, const SampleWeights& times, const Loss& loss) {
  Mean mean;
  for (std::size_t i = 0; i < rows; ++i) mean.add(loss(i), static_cast<double>(times_of(times, i)));
  return mean.value();
}

std::size_t class_rows(const std::vector<double>& probabilities, const std::vector<float>& labels, int outputs) {
  require(outputs > 0 && labels.size() * outputs == probabilities.size(), "metrics: ", probabilities.size(),
          " probabilities for ", labels.size(), " labels of ", outputs, " classes");
  check_classes(labels, outputs);
  return labels.size();
}

// Means from the sums that a bin has gathered; NaN if it is empty.
void finish(ReliabilityBin& bin) {
  const double count = bin.count == 0 ? undefined : static_cast<double>(bin.count);
  bin.mean_probability /= count;
  bin.positive_share /= count;
}

std::vector<ReliabilityBin> equal_width_bins(const Finding& finding, int bins, const SampleWeights& times) {
  std::vector<ReliabilityBin> result;
  for (int b = 0; b < bins; ++b) result.push_back({static_cast<double>(b) / bins, static_cast<double>(b + 1) / bins});
  for (std::size_t i = 0; i < finding.scores.size(); ++i) {
    if (std::isnan(finding.labels[i])) continue;
    const std::uint64_t weight = times_of(times, i);
    ReliabilityBin& bin = result[std::clamp(static_cast<int>(std::ceil(finding.scores[i] * bins)) - 1, 0, bins - 1)];
    bin.mean_probability += static_cast<double>(weight) * finding.scores[i];
    bin.count += weight;
    bin.positive_share += finding.labels[i] > 0.5f ? static_cast<double>(weight) : 0;
  }
  std::ranges::for_each(result, finish);
  return result;
}

std::vector<ReliabilityBin> equal_count_bins(const Finding& finding, int bins, const SampleWeights& times) {
  std::vector<std::size_t> order;
  std::uint64_t known = 0;
  for (std::size_t i = 0; i < finding.scores.size(); ++i) {
    if (std::isnan(finding.labels[i]) || times_of(times, i) == 0) continue;
    order.push_back(i);
    known += times_of(times, i);
  }
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return finding.scores[a] < finding.scores[b]; });
  std::vector<ReliabilityBin> result;
  std::uint64_t before = 0, bin = 0;
  for (std::size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    std::uint64_t tied = 0, positives = 0;
    for (end = begin; end < order.size() && finding.scores[order[end]] == finding.scores[order[begin]]; ++end) {
      const std::uint64_t weight = times_of(times, order[end]);
      tied += weight;
      positives += finding.labels[order[end]] > 0.5f ? weight : 0;
    }
    const double score = finding.scores[order[begin]];
    // The bin of the middle of the tied rows: (before + count / 2) * bins / known, in whole numbers.
    const std::uint64_t here = (2 * before + tied) * static_cast<std::uint64_t>(bins) / (2 * known);
    if (result.empty() || here != bin) result.push_back({result.empty() ? 0 : result.back().high, score});
    bin = here;
    ReliabilityBin& last = result.back();
    last.high = score;
    last.mean_probability += static_cast<double>(tied) * score;
    last.count += tied;
    last.positive_share += static_cast<double>(positives);
    before += tied;
  }
  std::ranges::for_each(result, finish);
  return result;
}

}  // namespace

double brier_score(const Finding& finding, const SampleWeights& times) {
  check_probabilities(finding);
  return mean_loss(finding.scores.size(), times, [&](std::size_t i) {
    const double label = std::isnan(finding.labels[i]) ? undefined : finding.labels[i] > 0.5f ? 1 : 0;
    return (finding.scores[i] - label) * (finding.scores[i] - label);
  });
}

double log_loss(const Finding& finding, const SampleWeights& times) {
  check_probabilities(finding);
  return mean_loss(finding.scores.size(), times, [&](std::size_t i) {
    if (std::isnan(finding.labels[i])) return undefined;
    const double p = std::clamp(finding.scores[i], smallest, 1 - smallest);
    return finding.labels[i] > 0.5f ? -std::log(p) : -std::log1p(-p);
  });
}

double class_brier_score(const std::vector<double>& probabilities, const std::vector<float>& labels, int outputs) {
  return mean_loss(class_rows(probabilities, labels, outputs), {}, [&](std::size_t i) {
    double sum = 0;
    for (int j = 0; j < outputs; ++j) {
      const double miss = probabilities[i * outputs + j] - (labels[i] == static_cast<float>(j) ? 1 : 0);
      sum += miss * miss;
    }
    return sum;
  });
}

double class_log_loss(const std::vector<double>& probabilities, const std::vector<float>& labels, int outputs) {
  return mean_loss(class_rows(probabilities, labels, outputs), {}, [&](std::size_t i) {
    const std::size_t at = i * outputs + static_cast<std::size_t>(labels[i]);
    return -std::log(std::clamp(probabilities[at], smallest, 1 - smallest));
  });
}

std::vector<ReliabilityBin> reliability(const Finding& finding, Binning binning, int bins, const SampleWeights& times) {
  check_probabilities(finding);
  require(bins >= 1, "metrics: ", bins, " bins");
  return binning == Binning::equal_width ? equal_width_bins(finding, bins, times)
                                         : equal_count_bins(finding, bins, times);
}

double expected_calibration_error(const std::vector<ReliabilityBin>& bins) {
  Mean mean;
  for (const ReliabilityBin& bin : bins)
    mean.add(std::abs(bin.positive_share - bin.mean_probability), static_cast<double>(bin.count));
  return mean.value();
}

double maximum_calibration_error(const std::vector<ReliabilityBin>& bins) {
  double highest = undefined;
  // Comparing this way round replaces the NaN by the first bin's error.
  for (const ReliabilityBin& bin : bins)
    if (const double error = std::abs(bin.positive_share - bin.mean_probability); bin.count > 0 && !(highest >= error))
      highest = error;
  return highest;
}

Finding top_class(const std::vector<double>& probabilities, const std::vector<float>& labels, int outputs) {
  const std::size_t rows = class_rows(probabilities, labels, outputs);
  const std::vector<int> chosen = most_probable(probabilities, outputs);
  Finding finding{"most probable class", {}, {}};
  for (std::size_t i = 0; i < rows; ++i) {
    finding.scores.push_back(probabilities[i * outputs + chosen[i]]);
    finding.labels.push_back(static_cast<float>(chosen[i]) == labels[i] ? 1.0f : 0.0f);
  }
  return finding;
}

}  // namespace preceptor
