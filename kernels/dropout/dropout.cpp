// Dropout on the cpu: four channels of a pixel share the four random numbers of one counter.
#include "kernels/dropout/dropout.h"

#include <algorithm>
#include <bit>

#include "kernels/device/cpu_loops.h"
#include "kernels/device/philox.h"

namespace preceptor::kernels {

// mapping: a thread per four channels of an image, 64 pixels at a time: first their numbers, in vectors of counters,
// then their values; bytes: x read, y written; operations: see cost(); hazard: a value multiplied by a mask of 0 would
// stay a NaN, so its bits are masked. Chosen by ?: it becomes an unpredictable branch.
void run_on(Cpu, const Dropout<float>& a) {
  const auto step = static_cast<std::uint64_t>(a.state->step);
  const std::uint64_t seed = a.state->seed;
  const std::uint32_t threshold = a.threshold();
  const float scale = a.scale();
  const int quads = a.quads(), plane = a.x.plane();
  const std::ptrdiff_t x_step = a.x.block, y_step = a.y.block;
#pragma omp parallel for schedule(static) if (worth_threads(static_cast <std::int64_t>(a.x.elements()), 1, 4))
  for (int task = 0; task < a.x.images * quads; ++task) {
    const int image = task / quads, quad = task % quads, count = std::min(4, a.x.channels - 4 * quad);
    const std::uint64_t first = a.first_counter() + static_cast<std::uint64_t>(image) * plane * quads + quad;
    for_each_group(plane, [&](int begin, auto pixels) {
      std::uint32_t stays[4][chunk_size];  // all bits or none
      for (int i = 0; i < pixels; ++i) {
        const auto random = philox(seed, step, first + static_cast<std::uint64_t>(begin + i) * quads);
        for (int j = 0; j < 4; ++j) stays[j][i] = random[j] >= threshold ? ~0u : 0u;
      }
      for (int j = 0; j < count; ++j) {
        const float* x = a.x.data + a.x.offset(image, 4 * quad + j, 0, 0) + begin * x_step;
        float* y = a.y.data + a.y.offset(image, 4 * quad + j, 0, 0) + begin * y_step;
        for (int i = 0; i < pixels; ++i)
          y[i * y_step] = std::bit_cast<float>(std::bit_cast<std::uint32_t>(x[i * x_step] * scale) & stays[j][i]);
      }
    });
  }
}

}  // namespace preceptor::kernels
