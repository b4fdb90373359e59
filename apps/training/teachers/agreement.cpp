// Labels and taps paired, and their meters named.
#include "apps/training/teachers/agreement.h"

#include <algorithm>

#include "data/metrics/agreement.h"
#include "data/metrics/mean.h"

namespace preceptor {
namespace {

void add_rank_correlations(std::vector<Meter>& meters, const Dataset& dataset, const std::vector<bool>& taught,
                           const Predictions& student, const Predictions& teacher) {
  const std::size_t outputs = taught.size(), rows = student.probabilities.size() / outputs;
  Mean mean;
  for (std::size_t label = 0; label < outputs; ++label) {
    if (!taught[label]) continue;
    std::vector<double> of_student(rows), of_teacher(rows);
    for (std::size_t row = 0; row < rows; ++row) {
      of_student[row] = static_cast<double>(student.probabilities[row * outputs + label]);
      of_teacher[row] = static_cast<double>(teacher.probabilities[row * outputs + label]);
    }
    const double correlation = rank_correlation(of_student, of_teacher);
    meters.push_back({"rank_correlation/" + dataset.label_names[label], correlation});
    mean.add(correlation);
  }
  meters.push_back({"agreement/rank_correlation", mean.value()});
}

}  // namespace

std::vector<std::string> stage_taps(const Network& network, int height, int width) {
  std::vector<std::string> names;
  for (const Tap& tap : network.taps(height, width))
    if (tap.ends_stage) names.push_back(tap.name);
  return names;
}

std::vector<Meter> agreement_meters(const Dataset& dataset, const std::vector<bool>& taught, const Predictions& student,
                                    const Predictions& teacher) {
  std::vector<Meter> meters;
  if (dataset.task == Task::multi_label)
    add_rank_correlations(meters, dataset, taught, student, teacher);
  else
    meters.push_back(
        {"agreement/top_1", top_one_agreement(student.probabilities, teacher.probabilities, dataset.outputs)});
  const auto &own = student.relations, &others = teacher.relations;
  const std::size_t pairs = std::min(own.size(), others.size());
  for (std::size_t i = 0; i < pairs; ++i) {
    const TapRelations &first = own[own.size() - pairs + i], &second = others[others.size() - pairs + i];
    KernelAlignment alignment;
    for (std::size_t batch = 0; batch < first.batches.size(); ++batch)
      alignment.add(first.batches[batch].products, second.batches[batch].products, first.batches[batch].images);
    meters.push_back({"cka/" + first.tap + (first.tap == second.tap ? "" : " " + second.tap), alignment.value()});
  }
  return meters;
}

}  // namespace preceptor
