// Groups of rows, and one bootstrap over all of them.
#include "data/metrics/subgroup.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "data/metrics/calibration.h"
#include "data/metrics/decisions.h"
#include "engine/files/check.h"

namespace preceptor {
namespace {

// Per group, in this order, in the bootstrap's statistics.
enum Statistic { auc, sensitivity, false_positive_rate, calibration_error, sensitivity_gap, auc_gap, statistics };

// The findings of one group, prepared for resamples of the whole table.
class GroupRows {
 public:
  GroupRows(const std::vector<Finding>& findings, const std::vector<double>& thresholds, const Group& group)
      : rows_(group.rows), thresholds_(thresholds) {
    for (const Finding& finding : findings) {
      Finding part{finding.name, {}, {}};
      for (const int row : rows_) {
        part.scores.push_back(finding.scores[row]);
        part.labels.push_back(finding.labels[row]);
      }
      rankings_.emplace_back(part);
      parts_.push_back(std::move(part));
    }
  }

  std::uint64_t positives() const {
    std::uint64_t sum = 0;
    for (const Ranking& ranking : rankings_) sum += ranking.positives();
    return sum;
  }

  // The statistics that need no other group.
  std::array<double, statistics> measure(const SampleWeights& times) const {
    SampleWeights own;
    if (!times.empty())
      for (const int row : rows_) own.push_back(times[row]);
    Mean sensitivities, rates, errors;
    for (std::size_t j = 0; j < parts_.size(); ++j) {
      const Confusion counts = confusion_at(parts_[j], thresholds_[j], own);
      if (!std::isnan(thresholds_[j])) {
        sensitivities.add(counts.sensitivity());
        rates.add(counts.false_positive_rate());
      }
      errors.add(expected_calibration_error(reliability(parts_[j], Binning::equal_width, default_bins, own)));
    }
    std::array<double, statistics> values{};
    values[auc] = macro_auc(rankings_, own);
    values[sensitivity] = sensitivities.value();
    values[false_positive_rate] = rates.value();
    values[calibration_error] = errors.value();
    return values;
  }

 private:
  std::vector<int> rows_;
  std::vector<double> thresholds_;
  std::vector<Finding> parts_;
  std::vector<Ranking> rankings_;
};

double median(std::vector<double> values) {
  std::erase_if(values, [](double value) { return std::isnan(value); });
  if (values.empty()) return undefined;
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

// Difference of each value from the other one of two, or from the median of more.
std::vector<double> gaps(const std::vector<double>& values) {
  const double middle = median(values);
  std::vector<double> result;
  for (std::size_t g = 0; g < values.size(); ++g)
    result.push_back(values.size() == 1 ? undefined : values[g] - (values.size() == 2 ? values[1 - g] : middle));
  return result;
}

std::vector<double> measure_all(const std::vector<GroupRows>& groups, const SampleWeights& times) {
  std::vector<std::array<double, statistics>> measured;
  for (const GroupRows& group : groups) measured.push_back(group.measure(times));
  for (const auto& [from, to] : {std::pair{sensitivity, sensitivity_gap}, std::pair{auc, auc_gap}}) {
    std::vector<double> values;
    for (const auto& group : measured) values.push_back(group[from]);
    const std::vector<double> differences = gaps(values);
    for (std::size_t g = 0; g < measured.size(); ++g) measured[g][to] = differences[g];
  }
  std::vector<double> flat;
  for (const auto& group : measured) flat.insert(flat.end(), group.begin(), group.end());
  return flat;
}

// The mean of the statistics of several models.
class Side {
 public:
  Side(const std::vector<Decider>& deciders, const std::vector<Group>& groups) {
    require(!deciders.empty(), "subgroups: no model to compare");
    for (const Decider& decider : deciders) {
      require(!decider.findings.empty() && decider.findings.size() == decider.thresholds.size(),
              "subgroups: ", decider.thresholds.size(), " thresholds for ", decider.findings.size(), " findings");
      models_.emplace_back();
      for (const Group& group : groups) models_.back().emplace_back(decider.findings, decider.thresholds, group);
    }
  }

  std::uint64_t positives(std::size_t group) const { return models_.front()[group].positives(); }

  std::vector<double> measure(const SampleWeights& times) const {
    std::vector<double> mean;
    for (const std::vector<GroupRows>& model : models_) {
      const std::vector<double> values = measure_all(model, times);
      mean.resize(values.size(), 0);
      for (std::size_t i = 0; i < values.size(); ++i) mean[i] += values[i] / static_cast<double>(models_.size());
    }
    return mean;
  }

 private:
  std::vector<std::vector<GroupRows>> models_;  // [models][groups]
};

}  // namespace

std::vector<GroupMetrics> group_metrics(const std::vector<Finding>& findings, const std::vector<double>& thresholds,
                                        const std::vector<Group>& groups, const BootstrapOptions& options) {
  const Side side({{findings, thresholds}}, groups);
  if (groups.empty()) return {};
  const Bootstrap drawn = bootstrap([&](const SampleWeights& times) { return side.measure(times); },
                                    static_cast<int>(findings.front().scores.size()), options);
  std::vector<GroupMetrics> result;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const auto interval = [&](Statistic statistic) { return drawn.percentile(g * statistics + statistic); };
    result.push_back({groups[g].name, static_cast<int>(groups[g].rows.size()), side.positives(g), interval(auc),
                      interval(sensitivity), interval(false_positive_rate), interval(calibration_error),
                      interval(sensitivity_gap), interval(auc_gap)});
  }
  return result;
}

std::vector<GapChange> gap_changes(const std::vector<Decider>& first, const std::vector<Decider>& second,
                                   const std::vector<Group>& groups, const BootstrapOptions& options) {
  if (groups.empty()) return {};
  const Side sides[] = {Side(first, groups), Side(second, groups)};
  const auto rows = static_cast<int>(first.front().findings.front().scores.size());
  // First, second and change, each with the statistics of all groups.
  const std::size_t block = groups.size() * statistics;
  const auto measure = [&](const SampleWeights& times) {
    std::vector<double> values = sides[0].measure(times), others = sides[1].measure(times);
    values.insert(values.end(), others.begin(), others.end());
    for (std::size_t i = 0; i < block; ++i) values.push_back(values[block + i] - values[i]);
    return values;
  };
  const Bootstrap drawn = bootstrap(measure, rows, options);
  std::vector<GapChange> result;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const auto interval = [&](std::size_t part, Statistic statistic) {
      return drawn.percentile(part * block + g * statistics + statistic);
    };
    result.push_back({groups[g].name, static_cast<int>(groups[g].rows.size()), interval(0, auc_gap),
                      interval(1, auc_gap), interval(2, auc_gap), interval(0, sensitivity_gap),
                      interval(1, sensitivity_gap), interval(2, sensitivity_gap)});
  }
  return result;
}

}  // namespace preceptor
