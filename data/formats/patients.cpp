// Iterative stratification over patients.
#include "data/formats/patients.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace preceptor {
namespace {

struct PatientLabels {
  int images = 0;
  std::map<std::int32_t, std::int32_t> with_label;  // number of images with a label

  int images_of(std::int32_t label) const { return with_label.contains(label) ? with_label.at(label) : 0; }
};

std::vector<PatientLabels> labels_of_patients(const Split& split, Task task, int outputs, const Patients& patients) {
  std::vector<PatientLabels> result(patients.count);
  for (int i = 0; i < split.count; ++i) {
    PatientLabels& patient = result[patients.of[i]];
    ++patient.images;
    if (task != Task::multi_label) {
      ++patient.with_label[class_of(split, i)];
      continue;
    }
    for (int label = 0; label < outputs; ++label)
      if (split.labels[static_cast<std::size_t>(i) * outputs + label] == 1) ++patient.with_label[label];
  }
  return result;
}

// The number of images that each subset still lacks: of each label and in all.
class Wanted {
 public:
  Wanted(const std::vector<PatientLabels>& patients, int outputs, const std::vector<double>& fractions)
      : subsets_(fractions.size()), of_label_(fractions.size() * outputs), all_(fractions.size()), outputs_(outputs) {
    std::vector<std::int64_t> totals(outputs, 0);
    std::int64_t images = 0;
    for (const PatientLabels& patient : patients) {
      images += patient.images;
      for (const auto& [label, count] : patient.with_label) totals[label] += count;
    }
    for (std::size_t s = 0; s < subsets_; ++s) {
      all_[s] = fractions[s] * static_cast<double>(images);
      for (int l = 0; l < outputs; ++l) of_label_[s * outputs_ + l] = fractions[s] * static_cast<double>(totals[l]);
    }
  }

  // The subset that lacks most images of the label (any label for -1), then most images in all; the first of equals.
  std::size_t neediest(std::int32_t label) const {
    std::size_t best = 0;
    for (std::size_t s = 1; s < subsets_; ++s) {
      const double more = label < 0 ? 0 : of_label_[s * outputs_ + label] - of_label_[best * outputs_ + label];
      if (more > 0 || (more == 0 && all_[s] > all_[best])) best = s;
    }
    return best;
  }

  void give(const PatientLabels& patient, std::size_t subset) {
    all_[subset] -= patient.images;
    for (const auto& [label, count] : patient.with_label) of_label_[subset * outputs_ + label] -= count;
  }

 private:
  std::size_t subsets_;
  std::vector<double> of_label_, all_;
  std::size_t outputs_;
};

}  // namespace

Patients patients_of(const Split& split) {
  const std::vector<std::string>* names = split.column("patient");
  Patients patients;
  patients.of = numbered_values(names != nullptr ? *names : std::vector<std::string>(split.count));
  for (const std::int32_t patient : patients.of) patients.count = std::max(patients.count, patient + 1);
  return patients;
}

std::vector<std::int32_t> draw_fractions(const Split& split, Task task, int outputs,
                                         const std::vector<double>& fractions, RandomStream random) {
  const Patients patients = patients_of(split);
  const std::vector<PatientLabels> labels = labels_of_patients(split, task, outputs, patients);
  Wanted wanted(labels, outputs, fractions);
  std::vector<std::int32_t> subset(patients.count, -1);
  std::vector<std::int64_t> left(outputs, 0);  // images of each label not yet given
  std::vector<std::vector<std::int32_t>> holders(outputs);
  const std::vector<std::int32_t> order = permutation(patients.count, random);
  for (const std::int32_t patient : order)
    for (const auto& [label, count] : labels[patient].with_label) {
      left[label] += count;
      holders[label].push_back(patient);
    }
  const auto give = [&](std::int32_t patient, std::int32_t for_label) {
    const std::size_t to = wanted.neediest(for_label);
    subset[patient] = static_cast<std::int32_t>(to);
    wanted.give(labels[patient], to);
    for (const auto& [label, count] : labels[patient].with_label) left[label] -= count;
  };
  // The rarest label first, while there is still a choice; its patients with most images first, so that the small ones
  // can even out the subsets.
  while (true) {
    std::int32_t rarest = -1;
    for (std::int32_t l = 0; l < outputs; ++l)
      if (left[l] > 0 && (rarest < 0 || left[l] < left[rarest])) rarest = l;
    if (rarest < 0) break;
    std::vector<std::int32_t>& those = holders[rarest];
    std::stable_sort(those.begin(), those.end(), [&](std::int32_t a, std::int32_t b) {
      return labels[a].images_of(rarest) > labels[b].images_of(rarest);
    });
    for (const std::int32_t patient : those)
      if (subset[patient] < 0) give(patient, rarest);
  }
  std::vector<std::int32_t> rest;
  std::copy_if(order.begin(), order.end(), std::back_inserter(rest), [&](std::int32_t p) { return subset[p] < 0; });
  std::stable_sort(rest.begin(), rest.end(),
                   [&](std::int32_t a, std::int32_t b) { return labels[a].images > labels[b].images; });
  for (const std::int32_t patient : rest) give(patient, -1);

  std::vector<std::int32_t> result(split.count);
  for (int i = 0; i < split.count; ++i) result[i] = subset[patients.of[i]];
  return result;
}

std::vector<std::int32_t> patient_order(const Split& split, RandomStream random) {
  const Patients patients = patients_of(split);
  const std::vector<std::int32_t> order = permutation(patients.count, random);
  std::vector<std::int32_t> rank(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) rank[order[i]] = static_cast<std::int32_t>(i);
  std::vector<std::int32_t> images(split.count);
  std::iota(images.begin(), images.end(), 0);
  std::stable_sort(images.begin(), images.end(),
                   [&](std::int32_t a, std::int32_t b) { return rank[patients.of[a]] < rank[patients.of[b]]; });
  return images;
}

}  // namespace preceptor
