// Which inputs lie under a window, and what an average weighs them with: the same on all devices.
#pragma once

#include <algorithm>

#include "kernels/device/bfloat16.h"

namespace preceptor::kernels {

struct Range {
  int begin, end;
};

// Rows (or columns) of the input under output `out`, without the padding.
template <class Arguments>
ON_ANY_DEVICE Range inputs_under(const Arguments& a, int out, int in_size) {
  const int first = out * a.stride - a.padding;
  return {std::max(first, 0), std::min(first + a.window, in_size)};
}

// 1 / the number of positions that a window divides by.
template <class Arguments>
ON_ANY_DEVICE float average_weight(const Arguments& a, const Range& rows, const Range& columns) {
  const int positions = a.count_padding ? a.window * a.window : (rows.end - rows.begin) * (columns.end - columns.begin);
  return 1 / static_cast<float>(positions);
}

}  // namespace preceptor::kernels
