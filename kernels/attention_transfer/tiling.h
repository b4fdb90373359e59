// How a GPU divides the positions of channels-last maps among warps: by the shape alone.
#pragma once

#include <algorithm>
#include <cstddef>

#include "kernels/attention_transfer/attention_transfer.h"

namespace preceptor::kernels {

// A warp takes a tile of neighbouring positions of one image. `lanes` of its threads stand side by side in the channels
// of a position, so that some positions are read at once; a tile has at least these, and at most 32, whose attention
// then is one access of the warp. The fewer positions there are, the smaller are the tiles.
struct AttentionTiling {
  static constexpr int warps = 8;  // of a block, all in one image
  static constexpr int threads = 32 * warps;

  AttentionTiling(int image_count, int positions, int most_channels, int channels_of_pack)
      : images(image_count), plane(positions) {
    while (lanes < 32 && lanes * channels_of_pack < most_channels) lanes *= 2;
    constexpr int warps_for_all = 132 * 32;  // half of what a large card can hold
    const auto tiles = [&] { return static_cast<long>(images) * ((plane + tile - 1) / tile); };
    while (tile > 32 / lanes && tiles() < warps_for_all) tile /= 2;
    shares = (plane + warps * tile - 1) / (warps * tile);
  }

  ON_ANY_DEVICE int positions_at_once() const { return 32 / lanes; }
  ON_ANY_DEVICE int first_position(int share, int warp) const { return (share * warps + warp) * tile; }

  int images, plane;
  int lanes = 1;   // a power of two
  int tile = 32;   // a power of two, a multiple of positions_at_once()
  int shares = 1;  // blocks of an image
};

template <class T>
AttentionTiling tiling_of(const AttentionTransfer<T>& a) {
  return {a.student.images, a.student.plane(), std::max(a.student.channels, a.teacher.channels),
          static_cast<int>(16 / sizeof(T))};
}

// What the two launches exchange.
struct AttentionWorkspace {
  ON_ANY_DEVICE AttentionWorkspace(void* memory, const AttentionTiling& t)
      : products(static_cast<double*>(memory)),
        student(reinterpret_cast<float*>(products + 3 * static_cast<std::size_t>(t.images) * t.shares)),
        teacher(student + static_cast<std::size_t>(t.images) * t.plane) {}

  static std::size_t bytes(const AttentionTiling& t) {
    return static_cast<std::size_t>(t.images) * (3 * sizeof(double) * t.shares + 2 * sizeof(float) * t.plane);
  }

  double* products;  // [images][shares][3] sums of student^2, teacher^2 and student * teacher
  float* student;    // [images][plane] sum over channels of map^2
  float* teacher;    // likewise
};

}  // namespace preceptor::kernels
