// Windows over channels-last maps: who takes which position, what lies under a window and which windows
// lie over a cell.
#pragma once

#include <algorithm>

#include "kernels/device/channels_last.cuh"
#include "kernels/pooling/window.h"

namespace preceptor::kernels {

// How a GPU divides the positions of all images. A thread takes a group of channels in one column and walks down some
// rows: its place in a row costs one division, and rows that two windows share are still in L1 for the second.
struct Columns {
  static constexpr int most_threads = 256;

  Columns(int images, int height_of_image, int width, int channel_groups)
      : height(height_of_image), groups(channel_groups), rows(images * height), row_groups(width * groups) {
    threads = static_cast<int>(std::min<std::int64_t>(steps(row_groups, warp_size) * warp_size, most_threads));
    parts = static_cast<int>(steps(row_groups, threads));
    // Eight rows a thread where the work allows it: where a thousand blocks, eight for each multiprocessor, are left.
    slices = static_cast<int>(steps(rows, std::clamp(static_cast<int>(std::int64_t{rows} * parts / 1024), 1, 8)));
  }

  int height, groups;    // rows of an image, groups of channels in a position
  int rows, row_groups;  // in all images, in a row
  int threads, parts;    // per block, blocks along a row
  int slices;            // blocks down the rows
};

// Calls body(image, row of the image, column, first channel) for the positions of a thread.
template <int width, class Body>
__device__ void for_each_position(const Columns& c, const Body& body) {
  const int in_row = static_cast<int>(blockIdx.y * blockDim.x + threadIdx.x);
  if (in_row >= c.row_groups) return;
  const int column = in_row / c.groups, channel = in_row % c.groups * width;
  const auto first_row = [&](unsigned slice) {
    return static_cast<int>(static_cast<std::int64_t>(c.rows) * slice / c.slices);
  };
  const int first = first_row(blockIdx.x), last = first_row(blockIdx.x + 1);
  int image = first / c.height, row = first % c.height;
  for (int i = first; i < last; ++i) {
    body(image, row, column, channel);
    if (++row == c.height) {
      row = 0;
      ++image;
    }
  }
}

// Calls visit(row * window + column, group) for the positions of a window that are not padding, from first to last.
// The loads of three columns are on their way together: most windows of networks are no wider.
template <class Group, class Arguments, class Visit>
__device__ void for_each_input(const Arguments& a, int image, int out_row, int out_column, int channel,
                               const Visit& visit) {
  constexpr int unroll = 3;
  const int top = out_row * a.stride - a.padding, left = out_column * a.stride - a.padding;
  const Range rows = inputs_under(a, out_row, a.x.height), columns = inputs_under(a, out_column, a.x.width);
  for (int row = rows.begin; row < rows.end; ++row) {
    const int pixel = (image * a.x.height + row) * a.x.width;
    for (int column = left; column < columns.end; column += unroll) {
      Group x[unroll];
      bool inside[unroll];
#pragma unroll
      for (int u = 0; u < unroll; ++u) {
        inside[u] = column + u >= columns.begin && column + u < columns.end;
        if (inside[u]) x[u] = load_group<Group>(row_at(a.x, pixel + column + u, channel));
      }
#pragma unroll
      for (int u = 0; u < unroll; ++u)
        if (inside[u]) visit((row - top) * a.window + column + u - left, x[u]);
    }
  }
}

// The inputs in cells of stride x stride that begin at multiples of the stride, counted from the padding's corner: cell
// (i, j) lies under the outputs (i - k, j - l) for k and l below `over` = ceil(window / stride), and input (r, c) of it
// is position (r + k stride, c + l stride) of their windows, where that exists. So gradients are gathered without a
// division, and an output is loaded once for a cell.
//
// A Source gives what an output contributes to an input's gradient: load(), and at(value of the group, position), which
// is 0 without load().
template <class Source, class Arguments>
__device__ Source load_source(const Arguments& a, int image, int row, int column, int channel) {
  Source source;
  if (row >= 0 && row < a.d_y.height && column >= 0 && column < a.d_y.width)
    source.load(a, image, row, column, channel);
  return source;
}

// `kept` is `over` where a thread has room for the sources of a cell, or 0: then they are loaded for every input again.
template <class Group, class Source, int kept, class Arguments>
__device__ void gather_cell(const Arguments& a, int image, int cell_row, int cell_column, int channel) {
  Source sources[kept == 0 ? 1 : kept][kept == 0 ? 1 : kept];
#pragma unroll
  for (int k = 0; k < kept; ++k)
#pragma unroll
    for (int l = 0; l < kept; ++l)
      sources[k][l] = load_source<Source>(a, image, cell_row - k, cell_column - l, channel);
  const auto source_at = [&](int k, int l) {
    if constexpr (kept > 0)
      return sources[k][l];
    else
      return load_source<Source>(a, image, cell_row - k, cell_column - l, channel);
  };
  const int over = kept > 0 ? kept : (a.window + a.stride - 1) / a.stride;
  const int top = cell_row * a.stride - a.padding, left = cell_column * a.stride - a.padding;
  for (int row = max(top, 0); row < min(top + a.stride, a.d_x.height); ++row)
    for (int column = max(left, 0); column < min(left + a.stride, a.d_x.width); ++column) {
      float sum[Group::count] = {};
#pragma unroll
      for (int k = over - 1; k >= 0; --k)
#pragma unroll
        for (int l = over - 1; l >= 0; --l) {
          const int window_row = row - top + k * a.stride, window_column = column - left + l * a.stride;
          if (window_row >= a.window || window_column >= a.window) continue;
          const Source source = source_at(k, l);
#pragma unroll
          for (int j = 0; j < Group::count; ++j) sum[j] += source.at(j, window_row * a.window + window_column);
        }
      Group d_x;
#pragma unroll
      for (int j = 0; j < Group::count; ++j) d_x.value[j] = from_float<std::decay_t<decltype(d_x.value[j])>>(sum[j]);
      store_group(row_at(a.d_x, (image * a.d_x.height + row) * a.d_x.width + column, channel), d_x);
    }
}

// Cells along a side of the input: the last has the input's last row or column.
template <class Arguments>
int cells(const Arguments& a, int in_size) {
  return (in_size - 1 + a.padding) / a.stride + 1;
}

}  // namespace preceptor::kernels
