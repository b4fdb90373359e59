// Resizing on the cpu, and the tables of weights for every device.
#include "kernels/resize/resize.h"

#include <algorithm>
#include <cmath>

#include "kernels/device/lanes.h"

namespace preceptor::kernels {

Axis::Axis(int from, int to) {
  const double step = static_cast<double>(from) / to, reach = std::max(step, 1.0);
  taps = std::min(from, static_cast<int>(std::ceil(2 * reach)) + 1);
  for (int i = 0; i < to; ++i) {
    const double centre = (i + 0.5) * step - 0.5;
    const int begin = std::clamp(static_cast<int>(std::floor(centre - reach)) + 1, 0, from - taps);
    std::vector<double> weights;
    double sum = 0;
    for (int j = 0; j < taps; ++j) {
      weights.push_back(std::max(0.0, 1 - std::abs(begin + j - centre) / reach));
      sum += weights.back();
    }
    first.push_back(begin);
    for (double one : weights) weight.push_back(static_cast<float>(one / sum));
  }
}

// mapping: a thread per row of an image, channel by channel, since networks take 1 to 3; bytes: x read, y written;
// operations: two per tap of a row and column.
void run_on(Cpu, const Resize<float>& a) {
  const int rows = a.y.images * a.y.height;
  const std::ptrdiff_t step = a.x.block;
#pragma omp parallel for schedule( \
    static) if (worth_threads(static_cast <std::int64_t>(a.y.elements()), a.row_taps, a.column_taps))
  for (int task = 0; task < rows; ++task) {
    const int image = task / a.y.height, row = task % a.y.height;
    const float* row_weight = a.row_weight + static_cast<std::ptrdiff_t>(row) * a.row_taps;
    for (int channel = 0; channel < a.y.channels; ++channel)
      for (int column = 0; column < a.y.width; ++column) {
        const float* column_weight = a.column_weight + static_cast<std::ptrdiff_t>(column) * a.column_taps;
        float sum = 0;
        for (int i = 0; i < a.row_taps; ++i) {
          const float* x = a.x.data + a.x.offset(image, channel, a.first_row[row] + i, a.first_column[column]);
          float of_row = 0;
          for (int j = 0; j < a.column_taps; ++j) of_row += column_weight[j] * x[j * step];
          sum += row_weight[i] * of_row;
        }
        a.y.data[a.y.offset(image, channel, row, column)] = sum;
      }
  }
}

template <class T>
Cost cost(const Resize<T>& a) {
  const double values = static_cast<double>(a.y.elements());
  return {(static_cast<double>(a.x.elements()) + values) * sizeof(T), 2 * values * a.row_taps * (a.column_taps + 1)};
}
template Cost cost(const Resize<float>&);
template Cost cost(const Resize<bfloat16>&);

}  // namespace preceptor::kernels
