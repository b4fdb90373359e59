// Folding of a batch norm with fixed statistics into the convolution before it, on the cpu.
#include <cmath>

#include "kernels/batch_norm/batch_norm.h"
#include "kernels/device/cpu_loops.h"

namespace preceptor::kernels {

// mapping: output channel blocks over threads; bytes: weights read and written; operations: 1 per weight.
void run_on(Cpu, const FoldBatchNorm& a) {
  const int block = a.out_block;
#pragma omp parallel for schedule(static) if (worth_threads(a.out_channels, a.inner))
  for (int first = 0; first < a.out_channels; first += block) {
    const std::size_t begin = static_cast<std::size_t>(first) * a.inner;
    for (int lane = 0; lane < block; ++lane) {
      const int channel = first + lane;
      const float factor = a.gamma[channel] / std::sqrt(a.running_variance[channel] + a.epsilon);
      a.folded_bias[channel] = a.beta[channel] - a.running_mean[channel] * factor;
      for (int i = 0; i < a.inner; ++i) {
        const std::size_t at = begin + static_cast<std::size_t>(i) * block + lane;
        a.folded_weight[at] = a.weight[at] * factor;
      }
    }
  }
}

}  // namespace preceptor::kernels
