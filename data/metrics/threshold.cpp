// Counts of decisions, and the choice of thresholds from one walk over the ranked scores.
#include "data/metrics/threshold.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "data/metrics/ranking.h"
#include "engine/files/check.h"
#include "engine/files/numbers.h"

namespace preceptor {
namespace {

constexpr double undefined = std::numeric_limits<double>::quiet_NaN();

double ratio(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? undefined : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

double Confusion::sensitivity() const { return ratio(true_positives, true_positives + false_negatives); }
double Confusion::specificity() const { return ratio(true_negatives, true_negatives + false_positives); }
double Confusion::false_positive_rate() const { return ratio(false_positives, true_negatives + false_positives); }
double Confusion::ppv() const { return ratio(true_positives, true_positives + false_positives); }
double Confusion::npv() const { return ratio(true_negatives, true_negatives + false_negatives); }
double Confusion::f1() const {
  return ratio(2 * true_positives, 2 * true_positives + false_positives + false_negatives);
}
double Confusion::accuracy() const { return ratio(true_positives + true_negatives, known()); }
double Confusion::balanced_accuracy() const { return (sensitivity() + specificity()) / 2; }
double Confusion::youden() const { return sensitivity() + specificity() - 1; }

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
  using Kind = ThresholdRule::Kind;
  if (text == "f1") return {Kind::max_f1, 0};
  if (text == "youden") return {Kind::youden, 0};
  for (const auto& [prefix, kind] :
       {std::pair{"sensitivity=", Kind::sensitivity}, std::pair{"specificity=", Kind::specificity}}) {
    if (!text.starts_with(prefix)) continue;
    const std::optional<double> target = parse_number(std::string_view(text).substr(std::string_view(prefix).size()));
    if (target && *target > 0 && *target <= 1) return {kind, *target};
  }
  fail(ErrorKind::usage, "'", text,
       "' is no rule for thresholds; valid are f1, youden, sensitivity=X and specificity=X with X above 0, at most 1");
}

std::string to_string(const ThresholdRule& rule) {
  switch (rule.kind) {
    case ThresholdRule::Kind::max_f1:
      return "f1";
    case ThresholdRule::Kind::youden:
      return "youden";
    case ThresholdRule::Kind::sensitivity:
      return "sensitivity=" + number_text(rule.target);
    case ThresholdRule::Kind::specificity:
      return "specificity=" + number_text(rule.target);
  }
  return "";
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
    // Whole numbers again: rounding in the rates must not decide between equals.
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

}  // namespace preceptor
