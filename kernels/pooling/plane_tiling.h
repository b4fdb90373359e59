// How a GPU divides the planes that are averaged as a whole: by the shape alone, so that sums
// have one order everywhere.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "kernels/device/bfloat16.h"

namespace preceptor::kernels {

// A block takes a tile of channels, 128 bytes wide or all channels if those are fewer, of one image over a slice of the
// pixels. `lanes` of its threads stand side by side in a pixel, each with `width` neighboring channels.
struct PlaneTiling {
  static constexpr int most_threads = 512;
  static constexpr int least_pixels = 8;  // per thread
  static constexpr int most_lanes(int width) { return width == 1 ? 32 : 8; }

  PlaneTiling(int all_images, int plane, int all_channels, int channels_of_thread)
      : images(all_images), pixels(plane), channels(all_channels), width(channels_of_thread), lanes(1) {
    while (lanes < most_lanes(width) && lanes * width < channels) lanes *= 2;
    tiles = (channels + lanes * width - 1) / (lanes * width);
    // Eight pixels a thread, over which what it reads or writes beside the map is spread: a plane of 7 x 7 is the work
    // of one warp.
    const auto wanted = static_cast<int>(std::bit_floor(static_cast<unsigned>(std::max(pixels / least_pixels, 1))));
    rows = std::clamp(wanted, 32 / lanes, most_threads / lanes);
    // A plane is shared only where images and tiles are too few for a large card: then 512 blocks, about
    // four for each multiprocessor.
    const std::int64_t blocks = static_cast<std::int64_t>(images) * tiles;
    slices =
        std::clamp(pixels / (least_pixels * rows), 1, static_cast<int>(std::clamp<std::int64_t>(512 / blocks, 1, 256)));
  }

  ON_ANY_DEVICE int threads() const { return rows * lanes; }
  ON_ANY_DEVICE int first_pixel(int slice) const {
    return static_cast<int>(static_cast<std::int64_t>(pixels) * slice / slices);
  }
  // Floats between the partial sums of two images; keeps every group of 4 channels aligned.
  ON_ANY_DEVICE std::size_t stride() const { return static_cast<std::size_t>(channels + 3) / 4 * 4; }
  // A partial sum for every slice, image and channel.
  std::size_t workspace_bytes() const {
    return slices == 1 ? 0 : static_cast<std::size_t>(slices) * images * stride() * sizeof(float);
  }

  int images, pixels, channels;
  int width;  // 16 bytes of storage, or 1
  int lanes;  // a power of two
  int rows;   // pixels at once, a power of two
  int tiles, slices;
};

}  // namespace preceptor::kernels
