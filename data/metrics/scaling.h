// Scalings that calibrate probabilities, fitted on validation data.
#pragma once

#include "data/metrics/finding.h"
#include "engine/task.h"

namespace preceptor {

// Natural log-odds; probabilities are clamped to 2^-25 from 0 and 1, so from -17.33 to 17.33: beyond that, a sigmoid in
// float is 1 and its logit is lost.
double log_odds(double probability);

// Probability p becomes sigmoid(slope * log_odds(p) + intercept).
struct PlattScale {
  double slope = 1, intercept = 0;
  double operator()(double probability) const;
};
// The maximum-likelihood scale with Platt's targets (N+ + 1)/(N+ + 2) and 1/(N- + 2) (Platt 1999; Lin, Lin, Weng 2007:
// Newton steps with backtracking, in double), with a slope of at least 0, which keeps the order of scores. The identity
// if a class is absent.
PlattScale fit_platt(const Finding& finding);

// One temperature for all outputs: logits / temperature, fitted by log loss (Guo et al. 2017). Probabilities [rows,
// outputs] of softmax (classes) or sigmoid (multi_label), labels as in Split. From 0.01 to 100; 1 without known labels.
double fit_temperature(Task task, int outputs, const std::vector<double>& probabilities,
                       const std::vector<float>& labels);
// Softmax or sigmoid of logits / temperature, from probabilities [rows, outputs].
std::vector<double> at_temperature(Task task, int outputs, std::vector<double> probabilities, double temperature);

}  // namespace preceptor
