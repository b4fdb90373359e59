// Softened probabilities on the cpu, in double.
#include "kernels/softmax/softmax.h"

#include <algorithm>
#include <cmath>

#include "kernels/device/cpu_loops.h"

namespace preceptor::kernels {

// mapping: rows over threads; bytes: logits read, p written; operations: about 10 per entry.
void run_on(Cpu, const TemperatureSoftmax& a) {
  const double inverse = 1 / static_cast<double>(a.temperature);
#pragma omp parallel for schedule(static) if (worth_threads(a.rows, a.classes, 2 * double_exponential))
  for (int row = 0; row < a.rows; ++row) {
    const float* z = a.logits + static_cast<std::size_t>(row) * a.classes;
    float* p = a.p + static_cast<std::size_t>(row) * a.classes;
    if (a.independent) {
      for (int i = 0; i < a.classes; ++i)
        p[i] = static_cast<float>(1 / (1 + std::exp(-static_cast<double>(z[i]) * inverse)));
      continue;
    }
    const double maximum = static_cast<double>(*std::max_element(z, z + a.classes));
    double sum = 0;
    for (int i = 0; i < a.classes; ++i) sum += std::exp((static_cast<double>(z[i]) - maximum) * inverse);
    for (int i = 0; i < a.classes; ++i)
      p[i] = static_cast<float>(std::exp((static_cast<double>(z[i]) - maximum) * inverse) / sum);
  }
}

// mapping: rows over threads; bytes: p and d_p read, d_logits written; operations: 5 per entry.
void run_on(Cpu, const TemperatureSoftmaxBackward& a) {
  const double inverse = 1 / static_cast<double>(a.temperature);
#pragma omp parallel for schedule(static) if (worth_threads(a.rows, a.classes, 4))
  for (int row = 0; row < a.rows; ++row) {
    const std::size_t first = static_cast<std::size_t>(row) * a.classes;
    double common = 0;
    for (std::size_t i = first; i < first + a.classes; ++i)
      common += static_cast<double>(a.p[i]) * static_cast<double>(a.d_p[i]);
    for (std::size_t i = first; i < first + a.classes; ++i) {
      const double p = static_cast<double>(a.p[i]), d_p = static_cast<double>(a.d_p[i]);
      a.d_logits[i] = static_cast<float>(inverse * p * (a.independent ? (1 - p) * d_p : d_p - common));
    }
  }
}

}  // namespace preceptor::kernels
