// How a GPU divides the positions of channels-last maps among warps: by the shape alone.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "kernels/attention_transfer/attention_transfer.h"

namespace preceptor::kernels {

// A block takes neighboring positions of one image, each of its warps a tile of them. `lanes` of a warp's threads
// stand side by side in the channels of a position, so that some positions are read at once; a tile has at least these,
// and at most 32. The fewer positions there are, the smaller are the tiles.
struct AttentionTiling {
  static constexpr int warps = 8;  // of a block
  static constexpr int threads = 32 * warps;

  AttentionTiling(int image_count, int positions, int most_channels, int channels_of_pack)
      : images(image_count), plane(positions) {
    while (lanes < 32 && lanes * channels_of_pack < most_channels) lanes *= 2;
    constexpr int warps_for_all = 132 * 32;  // half of what a large card can hold
    const auto tiles = [&] { return static_cast<long>(images) * ((plane + tile - 1) / tile); };
    while (tile > 32 / lanes && tiles() < warps_for_all) tile /= 2;
    slices = (plane + block_positions() - 1) / block_positions();
  }

  ON_ANY_DEVICE int positions_at_once() const { return 32 / lanes; }
  ON_ANY_DEVICE int block_positions() const { return warps * tile; }

  int images, plane;
  int lanes = 1;   // a power of two
  int tile = 32;   // a power of two, a multiple of positions_at_once()
  int slices = 1;  // blocks of an image
};
template <class T>
AttentionTiling tiling_of(const AttentionTransfer<T>& a) {
  return {a.student.images, a.student.plane(), std::max(a.student.channels, a.teacher.channels),
          static_cast<int>(16 / sizeof(T))};
}

// The loss of an image whose normalized attentions differ by the sum of squares `square`, and its derivative by that.
struct AttentionScale {
  double loss, slope;

  template <class T>
  ON_ANY_DEVICE AttentionScale(const AttentionTransfer<T>& a, double square) {
    const double whole = static_cast<double>(a.weight) / a.student.images;
    slope = whole / (static_cast<double>(a.student.height) * a.student.width);
    loss = slope * square;
    if (!a.root) return;
    const double norm = std::sqrt(square);
    loss = whole * norm;
    slope = norm == 0 ? 0 : whole / (2 * norm);  // a norm of 0 has no direction
  }
};

// What the gradient of an image needs of all its positions.
struct ImageTerms {
  double by_student, by_teacher;  // inverse norms of the sums of squares, which are channels times the attentions
  double slope;                   // of the loss by the squared difference (AttentionScale)
  double projection;              // of the difference on the student's
};

// What blocks and launches exchange.
struct AttentionWorkspace {
  static constexpr int pitch = 4;  // of the products of two blocks: one sector each

  ON_ANY_DEVICE AttentionWorkspace(void* memory, const AttentionTiling& t)
      : terms(static_cast<ImageTerms*>(memory)),
        products(reinterpret_cast<double*>(terms + t.images)),
        student(reinterpret_cast<float*>(products + pitch * static_cast<std::size_t>(t.images) * t.slices)),
        teacher(student + static_cast<std::size_t>(t.images) * t.plane) {}

  static std::size_t bytes(const AttentionTiling& t) {
    const std::size_t of_image = sizeof(ImageTerms) + pitch * sizeof(double) * t.slices + 2 * sizeof(float) * t.plane;
    return t.images * of_image;
  }

  ON_ANY_DEVICE double* products_of(int block) const { return products + pitch * static_cast<std::size_t>(block); }

  ImageTerms* terms;  // [images]
  double* products;   // [images][slices][pitch] sums of student^2, teacher^2 and student * teacher
  float* student;     // [images][plane] sum over channels of map^2
  float* teacher;     // likewise
};

}  // namespace preceptor::kernels
