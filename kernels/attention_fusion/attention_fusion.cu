// The fusion of two maps on cuda and emulated: a warp takes a pixel.
#include "kernels/attention_fusion/attention_fusion.h"

#include "kernels/device/gpu.h"
#include "kernels/device/group.cuh"
#include "kernels/device/reduce.cuh"

namespace preceptor::kernels {
namespace {

constexpr int threads = 128, warps = threads / warp_size;

__device__ inline float weight_of(float attention) { return 1 / (1 + expf(-attention)); }

// mapping: a warp per pixel, its lanes take groups of 16 bytes of channels by turns; bytes: x, y and attention read,
// out written, once; operations: 3 per value.
template <class T, class Group>
__global__ void __launch_bounds__(threads) fuse_pixels(AttentionFusion<T> a, int pixels) {
  const int pixel = static_cast<int>(blockIdx.x) * warps + static_cast<int>(threadIdx.x) / warp_size;
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  if (pixel >= pixels) return;
  const auto attention = load_group<GroupOf<T, 2>>(a.attention.data + 2 * static_cast<std::int64_t>(pixel));
  const float of_x = weight_of(to_float(attention.value[0])), of_y = weight_of(to_float(attention.value[1]));
  const std::int64_t first = static_cast<std::int64_t>(pixel) * a.x.channels;
  for (int c = lane * Group::count; c < a.x.channels; c += warp_size * Group::count) {
    const Group x = load_group<Group>(a.x.data + first + c), y = load_group<Group>(a.y.data + first + c);
    Group out;
#pragma unroll
    for (int j = 0; j < Group::count; ++j)
      out.value[j] = from_float<T>(fmaf(to_float(x.value[j]), of_x, to_float(y.value[j]) * of_y));
    store_group(a.out.data + first + c, out);
  }
}

// mapping: as forward, the sums over channels go from lane to lane; bytes: x, y, attention and d_out read, three
// derivatives written, once; operations: 6 per value; hazard: lanes without a channel take part in the exchange; 1 -
// sigmoid(a) is sigmoid(-a), which cancels nothing.
template <class T, class Group>
__global__ void __launch_bounds__(threads) differentiate_pixels(AttentionFusionBackward<T> a, int pixels) {
  const int pixel = static_cast<int>(blockIdx.x) * warps + static_cast<int>(threadIdx.x) / warp_size;
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  if (pixel >= pixels) return;  // whole warps
  const auto attention = load_group<GroupOf<T, 2>>(a.attention.data + 2 * static_cast<std::int64_t>(pixel));
  const float of_x = weight_of(to_float(attention.value[0])), of_y = weight_of(to_float(attention.value[1]));
  const std::int64_t first = static_cast<std::int64_t>(pixel) * a.x.channels;
  float by_x = 0, by_y = 0;
  for (int c = lane * Group::count; c < a.x.channels; c += warp_size * Group::count) {
    const Group x = load_group<Group>(a.x.data + first + c), y = load_group<Group>(a.y.data + first + c),
                d_out = load_group<Group>(a.d_out.data + first + c);
    Group d_x, d_y;
#pragma unroll
    for (int j = 0; j < Group::count; ++j) {
      const float d = to_float(d_out.value[j]);
      by_x = fmaf(d, to_float(x.value[j]), by_x);
      by_y = fmaf(d, to_float(y.value[j]), by_y);
      d_x.value[j] = from_float<T>(d * of_x);
      d_y.value[j] = from_float<T>(d * of_y);
    }
    store_group(a.d_x.data + first + c, d_x);
    store_group(a.d_y.data + first + c, d_y);
  }
  by_x = reduce_lanes(by_x, Sum{});
  by_y = reduce_lanes(by_y, Sum{});
  if (lane == 0) {
    T* const d_attention = a.d_attention.data + 2 * static_cast<std::int64_t>(pixel);
    store_group(d_attention, GroupOf<T, 2>{{from_float<T>(of_x * weight_of(-to_float(attention.value[0])) * by_x),
                                            from_float<T>(of_y * weight_of(-to_float(attention.value[1])) * by_y)}});
  }
}

}  // namespace

template <class T>
void run_on(Gpu gpu, const AttentionFusion<T>& a) {
  const int pixels = a.x.images * a.x.height * a.x.width;
  const bool in_groups = a.x.channels % Pack<T>::count == 0 && aligned16(a.x.data, a.y.data, a.out.data);
  const auto kernel = in_groups ? fuse_pixels<T, Pack<T>> : fuse_pixels<T, Single<T>>;
  launch(gpu, kernel, steps(pixels, warps), threads, 0, a, pixels);
}
template <class T>
void run_on(Gpu gpu, const AttentionFusionBackward<T>& a) {
  const int pixels = a.x.images * a.x.height * a.x.width;
  const bool in_groups =
      a.x.channels % Pack<T>::count == 0 && aligned16(a.x.data, a.y.data, a.d_out.data, a.d_x.data, a.d_y.data);
  const auto kernel = in_groups ? differentiate_pixels<T, Pack<T>> : differentiate_pixels<T, Single<T>>;
  launch(gpu, kernel, steps(pixels, warps), threads, 0, a, pixels);
}
INSTANTIATE_RUN_ON(AttentionFusion);
INSTANTIATE_RUN_ON(AttentionFusionBackward);

}  // namespace preceptor::kernels
