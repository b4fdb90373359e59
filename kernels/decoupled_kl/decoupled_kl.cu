// Decoupled distillation on cuda and on the emulated device: a warp takes a row.
#include "kernels/decoupled_kl/decoupled_kl.h"

#include <cmath>

#include "kernels/decoupled_kl/row.h"
#include "kernels/device/gpu.h"
#include "kernels/device/reduce.cuh"

namespace preceptor::kernels {
namespace {

constexpr int block_rows = 4;  // a warp each

// mapping: a warp takes a row, each lane every 32nd class; bytes: student and teacher read three times, from L1 after
// the first, d_student written; operations: about 30 per entry; hazard: in double, for the digits in which confident
// networks differ. The logits of a batch are so few that a card without fast double loses microseconds.
__global__ void __launch_bounds__(block_rows* warp_size) decoupled_rows(DecoupledKl a) {
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  const int row = static_cast<int>(blockIdx.x) * block_rows + static_cast<int>(threadIdx.x) / warp_size;
  // A warp without a row leaves as a whole.
  if (row >= a.rows) return;
  const std::int64_t first = static_cast<std::int64_t>(row) * a.classes;
  const float *student = a.student + first, *teacher = a.teacher + first;
  const float labelled = a.labels[row];
  const bool known = labelled == labelled;
  const int label = known ? static_cast<int>(labelled) : 0;
  const double temperature = static_cast<double>(a.temperature), inverse = 1 / temperature;
  const double of_target = static_cast<double>(a.of_target), of_others = static_cast<double>(a.of_others);

  float maxima[2] = {-INFINITY, -INFINITY}, of_label[2] = {0, 0};
  for (int i = lane; i < a.classes; i += warp_size) {
    const float s = student[i], t = teacher[i];
    if (i == label) {
      of_label[0] = s, of_label[1] = t;
    } else {
      maxima[0] = s > maxima[0] ? s : maxima[0];
      maxima[1] = t > maxima[1] ? t : maxima[1];
    }
  }
  double sums[2] = {0, 0};
  for (int side = 0; side < 2; ++side) {
    maxima[side] = reduce_lanes(maxima[side], Maximum{});
    of_label[side] = reduce_lanes(of_label[side], Sum{});
  }
  // Lanes stay together: every value is read, and the label's is left out where it is used.
  for (int i = lane; i < a.classes; i += warp_size) {
    const double s = static_cast<double>(student[i]) - static_cast<double>(maxima[0]);
    const double t = static_cast<double>(teacher[i]) - static_cast<double>(maxima[1]);
    if (i == label) continue;
    sums[0] += std::exp(s * inverse);
    sums[1] += std::exp(t * inverse);
  }
  for (double& sum : sums) sum = reduce_lanes(sum, Sum{});
  const auto side = [&](int i) {
    return DecoupledSide(static_cast<double>(maxima[i]), sums[i], static_cast<double>(of_label[i]), inverse);
  };
  const DecoupledRow terms(side(0), side(1), inverse);
  const double scale = known ? static_cast<double>(a.scale) * temperature : 0;
  double others = 0;
  for (int i = lane; i < a.classes; i += warp_size) {
    const double s = static_cast<double>(student[i]), t = static_cast<double>(teacher[i]);
    double derivative = of_target * terms.excess;
    if (i != label) {
      const DecoupledRow::Class of_class = terms.of_class(s, t, of_target, of_others);
      others += of_class.divergence;
      derivative = of_class.derivative;
    }
    a.d_student[first + i] = static_cast<float>(known ? scale * derivative : 0);
  }
  others = reduce_lanes(others, Sum{});
  if (lane == 0)
    a.loss[row] =
        known ? static_cast<float>(scale * temperature * (of_target * terms.target + of_others * others)) : 0.0f;
}

}  // namespace

void run_on(Gpu gpu, const DecoupledKl& a) {
  launch(gpu, decoupled_rows, steps(a.rows, block_rows), block_rows * warp_size, 0, a);
}

}  // namespace preceptor::kernels
