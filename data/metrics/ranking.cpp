// Sorts once; then every curve and area is a walk over runs of equal scores.
#include "data/metrics/ranking.h"

#include <algorithm>
#include <cmath>

#include "data/metrics/interval.h"
#include "engine/files/check.h"

namespace preceptor {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// Counts of rows, exact far beyond any table.
struct Totals {
  double positives = 0, negatives = 0;
};

Totals totals(const std::vector<Ranking::Entry>& entries, const SampleWeights& times) {
  Totals sum;
  for (const Ranking::Entry& entry : entries)
    (entry.positive ? sum.positives : sum.negatives) += static_cast<double>(times_of(times, entry.row));
  return sum;
}

// Calls visit(score, true positives, false positives) for every distinct score from the highest down, counting the rows
// of at least this score; skips scores that no row of the resample has.
template <class Visit>
void walk_down(const std::vector<Ranking::Entry>& entries, const SampleWeights& times, const Visit& visit) {
  Totals called;
  bool any = false;
  for (std::size_t k = entries.size(); k-- > 0;) {
    const auto weight = static_cast<double>(times_of(times, entries[k].row));
    (entries[k].positive ? called.positives : called.negatives) += weight;
    any |= weight > 0;
    if (k > 0 && !entries[k - 1].ends_tie) continue;
    if (any) visit(entries[k].score, called.positives, called.negatives);
    any = false;
  }
}

}  // namespace

Ranking::Ranking(const Finding& finding) : rows_(finding.scores.size()) {
  check(finding);
  entries_.reserve(rows_);
  for (std::size_t i = 0; i < rows_; ++i)
    if (!std::isnan(finding.labels[i]))
      entries_.push_back({finding.scores[i], static_cast<std::int32_t>(i), finding.labels[i] > 0.5f, true});
  sort();
}

Ranking Ranking::pooled(const std::vector<Finding>& findings) {
  Ranking ranking;
  for (const Finding& finding : findings) {
    const Ranking one(finding);
    require(ranking.entries_.empty() || ranking.rows_ == one.rows_, "metrics: '", finding.name, "' has ", one.rows_,
            " rows, the findings before it ", ranking.rows_);
    ranking.rows_ = one.rows_;
    ranking.entries_.insert(ranking.entries_.end(), one.entries_.begin(), one.entries_.end());
  }
  ranking.sort();
  return ranking;
}

void Ranking::sort() {
  std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) { return a.score < b.score; });
  positives_ = 0;
  for (std::size_t k = 0; k < entries_.size(); ++k) {
    entries_[k].ends_tie = k + 1 == entries_.size() || entries_[k].score < entries_[k + 1].score;
    positives_ += entries_[k].positive ? 1 : 0;
  }
}

// Counts pairs twice, so that a tie is 1: below 2^63 for all counts an int can hold.
double Ranking::auc(const SampleWeights& times) const {
  std::uint64_t twice_won = 0, positives = 0, negatives = 0, tied_positives = 0, tied_negatives = 0;
  for (const Entry& entry : entries_) {
    const std::uint64_t weight = times_of(times, entry.row);
    tied_positives += entry.positive ? weight : 0;
    tied_negatives += entry.positive ? 0 : weight;
    if (!entry.ends_tie) continue;
    twice_won += tied_positives * (2 * negatives + tied_negatives);
    positives += tied_positives;
    negatives += tied_negatives;
    tied_positives = tied_negatives = 0;
  }
  if (positives == 0 || negatives == 0) return undefined;
  return static_cast<double>(twice_won) / (2 * static_cast<double>(positives) * static_cast<double>(negatives));
}

double Ranking::average_precision(const SampleWeights& times) const {
  const Totals all = totals(entries_, times);
  if (all.positives == 0) return undefined;
  double sum = 0, before = 0;
  walk_down(entries_, times, [&](double, double hits, double misses) {
    sum += (hits - before) * (hits / (hits + misses));
    before = hits;
  });
  return sum / all.positives;
}

std::vector<RocPoint> Ranking::roc(const SampleWeights& times) const {
  const Totals all = totals(entries_, times);
  if (all.positives == 0 || all.negatives == 0) return {};
  std::vector<RocPoint> points = {{infinity, 0, 0}};
  walk_down(entries_, times, [&](double score, double hits, double misses) {
    points.push_back({score, misses / all.negatives, hits / all.positives});
  });
  return points;
}

std::vector<PrecisionRecallPoint> Ranking::precision_recall(const SampleWeights& times) const {
  const Totals all = totals(entries_, times);
  if (all.positives == 0) return {};
  std::vector<PrecisionRecallPoint> points;
  walk_down(entries_, times, [&](double score, double hits, double misses) {
    points.push_back({score, hits / all.positives, hits / (hits + misses)});
  });
  return points;
}

std::vector<double> Ranking::sensitivity_at(const std::vector<double>& false_positive_rates,
                                            const SampleWeights& times) const {
  const std::vector<RocPoint> points = roc(times);
  std::vector<double> read(false_positive_rates.size(), undefined);
  if (points.empty()) return read;
  std::size_t next = 1;
  for (std::size_t i = 0; i < read.size(); ++i) {
    const double rate = false_positive_rates[i];
    // The last point at or left of the rate; the upper end of a vertical part of the curve.
    while (next + 1 < points.size() && points[next].false_positive_rate <= rate) ++next;
    const RocPoint &left = points[next - 1], &right = points[next];
    const double width = right.false_positive_rate - left.false_positive_rate;
    const double share = width > 0 ? std::clamp((rate - left.false_positive_rate) / width, 0.0, 1.0) : 1.0;
    read[i] = left.sensitivity + share * (right.sensitivity - left.sensitivity);
  }
  return read;
}

std::vector<double> Ranking::precision_at(const std::vector<double>& recalls, const SampleWeights& times) const {
  const std::vector<PrecisionRecallPoint> points = precision_recall(times);
  std::vector<double> read(recalls.size(), undefined);
  if (points.empty()) return read;
  double highest = 0;
  std::size_t from = points.size();
  for (std::size_t i = recalls.size(); i-- > 0;) {
    while (from > 0 && points[from - 1].recall >= recalls[i]) highest = std::max(highest, points[--from].precision);
    read[i] = highest;
  }
  return read;
}

std::vector<Ranking> rank_all(const std::vector<Finding>& findings) { return {findings.begin(), findings.end()}; }

double macro_auc(const std::vector<Ranking>& rankings, const SampleWeights& times) {
  Mean mean;
  for (const Ranking& ranking : rankings) mean.add(ranking.auc(times));
  return mean.value();
}

double macro_average_precision(const std::vector<Ranking>& rankings, const SampleWeights& times) {
  Mean mean;
  for (const Ranking& ranking : rankings) mean.add(ranking.average_precision(times));
  return mean.value();
}

double weighted_auc(const std::vector<Ranking>& rankings, const SampleWeights& times) {
  Mean mean;
  for (const Ranking& ranking : rankings) mean.add(ranking.auc(times), totals(ranking.entries(), times).positives);
  return mean.value();
}

}  // namespace preceptor
