// How the depth of a product is divided among blocks: by the shape alone, so that every sum has one order on all cards.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/device/bfloat16.h"

namespace preceptor::kernels {

// Each share of the depth gets its own partial result, in the workspace; a second launch adds them up.
struct SplitK {
  // value_bytes: of what is multiplied. values: of a partial result, a multiple of 4, which keeps all of them aligned.
  SplitK(int all_depth, std::int64_t most_slices, std::size_t value_bytes, std::size_t partial_values)
      : depth(all_depth), values(partial_values) {
    const int step = static_cast<int>(64 / value_bytes);  // of a staged tile: slices begin at multiples of it
    const int all_steps = (depth + step - 1) / step, most = static_cast<int>(std::max<std::int64_t>(most_slices, 1));
    slice_depth = (all_steps + most - 1) / most * step;
    slices = std::max((depth + slice_depth - 1) / slice_depth, 1);
  }
  ON_ANY_DEVICE int begin(int slice) const {
    const int at = slice * slice_depth;
    return at < depth ? at : depth;
  }
  std::size_t workspace_bytes() const { return slices == 1 ? 0 : slices * values * sizeof(float); }

  int depth, slice_depth, slices;
  std::size_t values;  // from one partial result to the next
};

// A weight gradient has few rows and columns but a long depth, the pixels or rows of a batch.
inline SplitK split_of_gradient(int rows, int columns, int depth, std::size_t value_bytes) {
  constexpr int least_depth = 256;     // of a slice, so that partial results are a fraction of what is read
  constexpr int enough_blocks = 1024;  // a few for every multiprocessor of a large card
  const std::int64_t tiles = static_cast<std::int64_t>((rows + 63) / 64) * ((columns + 63) / 64);
  return {depth, std::min<std::int64_t>(enough_blocks / tiles, depth / least_depth), value_bytes,
          (static_cast<std::size_t>(rows) * columns + 3) / 4 * 4};
}

constexpr int blocks_that_fill = 264;  // a large card: two for each of 132 multiprocessors
constexpr int narrow_columns = 32;     // results of at most so many columns have narrow tiles

// Rows of a product's partial results are whole groups of 4.
ON_ANY_DEVICE inline int partial_stride(int columns) { return (columns + 3) / 4 * 4; }

// Any other product is divided where its tiles leave most of a card idle.
inline SplitK split_of_product(int rows, int columns, int depth, std::size_t value_bytes) {
  // Of a slice: in a tile of 64 x 64 bfloat16, its partial results then move no more bytes than the operands they are
  // of.
  constexpr int least_depth = 128;
  const std::int64_t tiles = columns <= narrow_columns
                                 ? (rows + std::int64_t{127}) / 128
                                 : (rows + std::int64_t{63}) / 64 * ((columns + std::int64_t{63}) / 64);
  return {depth, std::min<std::int64_t>(blocks_that_fill / tiles, depth / least_depth), value_bytes,
          static_cast<std::size_t>(rows) * partial_stride(columns)};
}

}  // namespace preceptor::kernels
