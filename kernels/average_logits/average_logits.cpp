// Means of probabilities on the cpu, row by row.
#include "kernels/average_logits/average_logits.h"

#include "kernels/average_logits/log_sum.h"
#include "kernels/device/cpu_loops.h"

namespace preceptor::kernels {
namespace {

// The logarithm of the sum of a member's exponentials; 0 where its labels know nothing of each other.
float normalizer(const AverageLogits<float>& a, const float* logits) {
  if (a.multi_label) return 0;
  LogSum all;
  for (int c = 0; c < a.classes; ++c) all.add(logits[c]);
  return all.value();
}

}  // namespace

// mapping: a thread per row; bytes: logits read, result written; operations: see cost().
void run_on(Cpu, const AverageLogits<float>& a) {
#pragma omp parallel for schedule(static) if (worth_threads(a.rows, a.classes, 8 * a.members))
  for (int row = 0; row < a.rows; ++row) {
    const float* logits[most_members];
    float normalizers[most_members];
    for (int k = 0; k < a.members; ++k) {
      logits[k] = a.logits + (static_cast<std::size_t>(k) * a.rows + row) * a.classes;
      normalizers[k] = normalizer(a, logits[k]);
    }
    for (int c = 0; c < a.classes; ++c) {
      LogSum present, absent;
      for (int k = 0; k < a.members; ++k) {
        const float weight = std::log(a.weights[static_cast<std::size_t>(k) * a.classes + c]), z = logits[k][c];
        present.add(weight + (a.multi_label ? log_sigmoid(z) : z - normalizers[k]));
        if (a.multi_label) absent.add(weight + log_sigmoid(-z));
      }
      a.combined[static_cast<std::size_t>(row) * a.classes + c] =
          a.multi_label ? present.value() - absent.value() : present.value();
    }
  }
}

}  // namespace preceptor::kernels
