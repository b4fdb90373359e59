// Augmentation on cuda and emulated: rows that are moved by whole pixels, and images that are read between pixels.
#include "kernels/augment/augment.h"

#include <algorithm>
#include <cassert>

#include "kernels/augment/tone.h"
#include "kernels/device/gpu.h"
#include "kernels/device/tile.cuh"

namespace preceptor::kernels {
namespace {

constexpr int warps = 8;  // per block
constexpr int threads = warps * warp_size;
constexpr int tile_values_most = 2048;  // of the rows that a block moves
constexpr int longest_row = 8192;       // values of one that a block can move

// The change of the block's image, drawn by one thread.
template <class T>
__device__ Change change_of_block(const Augment<T>& a, int image) {
  SHARED(Change, change, );
  if (threadIdx.x == 0) {
    const Change own =
        change_of(a, image);  // a function's result, written to shared memory as such, would go unwatched
    change = own;
  }
  __syncthreads();
  return change;
}

// mapping: a block takes neighboring rows of an image, which come from as many neighboring rows or fewer; a warp
// takes one row at a time, each lane every 32nd value; bytes: a byte read and a T written per value, in 16-byte pieces
// wherever rows begin, in single values where the map is a range of a wider one; operations: 2 per value, with noise 80
// more; hazard: in global memory a moved row begins at any byte, so the bytes are moved in shared memory, where 32
// neighboring ones are in as many banks or fewer.
template <class T, int channels>
__global__ void __launch_bounds__(threads)
    move_rows(const Augment<T> a, const Shades shades, int tile_rows, int tiles) {
  const int image = static_cast<int>(blockIdx.x) / tiles, tile = static_cast<int>(blockIdx.x) - image * tiles;
  const int height = a.out.height, width = a.out.width, row_values = width * channels;
  const int lane = static_cast<int>(threadIdx.x) % warp_size, warp = static_cast<int>(threadIdx.x) / warp_size;
  const int first_row = tile * tile_rows, rows = min(tile_rows, height - first_row);
  const bool whole_map = a.out.channel_stride == channels;
  T* const to = a.out.data + (static_cast<std::int64_t>(image) * height + first_row) * width * a.out.channel_stride;
  T* const results = dynamic_shared<T>();
  std::uint8_t* const pixels = reinterpret_cast<std::uint8_t*>(results + tile_values<T>(tile_rows * row_values));

  const Change change = change_of_block(a, image);
  const int right = static_cast<int>(change.motion.right >> pixel_bits),
            down = static_cast<int>(change.motion.down >> pixel_bits);
  const auto source_row = [&](int y) { return max(0, min(height - 1, y - down)); };
  const int first_source = source_row(first_row), sources = source_row(first_row + rows - 1) - first_source + 1;
  const std::uint8_t* const from = stored_image(a, image) + static_cast<std::int64_t>(first_source) * row_values;
  const Placement pixel_run(from, sources * row_values, true), result_run(to, rows * row_values, true);
  stage(pixels, from, pixel_run);
  copy_async_commit();
  copy_async_wait<0>();
  __syncthreads();

  for (int row = warp; row < rows; row += warps) {
    const std::uint8_t* const source =
        pixels + pixel_run.shift + (source_row(first_row + row) - first_source) * row_values;
    for (int i = lane; i < row_values; i += warp_size) {
      const int x = i / channels, channel = i - x * channels;
      int column = max(0, min(width - 1, x - right));
      if (change.motion.flip) column = width - 1 - column;
      float value = shades(static_cast<float>(source[column * channels + channel]), change.tone, channel);
      if (shades.noisy) value = shades.with_noise(value, noise_of(a, image, x, first_row + row), channel);
      if (shades.cuts(change.tone, x, first_row + row)) value = 0;
      const T result = from_float<T>(value);
      if (whole_map)
        results[result_run.shift + row * row_values + i] = result;
      else
        to[(static_cast<std::int64_t>(row) * width + x) * a.out.channel_stride + channel] = result;
    }
  }
  __syncthreads();
  if (whole_map) unstage(to, results, result_run);
}

// mapping: a block takes 8 rows of 32 neighboring pixels, a warp a row, a lane a pixel with all its channels; bytes:
// four pixels read per pixel, nearly all from L1, as neighbors have neighbors in common; a T written per value;
// operations: about 40 per pixel and 8 per value; hazard: a lane's channels are neighbors, not a warp's, so results
// change lanes in shared memory before they leave.
template <class T, int channels>
__global__ void __launch_bounds__(threads)
    sample_pixels(const Augment<T> a, const Shades shades, int tiles_across, int tiles) {
  SHARED(T, results, [warps][warp_size * channels]);
  const int image = static_cast<int>(blockIdx.x) / tiles, tile = static_cast<int>(blockIdx.x) - image * tiles;
  const int height = a.out.height, width = a.out.width;
  const int lane = static_cast<int>(threadIdx.x) % warp_size, warp = static_cast<int>(threadIdx.x) / warp_size;
  const int first = tile % tiles_across * warp_size, x = first + lane, y = tile / tiles_across * warps + warp;
  const bool present = x < width && y < height;

  const Change change = change_of_block(a, image);
  if (present) {
    const Neighbors row(change.motion.row(x, y, height, width), height);
    Neighbors column(change.motion.column(x, y, height, width), width);
    if (change.motion.flip) flip(column, width);
    const std::uint8_t* const pixels = stored_image(a, image);
    const auto noise = shades.noisy ? noise_of(a, image, x, y) : std::array<std::uint32_t, 4>{};
    const bool cut = shades.cuts(change.tone, x, y);
#pragma unroll
    for (int channel = 0; channel < channels; ++channel) {
      float value = shades(sample<channels>(pixels, width, row, column, channel), change.tone, channel);
      if (shades.noisy) value = shades.with_noise(value, noise, channel);
      results[warp][lane * channels + channel] = from_float<T>(cut ? 0.0f : value);
    }
  }
  __syncwarp();
  if (y >= height) return;
  T* const to = a.out.data + ((static_cast<std::int64_t>(image) * height + y) * width + first) * a.out.channel_stride;
  for (int i = lane; i < min(warp_size, width - first) * channels; i += warp_size)
    to[i / channels * a.out.channel_stride + i % channels] = results[warp][i];
}

template <int channels, class T>
void augment(Gpu gpu, const Augment<T>& a) {
  const Shades shades(a);
  const int height = a.out.height, width = a.out.width, row_values = width * channels;
  if (a.between_pixels() || row_values > longest_row) {
    const int across = static_cast<int>(steps(width, warp_size)),
              tiles = across * static_cast<int>(steps(height, warps));
    launch(gpu, sample_pixels<T, channels>, static_cast<std::int64_t>(a.out.images) * tiles, threads, 0, a, shades,
           across, tiles);
    return;
  }
  const int tile_rows = std::clamp(tile_values_most / row_values, 1, height);
  const int tiles = static_cast<int>(steps(height, tile_rows)), values = tile_rows * row_values;
  const std::size_t shared = sizeof(T) * tile_values<T>(values) + tile_values<std::uint8_t>(values);
  launch(gpu, move_rows<T, channels>, static_cast<std::int64_t>(a.out.images) * tiles, threads, shared, a, shades,
         tile_rows, tiles);
}

}  // namespace

template <class T>
void run_on(Gpu gpu, const Augment<T>& a) {
  assert(a.out.block == a.out.channel_stride);
  if (a.out.channels == 1) return augment<1>(gpu, a);
  if (a.out.channels == 2) return augment<2>(gpu, a);
  augment<3>(gpu, a);
}
INSTANTIATE_RUN_ON(Augment);

}  // namespace preceptor::kernels
