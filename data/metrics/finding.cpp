// Checks of the input of metrics.
#include "data/metrics/finding.h"

#include <cmath>
#include <limits>

#include "engine/files/check.h"

namespace preceptor {

void check(const Finding& finding) {
  require(finding.scores.size() == finding.labels.size(), "metrics: ", finding.scores.size(), " scores and ",
          finding.labels.size(), " labels for '", finding.name, "'");
  require(finding.scores.size() <= static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()),
          "metrics: ", finding.scores.size(), " rows");
  for (std::size_t i = 0; i < finding.scores.size(); ++i)
    require(std::isfinite(finding.scores[i]), "metrics: the score of row ", i, " for '", finding.name, "' is ",
            finding.scores[i]);
}

void check_probabilities(const Finding& finding) {
  check(finding);
  for (std::size_t i = 0; i < finding.scores.size(); ++i)
    require(finding.scores[i] >= 0 && finding.scores[i] <= 1, "metrics: the probability of row ", i, " for '",
            finding.name, "' is ", finding.scores[i]);
}

void check_classes(const std::vector<float>& labels, int classes) {
  for (std::size_t i = 0; i < labels.size(); ++i)
    require(labels[i] >= 0 && labels[i] < static_cast<float>(classes) && labels[i] == std::floor(labels[i]),
            "metrics: label ", labels[i], " of row ", i, " is not a class from 0 to ", classes - 1);
}

std::vector<Finding> findings_of(Task task, const std::vector<std::string>& label_names,
                                 const std::vector<double>& probabilities, const std::vector<float>& labels) {
  const bool independent = task == Task::multi_label;
  const std::size_t outputs = label_names.size();
  require(outputs >= (independent ? 1u : 2u), "metrics: ", outputs, " outputs");
  const std::size_t rows = probabilities.size() / outputs;
  require(rows > 0 && rows <= static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()) &&
              rows * outputs == probabilities.size() && labels.size() == (independent ? probabilities.size() : rows),
          "metrics: ", probabilities.size(), " scores and ", labels.size(), " labels for ", outputs, " outputs");
  for (std::size_t i = 0; i < probabilities.size(); ++i)
    require(std::isfinite(probabilities[i]), "metrics: the score of row ", i / outputs, " for '",
            label_names[i % outputs], "' is ", probabilities[i]);
  if (!independent) check_classes(labels, static_cast<int>(outputs));
  std::vector<Finding> findings;
  // MedMNIST's convention: of two classes, the second is the finding.
  for (std::size_t j = !independent && outputs == 2 ? 1 : 0; j < outputs; ++j) {
    Finding finding{label_names[j], std::vector<double>(rows), std::vector<float>(rows)};
    for (std::size_t i = 0; i < rows; ++i) {
      finding.scores[i] = probabilities[i * outputs + j];
      finding.labels[i] = independent ? labels[i * outputs + j] : labels[i] == static_cast<float>(j) ? 1.0f : 0.0f;
    }
    findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace preceptor
