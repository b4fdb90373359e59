// ROC areas by ranks, exact with ties, and their bootstrap intervals.
#include "data/metrics/metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "data/parallel.h"
#include "data/random.h"
#include "engine/check.h"

namespace preceptor {
namespace {

// The images of one label from the lowest score to the highest; sorted once, then every resample is one pass.
struct RankedLabel {
  struct Entry {
    std::int32_t image;
    bool positive;
    bool ends_tie;  // the next score is higher
  };
  std::vector<Entry> entries;

  // score and label of image i; NaN labels are left out.
  template <class Score, class Label>
  RankedLabel(int count, const Score& score, const Label& label) {
    std::vector<std::int32_t> order;
    for (std::int32_t i = 0; i < count; ++i) {
      require(std::isfinite(score(i)), "metrics: the score of image ", i, " is ", score(i));
      if (!std::isnan(label(i))) order.push_back(i);
    }
    std::sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) { return score(a) < score(b); });
    entries.reserve(order.size());
    for (std::size_t k = 0; k < order.size(); ++k) {
      const bool ends = k + 1 == order.size() || score(order[k]) < score(order[k + 1]);
      entries.push_back({order[k], label(order[k]) > 0.5f, ends});
    }
  }

  // Pairs are counted in whole numbers, twice, so that a tie is 1: below 2^63 for all counts an int can hold.
  template <class Times>
  std::optional<double> auc(const Times& times) const {
    std::uint64_t twice_won = 0, positives = 0, negatives = 0, tied_positives = 0, tied_negatives = 0;
    for (const Entry& entry : entries) {
      const std::uint64_t weight = times(entry.image);
      tied_positives += entry.positive ? weight : 0;
      tied_negatives += entry.positive ? 0 : weight;
      if (!entry.ends_tie) continue;
      twice_won += tied_positives * (2 * negatives + tied_negatives);
      positives += tied_positives;
      negatives += tied_negatives;
      tied_positives = tied_negatives = 0;
    }
    if (positives == 0 || negatives == 0) return std::nullopt;
    return static_cast<double>(twice_won) / (2 * static_cast<double>(positives) * static_cast<double>(negatives));
  }
};

template <class Times>
double macro_auc(const std::vector<RankedLabel>& labels, const Times& times) {
  double sum = 0;
  int defined = 0;
  for (const RankedLabel& label : labels) {
    if (const auto value = label.auc(times)) {
      sum += *value;
      ++defined;
    }
  }
  return defined == 0 ? std::numeric_limits<double>::quiet_NaN() : sum / defined;
}

// numpy.percentile's linear rule.
double percentile(const std::vector<double>& sorted, double fraction) {
  const double position = fraction * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (position - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

// Resample r draws from its own stream, so threads cannot change it.
void bootstrap_interval(const std::vector<RankedLabel>& labels, int count, int resamples, std::uint64_t seed,
                        Evaluation& result) {
  std::vector<double> macros(static_cast<std::size_t>(resamples));
  parallel_for(resamples, 0, [&](int r) {
    RandomStream random(seed, r);
    std::vector<std::uint32_t> times(static_cast<std::size_t>(count), 0);
    for (int i = 0; i < count; ++i) ++times[random.below(static_cast<std::uint32_t>(count))];
    macros[r] = macro_auc(labels, [&](std::int32_t image) { return times[image]; });
  });
  std::erase_if(macros, [](double value) { return std::isnan(value); });
  if (macros.empty()) return;
  std::sort(macros.begin(), macros.end());
  result.auc_low = percentile(macros, 0.025);
  result.auc_high = percentile(macros, 0.975);
}

double class_accuracy(int count, int outputs, const std::vector<float>& probabilities,
                      const std::vector<float>& labels) {
  int right = 0;
  for (int i = 0; i < count; ++i) {
    const auto row = probabilities.begin() + static_cast<std::ptrdiff_t>(i) * outputs;
    right += std::max_element(row, row + outputs) - row == static_cast<std::ptrdiff_t>(labels[i]);
  }
  return static_cast<double>(right) / count;
}

double label_accuracy(int count, int outputs, const std::vector<float>& probabilities,
                      const std::vector<float>& labels) {
  double sum = 0;
  int counted = 0;
  for (int j = 0; j < outputs; ++j) {
    int known = 0, right = 0;
    for (int i = 0; i < count; ++i) {
      const std::size_t at = static_cast<std::size_t>(i) * outputs + j;
      if (std::isnan(labels[at])) continue;
      ++known;
      right += (probabilities[at] > 0.5f) == (labels[at] > 0.5f);
    }
    if (known == 0) continue;
    sum += static_cast<double>(right) / known;
    ++counted;
  }
  return counted == 0 ? std::numeric_limits<double>::quiet_NaN() : sum / counted;
}

void check_classes(const std::vector<float>& labels, int outputs) {
  for (std::size_t i = 0; i < labels.size(); ++i) {
    require(labels[i] >= 0 && labels[i] < static_cast<float>(outputs) && labels[i] == std::floor(labels[i]),
            "metrics: label ", labels[i], " of image ", i, " is no class from 0 to ", outputs - 1);
  }
}

}  // namespace

std::optional<double> auc(const std::vector<float>& scores, const std::vector<float>& labels) {
  require(scores.size() == labels.size(), "auc: ", scores.size(), " scores and ", labels.size(), " labels");
  require(scores.size() <= static_cast<std::size_t>(std::numeric_limits<int>::max()), "auc: ", scores.size(),
          " scores");
  const RankedLabel ranked(
      static_cast<int>(scores.size()), [&](std::int32_t i) { return scores[i]; },
      [&](std::int32_t i) { return labels[i]; });
  return ranked.auc([](std::int32_t) { return 1u; });
}

Evaluation evaluate_scores(Task task, int outputs, const std::vector<std::string>& label_names,
                           const std::vector<float>& probabilities, const std::vector<float>& labels, int bootstrap,
                           std::uint64_t seed) {
  const bool findings = task == Task::multi_label;
  require(outputs >= (findings ? 1 : 2), "metrics: ", outputs, " outputs");
  require(label_names.size() == static_cast<std::size_t>(outputs), "metrics: ", label_names.size(), " names for ",
          outputs, " outputs");
  const std::size_t rows = probabilities.size() / static_cast<std::size_t>(outputs);
  require(rows > 0 && rows <= static_cast<std::size_t>(std::numeric_limits<int>::max()) &&
              rows * outputs == probabilities.size() && labels.size() == (findings ? probabilities.size() : rows),
          "metrics: ", probabilities.size(), " scores and ", labels.size(), " labels for ", outputs, " outputs");
  require(bootstrap >= 0, "metrics: ", bootstrap, " bootstrap resamples");
  for (std::size_t i = 0; i < probabilities.size(); ++i) {
    require(std::isfinite(probabilities[i]), "metrics: the score of image ", i / outputs, " for ",
            label_names[i % outputs], " is ", probabilities[i]);
  }
  if (!findings) check_classes(labels, outputs);

  Evaluation result;
  result.count = static_cast<int>(rows);
  std::vector<RankedLabel> ranked;
  const auto once = [](std::int32_t) { return 1u; };
  const int first = !findings && outputs == 2 ? 1 : 0;
  for (int j = first; j < outputs; ++j) {
    const auto label = [&](std::int32_t i) {
      if (findings) return labels[static_cast<std::size_t>(i) * outputs + j];
      return labels[i] == static_cast<float>(j) ? 1.0f : 0.0f;
    };
    ranked.emplace_back(
        result.count, [&](std::int32_t i) { return probabilities[static_cast<std::size_t>(i) * outputs + j]; }, label);
    result.auc.push_back(ranked.back().auc(once));
    result.auc_names.push_back(label_names[j]);
    if (!result.auc.back()) result.undefined.push_back(label_names[j]);
  }
  result.auc_macro = result.auc_low = result.auc_high = macro_auc(ranked, once);
  if (bootstrap > 0) bootstrap_interval(ranked, result.count, bootstrap, seed, result);
  result.accuracy = findings ? label_accuracy(result.count, outputs, probabilities, labels)
                             : class_accuracy(result.count, outputs, probabilities, labels);
  return result;
}

}  // namespace preceptor
