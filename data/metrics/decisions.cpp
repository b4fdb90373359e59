// Counts decisions, and chooses thresholds in one walk over the ranked scores.
#include "data/metrics/decisions.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "data/metrics/ranking.h"
#include "engine/files/check.h"
#include "engine/files/numbers.h"

namespace preceptor {
namespace {

// In the order of ThresholdRule::Kind; a target follows '='.
constexpr std::array<std::string_view, 4> rule_names = {"f1", "youden", "sensitivity=", "specificity="};

}  // namespace

Confusion confusion_at(const Finding& finding, double threshold, const SampleWeights& times) {
  check(finding);
  Confusion counts;
  for (std::size_t i = 0; i < finding.scores.size(); ++i) {
    if (std::isnan(finding.labels[i])) continue;
    const bool called = finding.scores[i] >= threshold;
    std::uint64_t& cell = finding.labels[i] > 0.5f ? (called ? counts.true_positives : counts.false_negatives)
                                                   : (called ? counts.false_positives : counts.true_negatives);
    cell += times_of(times, i);
  }
  return counts;
}

ThresholdRule parse_threshold_rule(const std::string& text) {
  for (std::size_t i = 0; i < rule_names.size(); ++i) {
    const auto kind = static_cast<ThresholdRule::Kind>(i);
    if (!rule_names[i].ends_with('=')) {
      if (text == rule_names[i]) return {kind, 0};
    } else if (text.starts_with(rule_names[i])) {
      const std::optional<double> target = parse_number(std::string_view(text).substr(rule_names[i].size()));
      if (target && *target > 0 && *target <= 1) return {kind, *target};
    }
  }
  fail(ErrorKind::usage, "'", text,
       "' is not a threshold rule; valid are f1, youden, sensitivity=X and specificity=X with X above 0, at most 1");
}

std::string to_string(const ThresholdRule& rule) {
  const std::string name(rule_names[static_cast<std::size_t>(rule.kind)]);
  return name.ends_with('=') ? name + number_text(rule.target) : name;
}

double choose_threshold(const Finding& finding, const ThresholdRule& rule) {
  const Ranking ranking(finding);
  const auto positives = static_cast<double>(ranking.positives()), negatives = static_cast<double>(ranking.negatives());
  if (ranking.positives() == 0 || ranking.negatives() == 0) return undefined;
  const std::vector<RocPoint> points = ranking.roc();
  // Nothing is called positive just above the highest score.
  double best = std::nextafter(points[1].threshold, std::numeric_limits<double>::infinity());
  double best_value = 0;
  for (std::size_t k = 1; k < points.size(); ++k) {
    const RocPoint& point = points[k];
    // Back to whole numbers: rounding in the rates must not decide between equals.
    const double hits = std::round(point.sensitivity * positives);
    const double alarms = std::round(point.false_positive_rate * negatives);
    double value = 0;
    switch (rule.kind) {
      case ThresholdRule::Kind::max_f1:
        value = 2 * hits / (positives + hits + alarms);
        break;
      case ThresholdRule::Kind::youden:
        value = hits * negatives - alarms * positives;
        break;
      case ThresholdRule::Kind::sensitivity:
        if (hits / positives >= rule.target) return point.threshold;
        continue;
      case ThresholdRule::Kind::specificity:
        if ((negatives - alarms) / negatives < rule.target) return best;
        best = point.threshold;
        continue;
    }
    if (value <= best_value) continue;
    best_value = value;
    best = point.threshold;
  }
  return best;
}

std::vector<int> most_probable(const std::vector<double>& probabilities, int outputs) {
  require(outputs > 0 && probabilities.size() % outputs == 0, "metrics: ", probabilities.size(), " probabilities for ",
          outputs, " classes");
  std::vector<int> chosen;
  for (auto row = probabilities.begin(); row != probabilities.end(); row += outputs)
    chosen.push_back(static_cast<int>(std::max_element(row, row + outputs) - row));
  return chosen;
}

ClassConfusion::ClassConfusion(int classes, const std::vector<int>& predicted, const std::vector<float>& labels,
                               const SampleWeights& times)
    : classes_(classes) {
  require(classes >= 1 && predicted.size() == labels.size(), "metrics: ", predicted.size(), " predictions and ",
          labels.size(), " labels of ", classes, " classes");
  counts_.assign(static_cast<std::size_t>(classes) * classes, 0);
  check_classes(labels, classes);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    require(predicted[i] >= 0 && predicted[i] < classes, "metrics: prediction ", predicted[i], " of row ", i,
            " is not a class from 0 to ", classes - 1);
    counts_[static_cast<std::size_t>(labels[i]) * classes + predicted[i]] += times_of(times, i);
  }
}

double ClassConfusion::accuracy() const {
  std::uint64_t right = 0, all = 0;
  for (int i = 0; i < classes_; ++i) {
    right += count(i, i);
    for (int j = 0; j < classes_; ++j) all += count(i, j);
  }
  return all == 0 ? undefined : static_cast<double>(right) / static_cast<double>(all);
}

double ClassConfusion::balanced_accuracy() const {
  Mean recall;
  for (int i = 0; i < classes_; ++i) {
    std::uint64_t row = 0;
    for (int j = 0; j < classes_; ++j) row += count(i, j);
    if (row > 0) recall.add(static_cast<double>(count(i, i)) / static_cast<double>(row));
  }
  return recall.value();
}

double ClassConfusion::mean_absolute_error() const {
  Mean error;
  for (int i = 0; i < classes_; ++i)
    for (int j = 0; j < classes_; ++j) error.add(std::abs(i - j), static_cast<double>(count(i, j)));
  return error.value();
}

double ClassConfusion::quadratic_weighted_kappa() const {
  std::vector<double> truth(classes_, 0), predicted(truth);
  double all = 0, observed = 0, expected = 0;
  for (int i = 0; i < classes_; ++i) {
    for (int j = 0; j < classes_; ++j) {
      const auto cell = static_cast<double>(count(i, j));
      truth[i] += cell;
      predicted[j] += cell;
      all += cell;
      observed += cell * (i - j) * (i - j);
    }
  }
  for (int i = 0; i < classes_; ++i)
    for (int j = 0; j < classes_; ++j) expected += truth[i] * predicted[j] * (i - j) * (i - j);
  return expected > 0 ? 1 - observed * all / expected : undefined;
}

}  // namespace preceptor
