// Copies of maps on cuda and emulated: rows where both maps lie alike, else a transposition through shared memory.
#include "kernels/convert_layout/convert_layout.h"

#include <bit>

#include "kernels/device/gpu.h"
#include "kernels/device/rows.cuh"

namespace preceptor::kernels {
namespace {

template <class To>
struct Cast {
  template <class From>
  __device__ To operator()(From value) const {
    if constexpr (std::is_same_v<From, To>)
      return value;
    else
      return from_float<To>(to_float(value));
  }
};

// How a block transposes: 1024 values, 32 channels of 32 pixels, or all channels of more pixels where they are fewer.
struct Tile {
  static constexpr int side = 32;
  static constexpr int values = side * side;
  static constexpr int most_slots = 3 * values / 2;  // 512 pixels of 2 channels, with a pitch of 3
  static constexpr int threads = 128;

  Tile(int all_channels, int plane)
      : channels(std::min(all_channels, side)),
        pixels(values / static_cast<int>(std::bit_ceil(static_cast<unsigned>(channels)))),
        pitch(channels | 1),
        channel_tiles(static_cast<int>(steps(all_channels, channels))),
        pixel_tiles(static_cast<int>(steps(plane, pixels))) {}

  int channels, pixels;
  int pitch;  // odd: the pixels of one channel, and the channels of one pixel, are in different banks
  int channel_tiles, pixel_tiles;
};

// A map as a transposition sees it: what lies together are the pixels of a channel, or the channels of a pixel.
template <class T>
struct Side {
  T* data;
  std::int64_t image, pitch;  // between images, between runs of values that lie together
};
template <class T>
Side<T> side_of(const FeatureMap<T>& map) {
  return {map.data, static_cast<std::int64_t>(map.channel_stride) * map.plane(),
          map.block == 1 ? map.plane() : map.channel_stride};
}

// The part of an image that a block has: the first channel and pixel, and how many there are.
struct Part {
  int image, channel, pixel, channels, pixels;

  __device__ Part(const Tile& t, int all_channels, int plane) {
    image = static_cast<int>(blockIdx.x) / t.pixel_tiles;
    pixel = static_cast<int>(blockIdx.x) % t.pixel_tiles * t.pixels;
    channel = static_cast<int>(blockIdx.y) * t.channels;
    channels = min(t.channels, all_channels - channel);
    pixels = min(t.pixels, plane - pixel);
  }
};

// The groups of a thread in a part, one after the other: `fast` runs along the values that lie together. Groups of
// several values take a fixed 32 / width columns, of which the last may be outside: the 32 lanes of a warp are then at
// 32 / width columns of `width` neighboring runs, which an odd pitch puts in 32 banks. Single values take what there
// is: a warp reads 32 values in a row, however few channels a pixel has.
template <int width, bool plain>
struct Walk {
  static constexpr int rounds = Tile::values / width / Tile::threads;  // groups of a thread at most

  int fast_values, slow_values, columns;
  int fast, slow;

  __device__ explicit Walk(const Part& p)
      : fast_values(plain ? p.pixels : p.channels),
        slow_values(plain ? p.channels : p.pixels),
        columns(width == 1 ? fast_values : Tile::side / width) {
    fast = static_cast<int>(threadIdx.x) % columns;
    slow = static_cast<int>(threadIdx.x) / columns;
    step_fast = Tile::threads % columns;
    step_slow = Tile::threads / columns;
  }
  __device__ void next() {
    fast += step_fast;
    slow += step_slow;
    if (fast >= columns) {
      fast -= columns;
      ++slow;
    }
  }
  __device__ bool inside() const { return slow < slow_values && fast * width < fast_values; }
  template <class T>
  __device__ T* in(const Side<T>& side, const Part& p) const {
    const int run = plain ? p.channel : p.pixel, first = plain ? p.pixel : p.channel;
    return side.data + p.image * side.image + (run + slow) * side.pitch + first + fast * width;
  }
  // Of value j of the group, in a tile [pixel][channel].
  __device__ int slot(int pitch, int j) const {
    return plain ? (fast * width + j) * pitch + slow : slow * pitch + fast * width + j;
  }

 private:
  int step_fast, step_slow;
};

// mapping: a block per Tile; bytes: from read, to written, both in runs of neighboring values; operations: none;
// hazard: a row of 32 values in shared memory would put a column into one bank; the pitch is odd.
template <class From, class To, int from_width, int to_width, bool from_plain>
__global__ void __launch_bounds__(Tile::threads)
    transpose(Side<const From> from, Side<To> to, int channels, int plane, Tile t) {
  SHARED(float, tile, [Tile::most_slots]);
  const Part part(t, channels, plane);
  using Reads = Walk<from_width, from_plain>;
  GroupOf<From, from_width> read[Reads::rounds];
  Reads at(part);
#pragma unroll
  for (int u = 0; u < Reads::rounds; ++u, at.next())
    if (at.inside()) read[u] = load_group<GroupOf<From, from_width>>(at.in(from, part));
  at = Reads(part);
#pragma unroll
  for (int u = 0; u < Reads::rounds; ++u, at.next())
    if (at.inside())
#pragma unroll
      for (int j = 0; j < from_width; ++j) tile[at.slot(t.pitch, j)] = to_float(read[u].value[j]);
  __syncthreads();
  using Writes = Walk<to_width, !from_plain>;
  Writes out(part);
#pragma unroll
  for (int u = 0; u < Writes::rounds; ++u, out.next())
    if (out.inside()) {
      GroupOf<To, to_width> group;
#pragma unroll
      for (int j = 0; j < to_width; ++j) group.value[j] = from_float<To>(tile[out.slot(t.pitch, j)]);
      store_group(out.in(to, part), group);
    }
}

template <class From, class To>
void copy_rows(Gpu gpu, const RowShape& shape, const ConvertLayout<From, To>& a, std::int64_t from_pitch,
               std::int64_t to_pitch) {
  run_rows(gpu, shape, RowsOf<To>{a.to.data, to_pitch}, RowInputs<From, 1>{{{a.from.data, from_pitch}}}, Cast<To>{});
}

// Whether a side can be accessed by 16 bytes; `together` values lie together.
template <class T>
bool fits(const Side<T>& side, int together) {
  constexpr int width = Pack<T>::count;
  return aligned16(side.data) && side.image % width == 0 && side.pitch % width == 0 && together % width == 0;
}

// Calls function with the width of a side's groups. A tile of fewer channels than 32 has single values.
template <class T, class Function>
void with_width(const Side<T>& side, int together, int channels, const Function& function) {
  if (channels >= Tile::side && fits(side, together))
    function(std::integral_constant<int, Pack<T>::count>{});
  else
    function(std::integral_constant<int, 1>{});
}

template <bool from_plain, class From, class To>
void run_transpose(Gpu gpu, const ConvertLayout<From, To>& a) {
  const int channels = a.to.channels, plane = a.to.plane();
  const Side<const From> from = side_of(a.from);
  const Side<To> to = side_of(a.to);
  const Tile t(channels, plane);
  with_width(from, from_plain ? plane : channels, channels, [&](auto from_width) {
    with_width(to, from_plain ? channels : plane, channels, [&](auto to_width) {
      launch(gpu, transpose<From, To, from_width(), to_width(), from_plain>,
             dim3(a.to.images * t.pixel_tiles, t.channel_tiles), Tile::threads, 0, from, to, channels, plane, t);
    });
  });
}

template <class T>
bool dense(const FeatureMap<T>& map) {
  return map.channel_stride == map.channels;
}

}  // namespace

template <class From, class To>
void run_on(Gpu gpu, const ConvertLayout<From, To>& a) {
  assert((a.from.block == 1 || a.from.block == a.from.channel_stride) &&
         (a.to.block == 1 || a.to.block == a.to.channel_stride));
  const std::int64_t plane = a.to.plane(), images = a.to.images, channels = a.to.channels;
  // Maps of one pixel lie alike in both orders, and so do those of one channel without a gap.
  const bool from_plain = a.from.block == 1 || plane == 1, to_plain = a.to.block == 1 || plane == 1;
  const bool both_plain = from_plain && to_plain;
  const bool both_last = (!from_plain || a.from.channel_stride == 1) && (!to_plain || a.to.channel_stride == 1);
  if ((both_plain || both_last) && dense(a.from) && dense(a.to))
    copy_rows(gpu, {1, static_cast<std::int64_t>(a.to.elements())}, a, 0, 0);
  else if (both_plain)
    copy_rows(gpu, {images, channels * plane}, a, a.from.channel_stride * plane, a.to.channel_stride * plane);
  else if (both_last)
    copy_rows(gpu, {images * plane, channels}, a, a.from.channel_stride, a.to.channel_stride);
  else if (from_plain)
    run_transpose<true>(gpu, a);
  else
    run_transpose<false>(gpu, a);
}
template void run_on(Gpu, const ConvertLayout<float, float>&);
template void run_on(Gpu, const ConvertLayout<float, bfloat16>&);
template void run_on(Gpu, const ConvertLayout<bfloat16, float>&);
template void run_on(Gpu, const ConvertLayout<bfloat16, bfloat16>&);

}  // namespace preceptor::kernels
