// Resamples as counts of rows, drawn from one random stream each.
#include "data/metrics/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "data/metrics/distributions.h"
#include "data/parallel.h"
#include "data/random.h"
#include "engine/files/check.h"

namespace preceptor {
namespace {

constexpr double undefined = std::numeric_limits<double>::quiet_NaN();
constexpr int jackknife_groups = 200;

// The rows of every unit, and the units of every stratum.
struct Drawing {
  std::vector<std::vector<std::int32_t>> rows;    // [units]
  std::vector<std::vector<std::int32_t>> strata;  // [strata] units
};

void require_numbers(const Units& numbers, int rows, const char* what) {
  require(numbers.empty() || numbers.size() == static_cast<std::size_t>(rows), "bootstrap: ", numbers.size(), " ", what,
          " for ", rows, " rows");
  for (const std::int32_t number : numbers)
    require(number >= 0 && number < rows, "bootstrap: number ", number, " among the ", what, " of ", rows, " rows");
}

Drawing plan(int rows, const BootstrapOptions& options) {
  require_numbers(options.units, rows, "units");
  require_numbers(options.strata, rows, "strata");
  Drawing drawing;
  for (std::int32_t row = 0; row < rows; ++row) {
    const auto unit = static_cast<std::size_t>(options.units.empty() ? row : options.units[row]);
    if (drawing.rows.size() <= unit) drawing.rows.resize(unit + 1);
    drawing.rows[unit].push_back(row);
  }
  std::erase_if(drawing.rows, [](const auto& unit) { return unit.empty(); });
  for (std::size_t unit = 0; unit < drawing.rows.size(); ++unit) {
    const auto stratum_of = [&](std::int32_t row) {
      return static_cast<std::size_t>(options.strata.empty() ? 0 : options.strata[row]);
    };
    const std::size_t stratum = stratum_of(drawing.rows[unit].front());
    for (const std::int32_t row : drawing.rows[unit])
      require(stratum_of(row) == stratum, "bootstrap: rows ", drawing.rows[unit].front(), " and ", row,
              " are of one unit, but of two strata");
    if (drawing.strata.size() <= stratum) drawing.strata.resize(stratum + 1);
    drawing.strata[stratum].push_back(static_cast<std::int32_t>(unit));
  }
  return drawing;
}

SampleWeights draw(const Drawing& drawing, int rows, RandomStream random) {
  SampleWeights times(static_cast<std::size_t>(rows), 0);
  for (const std::vector<std::int32_t>& stratum : drawing.strata) {
    for (std::size_t k = 0; k < stratum.size(); ++k) {
      const auto unit = static_cast<std::size_t>(stratum[random.below(static_cast<std::uint32_t>(stratum.size()))]);
      for (const std::int32_t row : drawing.rows[unit]) ++times[static_cast<std::size_t>(row)];
    }
  }
  return times;
}

// Efron's a: the skewness of the influence of units, a sixth of it over their root. Groups of g units have influences
// whose skewness is smaller by the root of g and whose number is smaller by g, so a does not depend on the grouping.
std::vector<double> jackknife(const Statistics& statistics, int rows, const Drawing& drawing,
                              const BootstrapOptions& options, std::size_t count) {
  const int units = static_cast<int>(drawing.rows.size()), groups = std::min(units, jackknife_groups);
  const std::vector<std::int32_t> order = permutation(units, RandomStream(options.seed, -1));
  std::vector<std::vector<double>> without(static_cast<std::size_t>(groups));
  parallel_for(groups, options.threads, [&](int g) {
    SampleWeights times(static_cast<std::size_t>(rows), 1);
    for (int u = g; u < units; u += groups)
      for (const std::int32_t row : drawing.rows[static_cast<std::size_t>(order[static_cast<std::size_t>(u)])])
        times[static_cast<std::size_t>(row)] = 0;
    without[static_cast<std::size_t>(g)] = statistics(times);
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

std::vector<double> sorted_defined(const std::vector<double>& values) {
  std::vector<double> sorted;
  for (const double value : values)
    if (!std::isnan(value)) sorted.push_back(value);
  std::sort(sorted.begin(), sorted.end());
  return sorted;
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
  // Samples equal to the estimate count one half: with ties, as of accuracies, the bias would else be one-sided.
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
  result.samples.assign(count, std::vector<double>(static_cast<std::size_t>(options.resamples)));
  parallel_for(options.resamples, options.threads, [&](int r) {
    const std::vector<double> values = statistics(draw(drawing, rows, RandomStream(options.seed, r)));
    require(values.size() == count, "bootstrap: ", values.size(), " statistics of a resample, ", count, " of the rows");
    for (std::size_t s = 0; s < count; ++s) result.samples[s][static_cast<std::size_t>(r)] = values[s];
  });
  if (accelerate) result.accelerations = jackknife(statistics, rows, drawing, options, count);
  return result;
}

}  // namespace preceptor
