// Resizing on cuda and emulated: a thread per pixel.
#include "kernels/resize/resize.h"

#include "kernels/device/channels_last.cuh"
#include "kernels/device/gpu.h"

namespace preceptor::kernels {
namespace {

constexpr int threads = 128;

// mapping: a thread per pixel and channel, neighbors in memory; bytes: x read, mostly from L1 as neighboring pixels
// share it, y written; operations: two per tap of a row and column; hazard: where an axis shrinks a thread reads many
// values, so the loops are not unrolled and registers stay few.
template <class T>
__global__ void __launch_bounds__(threads) resize(const Resize<T> a, int row_blocks) {
  const int values = a.y.width * a.y.channels;  // per row
  const int line = static_cast<int>(blockIdx.x) / row_blocks, image = line / a.y.height, row = line % a.y.height;
  const int i = static_cast<int>(blockIdx.x) % row_blocks * threads + static_cast<int>(threadIdx.x);
  if (i >= values) return;
  const int column = i / a.y.channels, channel = i - column * a.y.channels;
  const float* const row_weight = a.row_weight + static_cast<std::int64_t>(row) * a.row_taps;
  const float* const column_weight = a.column_weight + static_cast<std::int64_t>(column) * a.column_taps;
  const int first = (image * a.x.height + a.first_row[row]) * a.x.width + a.first_column[column];
  float sum = 0;
#pragma unroll 1
  for (int y = 0; y < a.row_taps; ++y) {
    float of_row = 0;
#pragma unroll 2
    for (int x = 0; x < a.column_taps; ++x)
      of_row = fmaf(column_weight[x], to_float(*row_at(a.x, first + y * a.x.width + x, channel)), of_row);
    sum = fmaf(row_weight[y], of_row, sum);
  }
  *row_at(a.y, (image * a.y.height + row) * a.y.width + column, channel) = from_float<T>(sum);
}

}  // namespace

template <class T>
void run_on(Gpu gpu, const Resize<T>& a) {
  assert(static_cast<std::int64_t>(a.x.images) * a.x.plane() < std::int64_t{1} << 31);
  const int row_blocks = static_cast<int>(steps(a.y.width * a.y.channels, threads));
  launch(gpu, resize<T>, static_cast<std::int64_t>(a.y.images) * a.y.height * row_blocks, threads, 0, a, row_blocks);
}
INSTANTIATE_RUN_ON(Resize);

}  // namespace preceptor::kernels
