// How a GPU divides a channels-last map among blocks: by the shape alone, so that sums have one order on every card.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/device/bfloat16.h"

namespace preceptor::kernels {

// The map as a matrix of rows (the pixels of all images) and channels. A block takes a tile of channels over a slice of
// the rows. `lanes` of its threads stand side by side in a row, each with `width` neighboring channels; together they
// span 128 bytes, a cache line, or all channels if those are fewer. Wider tiles would leave fewer rows, over which what
// a block writes and reads beside the map is spread.
struct Tiling {
  static constexpr int threads = 512;  // of a block
  static constexpr int most_lanes(int width) { return width == 1 ? 32 : 8; }

  Tiling(int all_rows, int all_channels, int channels_of_thread)
      : rows(all_rows), channels(all_channels), width(channels_of_thread), lanes(1) {
    while (lanes < most_lanes(width) && lanes * width < channels) lanes *= 2;
    tiles = (channels + lanes * width - 1) / (lanes * width);
    // At least four rows a thread; no more blocks than two waves of a large card, whose partial sums one block adds up.
    slices = std::clamp(rows / (4 * rows_at_once()), 1, std::clamp(512 / tiles, 1, 256));
  }

  ON_ANY_DEVICE int rows_at_once() const { return threads / lanes; }
  ON_ANY_DEVICE int tile_channels() const { return lanes * width; }
  ON_ANY_DEVICE int first_row(int slice) const {
    return static_cast<int>(static_cast<std::int64_t>(rows) * slice / slices);
  }
  // Floats between the partial sums of two slices; keeps every group of 4 channels aligned.
  ON_ANY_DEVICE std::size_t stride() const { return static_cast<std::size_t>(channels + 3) / 4 * 4; }
  // Two partial sums for every channel and share, and two results for every channel.
  std::size_t workspace_bytes() const { return (2 * static_cast<std::size_t>(slices) + 2) * stride() * sizeof(float); }

  int rows, channels;
  int width;  // 16 bytes of storage, or 1
  int lanes;  // a power of two
  int tiles, slices;
};

}  // namespace preceptor::kernels
