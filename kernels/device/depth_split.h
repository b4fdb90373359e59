// How the sum over all pixels or rows of a batch is divided among blocks: by the shape alone, so that it has one order.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/device/bfloat16.h"

namespace preceptor::kernels {

// A weight gradient has few rows and columns but a long depth. Each share of the depth gets its own partial result, in
// the workspace; a second launch adds them up.
struct DepthSplit {
  static constexpr int least_depth = 256;     // of a share, so that partial results are a fraction of what is read
  static constexpr int enough_blocks = 1024;  // a few for every multiprocessor of a large card

  // value_bytes: of what is multiplied.
  DepthSplit(int rows, int columns, int all_depth, std::size_t value_bytes)
      : depth(all_depth),
        step(static_cast<int>(64 / value_bytes)),
        values((static_cast<std::size_t>(rows) * columns + 3) / 4 * 4) {
    const std::int64_t tiles = static_cast<std::int64_t>((rows + 63) / 64) * ((columns + 63) / 64);
    const auto most = std::min<std::int64_t>(enough_blocks / tiles, depth / least_depth);
    shares = static_cast<int>(std::max<std::int64_t>(most, 1));
  }
  ON_ANY_DEVICE int begin(int share) const {
    const int all_steps = (depth + step - 1) / step;
    const auto at = static_cast<int>(static_cast<std::int64_t>(all_steps) * share / shares) * step;
    return at < depth ? at : depth;
  }
  std::size_t workspace_bytes() const { return shares == 1 ? 0 : shares * values * sizeof(float); }

  int depth, shares;
  int step;            // of the depth, in a staged tile: shares begin at multiples of it
  std::size_t values;  // from one partial result to the next; keeps all of them aligned
};

}  // namespace preceptor::kernels
