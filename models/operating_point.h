// The interpretation of a network's outputs: thresholds and scalings fitted on validation images.
#pragma once

#include <string>
#include <vector>

namespace preceptor {

// Part of a checkpoint's metadata. For independent findings there is a threshold and a scale per output; for two
// classes one threshold, of the second; for more classes one per class, against the rest, and no scales.
struct OperatingPoint {
  std::string rule;                // how the thresholds were chosen: "f1", "youden", "sensitivity=0.9", ...
  std::vector<double> thresholds;  // of the probabilities as the network gives them; NaN where none could be chosen
  double temperature = 1;          // logits / temperature, for classes (Guo et al. 2017)
  std::vector<double> slopes, intercepts;  // sigmoid(slope * logit + intercept), for findings (Platt 1999)
};

// One JSON object with rule, thresholds (null for NaN), temperature, slopes and intercepts.
std::string to_text(const OperatingPoint& point);
// `outputs` of the network, `independent` for findings. Errors: data, "`path`: ..."; nothing in the text is trusted.
OperatingPoint operating_point_from(const std::string& text, int outputs, bool independent, const std::string& path);

}  // namespace preceptor
