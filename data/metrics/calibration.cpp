// Proper scores and reliability bins.
#include "data/metrics/calibration.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "data/metrics/classes.h"
#include "engine/files/check.h"

namespace preceptor {
namespace {

constexpr double undefined = std::numeric_limits<double>::quiet_NaN();
constexpr double smallest = 0x1p-52;

// Mean of loss(row) over rows by their counts.
template <class Loss>
double mean_loss(std::size_t rows, const SampleWeights& times, const Loss& loss) {
  double sum = 0, known = 0;
  for (std::size_t i = 0; i < rows; ++i) {
    const double one = loss(i);
    if (std::isnan(one)) continue;
    const auto weight = static_cast<double>(times_of(times, i));
    sum += weight * one;
    known += weight;
  }
  return known > 0 ? sum / known : undefined;
}

std::size_t class_rows(const std::vector<double>& probabilities, const std::vector<float>& labels, int outputs) {
  require(outputs > 0 && labels.size() * static_cast<std::size_t>(outputs) == probabilities.size(),
          "metrics: ", probabilities.size(), " probabilities for ", labels.size(), " labels of ", outputs, " classes");
  for (std::size_t i = 0; i < labels.size(); ++i)
    require(labels[i] >= 0 && labels[i] < static_cast<float>(outputs), "metrics: label ", labels[i], " of row ", i,
            " is no class from 0 to ", outputs - 1);
  return labels.size();
}

struct BinSums {
  double probabilities = 0;
  std::uint64_t count = 0, positives = 0;
};

ReliabilityBin finished(double low, double high, const BinSums& sums) {
  const auto count = static_cast<double>(sums.count);
  return {low, high, sums.count, sums.count == 0 ? undefined : sums.probabilities / count,
          sums.count == 0 ? undefined : static_cast<double>(sums.positives) / count};
}

std::vector<ReliabilityBin> equal_width_bins(const Finding& finding, int bins, const SampleWeights& times) {
  std::vector<BinSums> sums(static_cast<std::size_t>(bins));
  for (std::size_t i = 0; i < finding.scores.size(); ++i) {
    if (std::isnan(finding.labels[i])) continue;
    const int bin = std::clamp(static_cast<int>(std::ceil(finding.scores[i] * bins)) - 1, 0, bins - 1);
    const std::uint64_t weight = times_of(times, i);
    BinSums& sum = sums[static_cast<std::size_t>(bin)];
    sum.probabilities += static_cast<double>(weight) * finding.scores[i];
    sum.count += weight;
    sum.positives += finding.labels[i] > 0.5f ? weight : 0;
  }
  std::vector<ReliabilityBin> result;
  for (int b = 0; b < bins; ++b)
    result.push_back(finished(static_cast<double>(b) / bins, static_cast<double>(b + 1) / bins, sums[b]));
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
  BinSums sums;
  double low = 0, high = 0;
  const auto close = [&] {
    if (sums.count > 0) result.push_back(finished(low, high, sums));
    low = high;
    sums = {};
  };
  for (std::size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    BinSums tied;
    for (end = begin; end < order.size() && finding.scores[order[end]] == finding.scores[order[begin]]; ++end) {
      const std::uint64_t weight = times_of(times, order[end]);
      tied.count += weight;
      tied.positives += finding.labels[order[end]] > 0.5f ? weight : 0;
    }
    const double score = finding.scores[order[begin]];
    // The bin of the middle of the tied rows: (before + count / 2) * bins / known, in whole numbers.
    const std::uint64_t here = (2 * before + tied.count) * static_cast<std::uint64_t>(bins) / (2 * known);
    if (here != bin) close();
    bin = here;
    high = score;
    sums.probabilities += static_cast<double>(tied.count) * score;
    sums.count += tied.count;
    sums.positives += tied.positives;
    before += tied.count;
  }
  close();
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

double class_brier_score(const std::vector<double>& probabilities, const std::vector<float>& labels, int outputs,
                         const SampleWeights& times) {
  return mean_loss(class_rows(probabilities, labels, outputs), times, [&](std::size_t i) {
    double sum = 0;
    for (int j = 0; j < outputs; ++j) {
      const double miss = probabilities[i * static_cast<std::size_t>(outputs) + static_cast<std::size_t>(j)] -
                          (labels[i] == static_cast<float>(j) ? 1 : 0);
      sum += miss * miss;
    }
    return sum;
  });
}

double class_log_loss(const std::vector<double>& probabilities, const std::vector<float>& labels, int outputs,
                      const SampleWeights& times) {
  return mean_loss(class_rows(probabilities, labels, outputs), times, [&](std::size_t i) {
    const std::size_t at = i * static_cast<std::size_t>(outputs) + static_cast<std::size_t>(labels[i]);
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
  double sum = 0, rows = 0;
  for (const ReliabilityBin& bin : bins) {
    if (bin.count == 0) continue;
    sum += static_cast<double>(bin.count) * std::abs(bin.positive_share - bin.mean_probability);
    rows += static_cast<double>(bin.count);
  }
  return rows > 0 ? sum / rows : undefined;
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
    finding.scores.push_back(
        probabilities[i * static_cast<std::size_t>(outputs) + static_cast<std::size_t>(chosen[i])]);
    finding.labels.push_back(static_cast<float>(chosen[i]) == labels[i] ? 1.0f : 0.0f);
  }
  return finding;
}

}  // namespace preceptor
