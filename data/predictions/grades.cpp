// Targets from grades, and grades from probabilities.
#include "data/predictions/grades.h"

#include <cmath>

#include "engine/files/check.h"

namespace preceptor {

std::vector<std::string> cumulative_names(const std::vector<std::string>& grades) {
  std::vector<std::string> names;
  for (std::size_t k = 0; k + 1 < grades.size(); ++k) names.push_back("above " + grades[k]);
  return names;
}

std::vector<float> cumulative_targets(const std::vector<float>& labels, int grades) {
  std::vector<float> targets;
  targets.reserve(labels.size() * static_cast<std::size_t>(grades - 1));
  for (const float label : labels)
    for (int k = 0; k + 1 < grades; ++k)
      targets.push_back(std::isnan(label) ? label : label > static_cast<float>(k) ? 1.0f : 0.0f);
  return targets;
}

std::vector<float> grades_from_targets(const std::vector<float>& targets, int grades) {
  const auto width = static_cast<std::size_t>(grades - 1);
  require(grades >= 2 && targets.size() % width == 0, "grades: ", targets.size(), " targets for ", grades, " grades");
  std::vector<float> labels(targets.size() / width, 0.0f);
  for (std::size_t i = 0; i < targets.size(); ++i) labels[i / width] += targets[i];
  return labels;
}

Dataset cumulative_grades(const Dataset& graded) {
  require(graded.task != Task::multi_label && graded.outputs >= 3, "--ordinal: ", graded.source, " has ",
          graded.task == Task::multi_label ? "independent labels" : "two classes",
          "; one label of at least three classes in order is expected");
  Dataset above = graded;
  above.task = Task::multi_label;
  above.outputs = graded.outputs - 1;
  above.label_names = cumulative_names(graded.label_names);
  for (Split* split : {&above.train, &above.val, &above.test})
    split->labels = cumulative_targets(split->labels, graded.outputs);
  return above;
}

std::vector<int> median_grades(const std::vector<double>& probabilities, int grades) {
  const auto width = static_cast<std::size_t>(grades);
  require(grades >= 1 && probabilities.size() % width == 0, "grades: ", probabilities.size(), " probabilities for ",
          grades, " grades");
  std::vector<int> chosen;
  for (std::size_t row = 0; row < probabilities.size(); row += width) {
    int grade = 0;
    double above = 1 - probabilities[row];
    while (grade + 1 < grades && above > 0.5) above -= probabilities[row + static_cast<std::size_t>(++grade)];
    chosen.push_back(grade);
  }
  return chosen;
}

}  // namespace preceptor
