// Random logits with labels for cross entropy, on any device and in any storage type, and the rounding errors of a row.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "kernels/cross_entropy/cross_entropy.h"
#include "tests/kernels/losses.h"
#include "tests/kernels/softened_kl_error.h"

namespace preceptor::test::cross_entropy {

using namespace kernels;

inline std::vector<float> random_labels(Random& random, int rows, int classes) {
  std::vector<float> labels(rows);
  for (float& label : labels) {
    const int kind = random.integer(0, 4), any = random.integer(0, classes - 1);
    label = kind == 0 ? unknown : static_cast<float>(kind == 1 ? 0 : kind == 2 ? classes - 1 : any);
  }
  return labels;
}

inline std::vector<float> random_targets(Random& random, std::size_t count) {
  std::vector<float> targets(count);
  for (float& target : targets) {
    const int choice = random.integer(0, 4);
    target = choice == 0   ? unknown
             : choice == 1 ? static_cast<float>(random.uniform(0, 1))
                           : static_cast<float>(choice & 1);
  }
  return targets;
}

inline constexpr float weight = 0.5f;

// Logits of rows with a class each, or of rows with a target for every entry.
template <class T>
struct Problem {
  int rows, columns;
  std::vector<T> logits;
  std::vector<float> labels, targets, row_weights;  // shares may be empty
  int offset = 0, result_offset = 0, labels_offset = 0;

  Problem(Random& random, int row_count, int column_count, double size) : rows(row_count), columns(column_count) {
    logits = stored<T>(random.values(static_cast<std::size_t>(rows) * columns, Kind::normal, size));
    labels = random_labels(random, rows, columns);
    targets = random_targets(random, logits.size());
  }
  std::string text() const { return std::to_string(rows) + "x" + std::to_string(columns); }

  // Each calls launch(arguments), which runs them on the device.
  template <class Launch>
  LossAndGradient<T> softmax_loss(const Device& device, const Launch& launch) const {
    return run(device, labels, [&](const T* z, const float* y, float* loss, T* d_z) {
      const DeviceBuffer<float> counts(device, row_weights.empty() ? std::vector<float>(1) : row_weights);
      launch(SoftmaxCrossEntropy<T>{z, y, loss, d_z, rows, columns, weight,
                                    row_weights.empty() ? nullptr : counts.data()});
    });
  }
  template <class Launch>
  LossAndGradient<T> binary_loss(const Device& device, const Launch& launch) const {
    return run(device, targets, [&](const T* z, const float* y, float* loss, T* d_z) {
      launch(BinaryCrossEntropy<T>{z, y, loss, d_z, rows, columns, weight});
    });
  }
  template <class Launch>
  std::vector<T> softmax(const Device& device, const Launch& launch) const {
    return run(device, targets,
               [&](const T* z, const float*, float*, T* p) {
                 launch(Softmax<T>{z, p, rows, columns});
               })
        .gradient;
  }
  template <class Launch>
  std::vector<T> sigmoid(const Device& device, const Launch& launch) const {
    return run(device, targets,
               [&](const T* z, const float*, float*, T* p) {
                 launch(Sigmoid<T>{z, p, static_cast<std::int64_t>(logits.size())});
               })
        .gradient;
  }

 private:
  template <class Launch>
  LossAndGradient<T> run(const Device& device, const std::vector<float>& known, const Launch& launch) const {
    const OffsetBuffer<T> z(device, offset, logits);
    const OffsetBuffer<T> result(device, result_offset, std::vector<T>(logits.size(), static_cast<T>(unknown)));
    const OffsetBuffer<float> y(device, labels_offset, known);
    const DeviceBuffer<float> loss(device, std::vector<float>(static_cast<std::size_t>(rows), unknown));
    launch(z.data(), y.data(), loss.data(), result.data());
    return {loss.host(), result.host()};
  }
};

// Rounding errors of one row: its loss and its derivatives per weight, or its probabilities (label -1).
// The cpu adds in double, so that exp() of a rounded difference d remains, with the relative error |d| eps: the c of
// every exponential is 4 + |d|. The others add in float: softened_kl_error.h.
inline RowError row_error(const double* z, const double* p, int classes, int label, bool on_cpu) {
  if (!on_cpu) return hard_loss_error(z, classes, label);
  const double maximum = *std::max_element(z, z + classes);
  double row_weights = 0;  // sum of p (1 + |d|): the error of the sum of exponentials
  for (int i = 0; i < classes; ++i) row_weights += p[i] * (1 + maximum - z[i]);
  RowError error;
  error.loss = allowed(classes, row_weights);
  for (int i = 0; i < classes; ++i)
    error.gradient.push_back(i == label ? error.loss
                                        : p[i] * (error.loss + allowed(1, 1 + maximum - z[i])) + allowed(1, 0));
  return error;
}

}  // namespace preceptor::test::cross_entropy
