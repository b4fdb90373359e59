// Newton iterations in double for Platt's scale and the temperature.
#include "data/metrics/scaling.h"

#include <algorithm>
#include <cmath>

#include "engine/files/check.h"

namespace preceptor {
namespace {

double sigmoid_of(double logit) {
  return logit >= 0 ? 1 / (1 + std::exp(-logit)) : std::exp(logit) / (1 + std::exp(logit));
}

// log(1 + exp(x)) without overflow.
double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }

struct Example {
  double logit, target;
};

double platt_loss(const std::vector<Example>& examples, const PlattScale& scale) {
  double sum = 0;
  for (const Example& example : examples) {
    const double logit = scale.slope * example.logit + scale.intercept;
    sum += softplus(logit) - example.target * logit;
  }
  return sum;
}

// One Newton step, halved until the loss falls enough (Armijo); false if it never does.
bool improve(const std::vector<Example>& examples, PlattScale& scale, double& loss) {
  // The ridge keeps the matrix regular if all logits are equal (Lin, Lin, Weng: sigma).
  double h11 = 1e-12, h22 = 1e-12, h21 = 0, g1 = 0, g2 = 0;
  for (const Example& example : examples) {
    const double p = sigmoid_of(scale.slope * example.logit + scale.intercept);
    const double curvature = p * (1 - p), slope = p - example.target;
    h11 += example.logit * example.logit * curvature;
    h22 += curvature;
    h21 += example.logit * curvature;
    g1 += example.logit * slope;
    g2 += slope;
  }
  if (std::abs(g1) < 1e-10 && std::abs(g2) < 1e-10) return false;
  const double determinant = h11 * h22 - h21 * h21;
  const double d_slope = -(h22 * g1 - h21 * g2) / determinant, d_intercept = -(h11 * g2 - h21 * g1) / determinant;
  const double descent = g1 * d_slope + g2 * d_intercept;
  for (double step = 1; step >= 1e-10; step /= 2) {
    const PlattScale next{scale.slope + step * d_slope, scale.intercept + step * d_intercept};
    const double next_loss = platt_loss(examples, next);
    if (!(next_loss < loss + 1e-4 * step * descent)) continue;
    scale = next;
    loss = next_loss;
    return true;
  }
  return false;
}

// Logits of rows with a known label, recovered from probabilities: up to a constant per row for softmax.
struct LogitRows {
  std::vector<double> logits;  // [rows, width]; width 1 for findings
  std::vector<int> truth;      // [rows] class, or 0 and 1 for findings
  int width = 1;
};

LogitRows known_logits(Task task, int outputs, const std::vector<double>& probabilities,
                       const std::vector<float>& labels) {
  const bool findings = task == Task::multi_label;
  require(outputs > 0 && labels.size() * static_cast<std::size_t>(findings ? 1 : outputs) == probabilities.size(),
          "metrics: ", probabilities.size(), " probabilities and ", labels.size(), " labels for ", outputs, " outputs");
  LogitRows rows;
  rows.width = findings ? 1 : outputs;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (std::isnan(labels[i])) continue;
    rows.truth.push_back(findings ? labels[i] > 0.5f : static_cast<int>(labels[i]));
    require(rows.truth.back() >= 0 && rows.truth.back() < std::max(rows.width, 2), "metrics: label ", labels[i],
            " of row ", i);
    for (int j = 0; j < rows.width; ++j) {
      const double p = probabilities[i * rows.width + j];
      rows.logits.push_back(findings ? log_odds(p) : std::log(std::max(p, 0x1p-126)));
    }
  }
  return rows;
}

// First and second derivative of the summed log loss by the inverse temperature b: the logits' mean and variance under
// the probabilities at b, against the true logit. The loss is convex in b.
struct Derivatives {
  double first = 0, second = 0;
};
Derivatives by_inverse_temperature(const LogitRows& rows, double b) {
  Derivatives sum;
  const auto width = static_cast<std::size_t>(rows.width);
  for (std::size_t i = 0; i < rows.truth.size(); ++i) {
    const double* logits = rows.logits.data() + i * width;
    if (width == 1) {
      const double p = sigmoid_of(b * logits[0]);
      sum.first += (p - rows.truth[i]) * logits[0];
      sum.second += p * (1 - p) * logits[0] * logits[0];
      continue;
    }
    const double highest = *std::max_element(logits, logits + width);
    double total = 0, mean = 0, square = 0;
    for (std::size_t j = 0; j < width; ++j) {
      const double weight = std::exp(b * (logits[j] - highest));
      total += weight;
      mean += weight * logits[j];
      square += weight * logits[j] * logits[j];
    }
    mean /= total;
    sum.first += mean - logits[rows.truth[i]];
    sum.second += std::max(0.0, square / total - mean * mean);
  }
  return sum;
}

}  // namespace

double log_odds(double probability) {
  const double p = std::clamp(probability, 0x1p-25, 1 - 0x1p-25);
  return std::log(p) - std::log1p(-p);
}

double PlattScale::operator()(double probability) const {
  return sigmoid_of(slope * log_odds(probability) + intercept);
}

PlattScale fit_platt(const Finding& finding) {
  check_probabilities(finding);
  double positives = 0, negatives = 0;
  for (const float label : finding.labels) {
    positives += label > 0.5f ? 1 : 0;
    negatives += label <= 0.5f ? 1 : 0;
  }
  if (positives == 0 || negatives == 0) return {};
  const double high = (positives + 1) / (positives + 2), low = 1 / (negatives + 2);
  std::vector<Example> examples;
  for (std::size_t i = 0; i < finding.scores.size(); ++i)
    if (!std::isnan(finding.labels[i]))
      examples.push_back({log_odds(finding.scores[i]), finding.labels[i] > 0.5f ? high : low});
  PlattScale scale{0, std::log((positives + 1) / (negatives + 1))};
  double loss = platt_loss(examples, scale);
  for (int step = 0; step < 100 && improve(examples, scale, loss); ++step) {
  }
  if (scale.slope >= 0) return scale;
  // The best fit that does not reverse the order: one probability for all, the mean of the targets.
  const double mean = (positives * high + negatives * low) / (positives + negatives);
  return {0, std::log(mean / (1 - mean))};
}

double fit_temperature(Task task, int outputs, const std::vector<double>& probabilities,
                       const std::vector<float>& labels) {
  const LogitRows rows = known_logits(task, outputs, probabilities, labels);
  if (rows.truth.empty()) return 1;
  // The root of the first derivative lies between; Newton steps that leave the bracket are replaced by its middle.
  double low = 0.01, high = 100, b = 1;
  if (by_inverse_temperature(rows, low).first >= 0) return 1 / low;
  if (by_inverse_temperature(rows, high).first <= 0) return 1 / high;
  for (int step = 0; step < 200; ++step) {
    const Derivatives at = by_inverse_temperature(rows, b);
    (at.first > 0 ? high : low) = b;
    double next = b - at.first / at.second;
    if (!(next > low && next < high)) next = (low + high) / 2;
    if (std::abs(next - b) <= 1e-14 * b) break;
    b = next;
  }
  return 1 / b;
}

std::vector<double> at_temperature(Task task, int outputs, std::vector<double> probabilities, double temperature) {
  require(temperature > 0, "metrics: a temperature of ", temperature);
  require(outputs > 0 && probabilities.size() % outputs == 0, "metrics: ", probabilities.size(), " probabilities for ",
          outputs, " outputs");
  if (task == Task::multi_label) {
    for (double& p : probabilities) p = sigmoid_of(log_odds(p) / temperature);
    return probabilities;
  }
  for (auto row = probabilities.begin(); row != probabilities.end(); row += outputs) {
    const double highest = *std::max_element(row, row + outputs);
    double total = 0;
    for (auto p = row; p != row + outputs; ++p)
      total += * p = std::exp((std::log(std::max(*p, 0x1p-126)) - std::log(highest)) / temperature);
    for (auto p = row; p != row + outputs; ++p) *p /= total;
  }
  return probabilities;
}

}  // namespace preceptor
