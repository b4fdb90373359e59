// Confusion of classes.
#include "data/metrics/classes.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/files/check.h"

namespace preceptor {
namespace {

constexpr double undefined = std::numeric_limits<double>::quiet_NaN();

}  // namespace

std::vector<int> most_probable(const std::vector<double>& probabilities, int outputs) {
  require(outputs > 0 && probabilities.size() % static_cast<std::size_t>(outputs) == 0,
          "metrics: ", probabilities.size(), " probabilities for ", outputs, " classes");
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
  counts_.assign(static_cast<std::size_t>(classes) * static_cast<std::size_t>(classes), 0);
  const auto limit = static_cast<float>(classes);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    require(labels[i] >= 0 && labels[i] < limit && labels[i] == std::floor(labels[i]), "metrics: label ", labels[i],
            " of row ", i, " is no class from 0 to ", classes - 1);
    require(predicted[i] >= 0 && predicted[i] < classes, "metrics: prediction ", predicted[i], " of row ", i,
            " is no class from 0 to ", classes - 1);
    counts_[static_cast<std::size_t>(labels[i]) * static_cast<std::size_t>(classes) +
            static_cast<std::size_t>(predicted[i])] += times_of(times, i);
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
  double sum = 0;
  int occurring = 0;
  for (int i = 0; i < classes_; ++i) {
    std::uint64_t row = 0;
    for (int j = 0; j < classes_; ++j) row += count(i, j);
    if (row == 0) continue;
    sum += static_cast<double>(count(i, i)) / static_cast<double>(row);
    ++occurring;
  }
  return occurring == 0 ? undefined : sum / occurring;
}

double ClassConfusion::mean_absolute_error() const {
  double sum = 0, all = 0;
  for (int i = 0; i < classes_; ++i) {
    for (int j = 0; j < classes_; ++j) {
      sum += static_cast<double>(count(i, j)) * std::abs(i - j);
      all += static_cast<double>(count(i, j));
    }
  }
  return all > 0 ? sum / all : undefined;
}

double ClassConfusion::quadratic_weighted_kappa() const {
  std::vector<double> truth(static_cast<std::size_t>(classes_), 0), predicted(truth);
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
