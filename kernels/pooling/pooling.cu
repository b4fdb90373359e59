// Pooling on cuda and emulated: windows of channels-last maps by groups of channels, gradients gathered by cells.
#include "kernels/pooling/pooling.h"

#include <limits>

#include "kernels/device/gpu.h"
#include "kernels/device/reduce.cuh"
#include "kernels/pooling/plane_tiling.h"
#include "kernels/pooling/windows.cuh"

namespace preceptor::kernels {
namespace {

// The winner bytes of a position, which have no gaps between pixels.
template <class Byte, class T>
__device__ Byte* winner_at(Byte* winner, const FeatureMap<T>& y, int pixel, int channel) {
  return winner + static_cast<std::int64_t>(pixel) * y.channels + channel;
}

// mapping: Columns over y; bytes: x read, y and winner written; what windows share is read again, from L1; operations:
// one comparison per window position; hazard: >, so the first maximum wins; a NaN wins over everything, as in torch.
template <class T, class Group>
__global__ void __launch_bounds__(Columns::most_threads) max_forward(MaxPoolForward<T> a, Columns c) {
  constexpr int width = Group::count;
  for_each_position<width>(c, [&](int image, int row, int column, int channel) {
    float best[width];
    int winner[width];
    // In a window of nothing but -infinity the first position that is not padding wins.
    const int first = max(a.padding - row * a.stride, 0) * a.window + max(a.padding - column * a.stride, 0);
#pragma unroll
    for (int j = 0; j < width; ++j) {
      best[j] = -std::numeric_limits<float>::infinity();
      winner[j] = first;
    }
    for_each_input<Group>(a, image, row, column, channel, [&](int position, const Group& x) {
#pragma unroll
      for (int j = 0; j < width; ++j) {
        const float value = to_float(x.value[j]);
        const bool better = value > best[j] || value != value;
        best[j] = better ? value : best[j];
        winner[j] = better ? position : winner[j];
      }
    });
    Group y;
    GroupOf<std::uint8_t, width> bytes;
#pragma unroll
    for (int j = 0; j < width; ++j) {
      y.value[j] = from_float<T>(best[j]);
      bytes.value[j] = static_cast<std::uint8_t>(winner[j]);
    }
    const int pixel = (image * a.y.height + row) * a.y.width + column;
    store_group(row_at(a.y, pixel, channel), y);
    if (a.winner) store_group(winner_at(a.winner, a.y, pixel, channel), bytes);
  });
}

// mapping: Columns over y; bytes: x read, y written; operations: one addition per window position.
template <class T, class Group>
__global__ void __launch_bounds__(Columns::most_threads) average_forward(AveragePoolForward<T> a, Columns c) {
  constexpr int width = Group::count;
  for_each_position<width>(c, [&](int image, int row, int column, int channel) {
    float sum[width] = {};
    for_each_input<Group>(a, image, row, column, channel, [&](int, const Group& x) {
#pragma unroll
      for (int j = 0; j < width; ++j) sum[j] += to_float(x.value[j]);
    });
    const float weight = average_weight(a, inputs_under(a, row, a.x.height), inputs_under(a, column, a.x.width));
    Group y;
#pragma unroll
    for (int j = 0; j < width; ++j) y.value[j] = from_float<T>(sum[j] * weight);
    store_group(row_at(a.y, (image * a.y.height + row) * a.y.width + column, channel), y);
  });
}

// An output of MaxPool as its inputs see it.
template <class T, class Group>
struct Won {
  using Bytes = GroupOf<std::uint8_t, Group::count>;
  static constexpr std::uint8_t nobody = 255;  // above every position of a window of 15

  Group d_y;
  Bytes winner;

  __device__ Won() {
#pragma unroll
    for (std::uint8_t& byte : winner.value) byte = nobody;
  }
  __device__ void load(const MaxPoolBackward<T>& a, int image, int row, int column, int channel) {
    const int pixel = (image * a.d_y.height + row) * a.d_y.width + column;
    d_y = load_group<Group>(row_at(a.d_y, pixel, channel));
    winner = load_group<Bytes>(winner_at(a.winner, a.d_y, pixel, channel));
  }
  __device__ float at(int j, int position) const { return winner.value[j] == position ? to_float(d_y.value[j]) : 0; }
};

// An output of AveragePool as its inputs see it.
template <class T, class Group>
struct Shared {
  Group d_y{};
  float weight = 0;

  __device__ void load(const AveragePoolBackward<T>& a, int image, int row, int column, int channel) {
    d_y = load_group<Group>(row_at(a.d_y, (image * a.d_y.height + row) * a.d_y.width + column, channel));
    weight = average_weight(a, inputs_under(a, row, a.d_x.height), inputs_under(a, column, a.d_x.width));
  }
  __device__ float at(int j, int) const { return to_float(d_y.value[j]) * weight; }
};

// mapping: Columns over cells of d_x (gather_cell); bytes: d_y and winner read, d_x written; operations: 2 per input
// and window over it; hazard: an input under several windows gets their sum, in the order of the outputs.
template <class T, class Group, int kept>
__global__ void __launch_bounds__(Columns::most_threads, 2) max_backward(MaxPoolBackward<T> a, Columns c) {
  for_each_position<Group::count>(c, [&](int image, int row, int column, int channel) {
    gather_cell<Group, Won<T, Group>, kept>(a, image, row, column, channel);
  });
}

// mapping: as max_backward; bytes: d_y read, d_x written; operations: 2 per input and window over it.
template <class T, class Group, int kept>
__global__ void __launch_bounds__(Columns::most_threads) average_backward(AveragePoolBackward<T> a, Columns c) {
  for_each_position<Group::count>(c, [&](int image, int row, int column, int channel) {
    gather_cell<Group, Shared<T, Group>, kept>(a, image, row, column, channel);
  });
}

// Where a thread stands in the tile of its block.
struct PlanePosition {
  int lane, row, image, channel;
  bool inside;  // these channels exist
  int first, last;

  __device__ explicit PlanePosition(const PlaneTiling& t) {
    lane = static_cast<int>(threadIdx.x) % t.lanes;
    row = static_cast<int>(threadIdx.x) / t.lanes;
    image = static_cast<int>(blockIdx.x) / t.tiles;
    channel = (static_cast<int>(blockIdx.x) % t.tiles * t.lanes + lane) * t.width;
    inside = channel < t.channels;
    first = t.first_pixel(static_cast<int>(blockIdx.y)) + row;
    last = inside ? t.first_pixel(static_cast<int>(blockIdx.y) + 1) : first;
  }
};

// The sums over the rows of a block, lane by lane: for the threads of its first row. The caller puts a barrier between
// two calls.
template <int width>
__device__ void reduce_rows(float (&sum)[width], const PlanePosition& at, const PlaneTiling& t) {
  constexpr int most_warps = PlaneTiling::most_threads / warp_size;
  SHARED(float, by_warp, [most_warps][width][PlaneTiling::most_lanes(width)]);
  const int warp = static_cast<int>(threadIdx.x) / warp_size;
  for (int distance = warp_size / 2; distance >= t.lanes; distance /= 2)
#pragma unroll
    for (int j = 0; j < width; ++j) sum[j] += __shfl_down_sync(all_lanes, sum[j], distance);
  if (static_cast<int>(threadIdx.x) % warp_size < t.lanes)
#pragma unroll
    for (int j = 0; j < width; ++j) by_warp[warp][j][at.lane] = sum[j];
  __syncthreads();
  if (at.row == 0)
    for (int w = 1; w < static_cast<int>(blockDim.x) / warp_size; ++w)
#pragma unroll
      for (int j = 0; j < width; ++j) sum[j] += by_warp[w][j][at.lane];
}

// mapping: PlaneTiling; a thread sums its channels over its pixels in registers, the last block of a shared plane adds
// up the blocks' sums; bytes: x read; operations: 1 per element.
template <class T, class Group>
__global__ void __launch_bounds__(PlaneTiling::most_threads)
    global_forward(GlobalAveragePoolForward<T> a, PlaneTiling t, unsigned* tickets) {
  constexpr int width = Group::count, unroll = 4;
  const PlanePosition at(t);
  const int first_pixel = at.image * t.pixels;
  float sum[width] = {};
  for (int pixel = at.first; pixel < at.last; pixel += unroll * t.rows) {
    Group x[unroll]{};
#pragma unroll
    for (int u = 0; u < unroll; ++u)
      if (pixel + u * t.rows < at.last)
        x[u] = load_group<Group>(row_at(a.x, first_pixel + pixel + u * t.rows, at.channel));
#pragma unroll
    for (int u = 0; u < unroll; ++u)
#pragma unroll
      for (int j = 0; j < width; ++j) sum[j] += to_float(x[u].value[j]);
  }
  reduce_rows(sum, at, t);
  const bool writes = at.row == 0 && at.inside;
  if (t.slices > 1) {
    float* const partial = static_cast<float*>(a.workspace) + at.image * t.stride() + at.channel;
    const std::size_t step = t.images * t.stride();
    if (writes) store_floats(partial + blockIdx.y * step, sum);
    if (!last_block(tickets + blockIdx.x, gridDim.y)) return;
    for (float& value : sum) value = 0;
    if (at.inside)
      for (int slice = at.row; slice < t.slices; slice += t.rows) {
        float other[width];
        load_floats(partial + slice * step, other);
        for (int j = 0; j < width; ++j) sum[j] += other[j];
      }
    reduce_rows(sum, at, t);
  }
  if (!writes) return;
  for (float& value : sum) value /= static_cast<float>(t.pixels);
  store_floats(a.y + static_cast<std::int64_t>(at.image) * t.channels + at.channel, sum);
}

// mapping: PlaneTiling; the first row of a block reads d_y for all rows, whose warps would each ask for it again;
// bytes: d_x written; operations: none per element; hazard: a barrier between the shared row's writing and its reading.
template <class T, class Group>
__global__ void __launch_bounds__(PlaneTiling::most_threads)
    global_backward(GlobalAveragePoolBackward<T> a, PlaneTiling t) {
  constexpr int width = Group::count;
  SHARED(float, by_channel, [width][PlaneTiling::most_lanes(width)]);
  const PlanePosition at(t);
  if (at.row == 0 && at.inside) {
    float d_y[width];
    load_floats(a.d_y + static_cast<std::int64_t>(at.image) * t.channels + at.channel, d_y);
#pragma unroll
    for (int j = 0; j < width; ++j) by_channel[j][at.lane] = d_y[j] / static_cast<float>(t.pixels);
  }
  __syncthreads();
  if (!at.inside) return;
  Group d_x;
#pragma unroll
  for (int j = 0; j < width; ++j) d_x.value[j] = from_float<T>(by_channel[j][at.lane]);
  for (int pixel = at.first; pixel < at.last; pixel += t.rows)
    store_group(row_at(a.d_x, at.image * t.pixels + pixel, at.channel), d_x);
}

template <class T>
bool pixels_fit(const FeatureMap<T>& map) {
  return static_cast<std::int64_t>(map.images) * map.plane() < std::int64_t{1} << 30;
}

template <class T>
bool winner_aligned(const std::uint8_t* winner) {
  return reinterpret_cast<std::uintptr_t>(winner) % Pack<T>::count == 0;
}

// Calls launch_for(how many outputs over a cell a thread keeps, in either direction).
template <class Arguments, class Launch>
void with_kept(const Arguments& a, const Launch& launch_for) {
  const auto over = steps(a.window, a.stride);
  if (over == 1)
    launch_for(std::integral_constant<int, 1>{});
  else if (over == 2)
    launch_for(std::integral_constant<int, 2>{});
  else
    launch_for(std::integral_constant<int, 0>{});
}

// Columns over the positions of an output, and over the cells of an input.
template <class T>
Columns columns_over(const FeatureMap<T>& y, int width) {
  return {y.images, y.height, y.width, y.channels / width};
}
template <class Arguments>
Columns columns_over_cells(const Arguments& a, int width) {
  return {a.d_x.images, cells(a, a.d_x.height), cells(a, a.d_x.width), a.d_x.channels / width};
}

}  // namespace

template <class T>
void run_on(Gpu gpu, const MaxPoolForward<T>& a) {
  assert(pixels_fit(a.x));
  with_group<T>(rows_aligned(a.x, a.y) && winner_aligned<T>(a.winner), [&](auto group) {
    using Group = decltype(group);
    const Columns c = columns_over(a.y, Group::count);
    launch(gpu, max_forward<T, Group>, dim3(c.slices, c.parts), c.threads, 0, a, c);
  });
}

template <class T>
void run_on(Gpu gpu, const AveragePoolForward<T>& a) {
  assert(pixels_fit(a.x));
  with_group<T>(rows_aligned(a.x, a.y), [&](auto group) {
    using Group = decltype(group);
    const Columns c = columns_over(a.y, Group::count);
    launch(gpu, average_forward<T, Group>, dim3(c.slices, c.parts), c.threads, 0, a, c);
  });
}

template <class T>
void run_on(Gpu gpu, const MaxPoolBackward<T>& a) {
  assert(pixels_fit(a.d_x));
  with_group<T>(rows_aligned(a.d_x, a.d_y) && winner_aligned<T>(a.winner), [&](auto group) {
    using Group = decltype(group);
    const Columns c = columns_over_cells(a, Group::count);
    with_kept(a, [&](auto kept) {
      launch(gpu, max_backward<T, Group, kept()>, dim3(c.slices, c.parts), c.threads, 0, a, c);
    });
  });
}

template <class T>
void run_on(Gpu gpu, const AveragePoolBackward<T>& a) {
  assert(pixels_fit(a.d_x));
  with_group<T>(rows_aligned(a.d_x, a.d_y), [&](auto group) {
    using Group = decltype(group);
    const Columns c = columns_over_cells(a, Group::count);
    with_kept(a, [&](auto kept) {
      launch(gpu, average_backward<T, Group, kept()>, dim3(c.slices, c.parts), c.threads, 0, a, c);
    });
  });
}

template <class T>
void run_on(Gpu gpu, const GlobalAveragePoolForward<T>& a) {
  assert(pixels_fit(a.x));
  with_group<T>(rows_aligned(a.x) && aligned16(a.y), [&](auto group) {
    using Group = decltype(group);
    const PlaneTiling t(a.x.images, a.x.plane(), a.x.channels, Group::count);
    launch(gpu, global_forward<T, Group>, dim3(t.images * t.tiles, t.slices), t.threads(), 0, a, t, gpu.tickets);
  });
}

template <class T>
void run_on(Gpu gpu, const GlobalAveragePoolBackward<T>& a) {
  assert(pixels_fit(a.d_x));
  with_group<T>(rows_aligned(a.d_x) && aligned16(a.d_y), [&](auto group) {
    using Group = decltype(group);
    const PlaneTiling t(a.d_x.images, a.d_x.plane(), a.d_x.channels, Group::count);
    launch(gpu, global_backward<T, Group>, dim3(t.images * t.tiles, t.slices), t.threads(), 0, a, t);
  });
}

template void run_on(Gpu, const MaxPoolForward<float>&);
template void run_on(Gpu, const MaxPoolForward<bfloat16>&);
template void run_on(Gpu, const MaxPoolBackward<float>&);
template void run_on(Gpu, const MaxPoolBackward<bfloat16>&);
template void run_on(Gpu, const AveragePoolForward<float>&);
template void run_on(Gpu, const AveragePoolForward<bfloat16>&);
template void run_on(Gpu, const AveragePoolBackward<float>&);
template void run_on(Gpu, const AveragePoolBackward<bfloat16>&);
template void run_on(Gpu, const GlobalAveragePoolForward<float>&);
template void run_on(Gpu, const GlobalAveragePoolForward<bfloat16>&);
template void run_on(Gpu, const GlobalAveragePoolBackward<float>&);
template void run_on(Gpu, const GlobalAveragePoolBackward<bfloat16>&);

}  // namespace preceptor::kernels
