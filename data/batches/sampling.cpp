// Weights from the frequencies of labels.
#include "data/batches/sampling.h"

#include <cmath>

namespace preceptor {
namespace {

// Calls use(group) for every class or finding of an image; group `outputs` is "none".
template <class Use>
void each_group(const Split& split, Task task, int outputs, int image, const Use& use) {
  if (task != Task::multi_label) return use(class_of(split, image));
  bool any = false;
  for (int label = 0; label < outputs; ++label)
    if (split.labels[static_cast<std::size_t>(image) * outputs + label] > 0.5f) {
      use(label);
      any = true;
    }
  if (!any) use(outputs);
}

}  // namespace

std::vector<double> sampling_weights(const Split& split, Task task, int outputs, Sampling sampling) {
  if (sampling == Sampling::shuffle) return {};
  std::vector<double> images(static_cast<std::size_t>(outputs) + 1, 0.0);
  for (int i = 0; i < split.count; ++i) each_group(split, task, outputs, i, [&](int group) { ++images[group]; });
  std::vector<double> weights(split.count, 0.0);
  for (int i = 0; i < split.count; ++i)
    each_group(split, task, outputs, i, [&](int group) {
      weights[i] += 1 / (sampling == Sampling::balanced ? images[group] : std::sqrt(images[group]));
    });
  return weights;
}

}  // namespace preceptor
