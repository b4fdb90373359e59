// Resamples as counts of rows, drawn from one random stream each.
#include "data/metrics/bootstrap.h"

#include <algorithm>
#include <cmath>

#include "data/parallel.h"
#include "data/random.h"
#include "engine/files/check.h"

namespace preceptor {
namespace {

constexpr int jackknife_groups = 200;

// The rows of every cluster, and the clusters of every stratum.
struct Drawing {
  std::vector<std::vector<std::int32_t>> rows;    // [clusters]
  std::vector<std::vector<std::int32_t>> strata;  // [strata] clusters
};

void require_numbers(const Clusters& numbers, int rows, const char* what) {
  require(numbers.empty() || numbers.size() == static_cast<std::size_t>(rows), "bootstrap: ", numbers.size(), " ", what,
          " for ", rows, " rows");
  for (const std::int32_t number : numbers)
    require(number >= 0 && number < rows, "bootstrap: number ", number, " among the ", what, " of ", rows, " rows");
}

// Puts an item into the group of this number.
void put(std::vector<std::vector<std::int32_t>>& groups, std::int32_t number, std::int32_t item) {
  if (groups.size() <= static_cast<std::size_t>(number)) groups.resize(static_cast<std::size_t>(number) + 1);
  groups[number].push_back(item);
}

Drawing plan(int rows, const BootstrapOptions& options) {
  require_numbers(options.clusters, rows, "clusters");
  require_numbers(options.strata, rows, "strata");
  Drawing drawing;
  for (std::int32_t row = 0; row < rows; ++row)
    put(drawing.rows, options.clusters.empty() ? row : options.clusters[row], row);
  std::erase_if(drawing.rows, [](const auto& cluster) { return cluster.empty(); });
  const auto stratum_of = [&](std::int32_t row) { return options.strata.empty() ? 0 : options.strata[row]; };
  for (std::size_t cluster = 0; cluster < drawing.rows.size(); ++cluster) {
    const std::int32_t first = drawing.rows[cluster].front();
    for (const std::int32_t row : drawing.rows[cluster])
      require(stratum_of(row) == stratum_of(first), "bootstrap: rows ", first, " and ", row,
              " are of one cluster, but of two strata");
    put(drawing.strata, stratum_of(first), static_cast<std::int32_t>(cluster));
  }
  return drawing;
}

SampleWeights draw(const Drawing& drawing, int rows, RandomStream random) {
  SampleWeights times(static_cast<std::size_t>(rows), 0);
  for (const std::vector<std::int32_t>& stratum : drawing.strata)
    for (std::size_t k = 0; k < stratum.size(); ++k) {
      const std::int32_t cluster = stratum[random.below(static_cast<std::uint32_t>(stratum.size()))];
      for (const std::int32_t row : drawing.rows[cluster]) ++times[row];
    }
  return times;
}

// Efron's a: a sixth of the skewness of the clusters' influence over the root of their number. Groups of g clusters
// have a skewness smaller by the root of g and a number smaller by g, so a does not depend on the grouping.
std::vector<double> jackknife(const Statistics& statistics, int rows, const Drawing& drawing,
                              const BootstrapOptions& options, std::size_t count) {
  const int clusters = static_cast<int>(drawing.rows.size()), groups = std::min(clusters, jackknife_groups);
  const std::vector<std::int32_t> order = permutation(clusters, RandomStream(options.seed, -1));
  std::vector<std::vector<double>> without(groups);
  parallel_for(groups, options.threads, [&](int g) {
    SampleWeights times(static_cast<std::size_t>(rows), 1);
    for (int u = g; u < clusters; u += groups)
      for (const std::int32_t row : drawing.rows[order[u]]) times[row] = 0;
    without[g] = statistics(times);
  });
  std::vector<double> accelerations(count, 0.0);
  for (std::size_t s = 0; s < count; ++s) {
    double mean = 0, squares = 0, cubes = 0, defined = 0;
    for (const auto& values : without) defined += std::isnan(values[s]) ? 0 : 1;
    for (const auto& values : without) mean += std::isnan(values[s]) ? 0 : values[s] / defined;
    for (const auto& values : without) {
      if (std::isnan(values[s])) continue;
      squares += (mean - values[s]) * (mean - values[s]);
      cubes += (mean - values[s]) * (mean - values[s]) * (mean - values[s]);
    }
    if (squares > 0) accelerations[s] = cubes / (6 * std::pow(squares, 1.5));
  }
  return accelerations;
}

std::vector<double> sorted_defined(std::vector<double> values) {
  std::erase_if(values, [](double value) { return std::isnan(value); });
  std::ranges::sort(values);
  return values;
}

// numpy.percentile's linear rule.
double quantile(const std::vector<double>& sorted, double fraction) {
  const double position = fraction * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (position - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

}  // namespace

void require_resamples(int resamples) {
  require(resamples == 0 || (resamples >= fewest_resamples && resamples <= most_resamples), "--bootstrap ", resamples,
          ": must be 0, for no intervals, or from ", fewest_resamples, " to ", most_resamples);
}

int Bootstrap::undefined_samples(std::size_t statistic) const {
  const std::vector<double>& values = samples.at(statistic);
  return static_cast<int>(std::count_if(values.begin(), values.end(), [](double value) { return std::isnan(value); }));
}

Interval Bootstrap::percentile(std::size_t statistic, double level) const {
  const std::vector<double> sorted = sorted_defined(samples.at(statistic));
  if (sorted.empty()) return {estimates.at(statistic), undefined, undefined};
  return {estimates.at(statistic), quantile(sorted, (1 - level) / 2), quantile(sorted, (1 + level) / 2)};
}

Interval Bootstrap::bca(std::size_t statistic, double level) const {
  const std::vector<double> sorted = sorted_defined(samples.at(statistic));
  const double estimate = estimates.at(statistic);
  // Samples equal to the estimate count one half: otherwise ties, common for accuracies, would bias to one side.
  const auto [low, high] = std::equal_range(sorted.begin(), sorted.end(), estimate);
  const double below = (static_cast<double>(low - sorted.begin()) + static_cast<double>(high - low) / 2) /
                       static_cast<double>(std::max<std::size_t>(sorted.size(), 1));
  if (!(below > 0 && below < 1) || sorted.front() == sorted.back()) return percentile(statistic, level);
  const double bias = normal_quantile(below), acceleration = accelerations.empty() ? 0 : accelerations.at(statistic);
  const auto bound = [&](double fraction) {
    const double z = bias + normal_quantile(fraction);
    return quantile(sorted, normal_below(bias + z / (1 - acceleration * z)));
  };
  return {estimate, bound((1 - level) / 2), bound((1 + level) / 2)};
}

double Bootstrap::p_of_zero(std::size_t statistic) const {
  double below = 1, above = 1, all = 1;
  for (const double value : samples.at(statistic)) {
    if (std::isnan(value)) continue;
    below += value <= 0 ? 1 : 0;
    above += value >= 0 ? 1 : 0;
    ++all;
  }
  return all == 1 ? undefined : std::min(1.0, 2 * std::min(below, above) / all);
}

Bootstrap bootstrap(const Statistics& statistics, int rows, const BootstrapOptions& options, bool accelerate) {
  require(rows > 0 && options.resamples >= 0, "bootstrap: ", options.resamples, " resamples of ", rows, " rows");
  const Drawing drawing = plan(rows, options);
  Bootstrap result;
  result.estimates = statistics({});
  const std::size_t count = result.estimates.size();
  result.samples.assign(count, std::vector<double>(options.resamples));
  parallel_for(options.resamples, options.threads, [&](int r) {
    const std::vector<double> values = statistics(draw(drawing, rows, RandomStream(options.seed, r)));
    require(values.size() == count, "bootstrap: ", values.size(), " statistics of a resample, ", count, " of the rows");
    for (std::size_t s = 0; s < count; ++s) result.samples[s][r] = values[s];
  });
  if (accelerate) result.accelerations = jackknife(statistics, rows, drawing, options, count);
  return result;
}

}  // namespace preceptor
