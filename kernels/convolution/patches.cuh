// The matrices that a convolution multiplies without their being in memory, as sources of tile_product.cuh.
#pragma once

#include "kernels/batch_norm/bn_apply.h"
#include "kernels/convolution/convolution.h"
#include "kernels/device/fast_divmod.h"
#include "kernels/device/tile_source.cuh"

namespace preceptor::kernels {

// A direction's window: pixel (y, x) of a grid sees, at tap (i, j), pixel (y step + origin_y + i direction, x step +
// origin_x + j direction) of the map.
struct Window {
  int tap_rows, tap_columns;
  int step, origin_y, origin_x, direction;
};

// Height and width of a map and its padding at most: coordinates have 16 bits.
constexpr int largest_side = 1 << 14;

// Rows: pixels of a grid over all images. Columns: (tap, channel), the channels of a tap next to each other. Values:
// what the pixel's window sees there; zero where it looks beyond the map. With `affine` they pass through a
// ChannelAffine, which what lies beyond the map does not.
template <class Group_, class T, bool affine>
class Patches {
  struct GroupInside {
    Group_ group;
    bool inside;
  };

 public:
  using Group = Group_;
  struct Row {
    int pixel;  // of the map that the first tap sees; may lie beyond it
    int y_x;    // its y in the upper 16 bits and x in the lower: a thread keeps up to 16 rows
  };
  struct Column {
    int pixels, y, x;  // from the first tap's pixel to this tap's
    int channel;
  };
  using Loaded = std::conditional_t<affine, GroupInside, Group>;

  ON_ANY_DEVICE Patches(const FeatureMap<const T>& map, const ChannelAffine& values, int grid_height, int grid_width,
                        const Window& window)
      : rows(map.images * grid_height * grid_width),
        columns(window.tap_rows * window.tap_columns * map.channels),
        map_(map),
        affine_(values),
        window_(window),
        grid_height_(grid_height),
        grid_width_(grid_width),
        channels_(map.channels),
        tap_columns_(window.tap_columns) {}

  int rows, columns;

  __device__ Row row(int i) const {
    if (i >= rows) return {0, static_cast<int>(static_cast<unsigned>(beyond) << 16)};
    const int line = grid_width_.quotient(i), image = grid_height_.quotient(line);
    const int y = (line - image * grid_height_.divisor()) * window_.step + window_.origin_y;
    const int x = (i - line * grid_width_.divisor()) * window_.step + window_.origin_x;
    return {(image * map_.height + y) * map_.width + x,
            static_cast<int>(static_cast<unsigned>(y) << 16 | (static_cast<unsigned>(x) & 0xffffu))};
  }
  __device__ Column column(int j) const {
    if (j >= columns) return {0, beyond, beyond, 0};
    const int tap = channels_.quotient(j), line = tap_columns_.quotient(tap);
    const int y = line * window_.direction, x = (tap - line * tap_columns_.divisor()) * window_.direction;
    return {y * map_.width + x, y, x, j - tap * channels_.divisor()};
  }
  __device__ Loaded load(const Row& row, const Column& column) const {
    const int y = (row.y_x >> 16) + column.y, x = static_cast<std::int16_t>(row.y_x) + column.x;
    const bool inside = static_cast<unsigned>(y) < static_cast<unsigned>(map_.height) &&
                        static_cast<unsigned>(x) < static_cast<unsigned>(map_.width);
    Group group{};
    if (inside)
      group = load_group<Group>(map_.data + static_cast<std::int64_t>(row.pixel + column.pixels) * map_.channel_stride +
                                column.channel);
    if constexpr (affine)
      return {group, inside};
    else
      return group;
  }
  template <class Operand>
  __device__ void convert(const Loaded& loaded, const Column& column, Operand (&operands)[Group::count]) const {
    if constexpr (affine) {
      constexpr int some = Group::count < 4 ? Group::count : 4;  // at once: parameters of 8 channels fill 24 registers
#pragma unroll
      for (int first = 0; first < Group::count; first += some) {
        float mean[some], scale[some], offset[some];
        load_floats(affine_.mean + column.channel + first, mean);
        load_floats(affine_.scale + column.channel + first, scale);
        load_floats(affine_.offset + column.channel + first, offset);
#pragma unroll
        for (int j = 0; j < some; ++j) {
          const float value = bn_apply(to_float(loaded.group.value[first + j]), mean[j], scale[j], offset[j]);
          operands[first + j] = from_float<Operand>(!loaded.inside || (affine_.relu && value < 0) ? 0 : value);
        }
      }
    } else {
#pragma unroll
      for (int j = 0; j < Group::count; ++j) operands[j] = operand_of<Operand>(loaded.value[j]);
    }
  }

 private:
  static constexpr int beyond = -(1 << 15);  // any map, also behind a tap's own distance

  FeatureMap<const T> map_;
  ChannelAffine affine_;
  Window window_;
  FastDivmod grid_height_, grid_width_, channels_, tap_columns_;
};

// The input pixels that a data gradient with stride treats together: those whose distance from the first window's edge
// leaves the same remainders. Only every stride-th tap reaches them, the same taps for all, so that seen from them the
// convolution has stride 1. Taps and pixels of all classes together are those of the convolution: no product is wasted.
struct ResidueClass {
  int tap_y, tap_x;           // the first tap that reaches these pixels
  int tap_rows, tap_columns;  // how many do
  int first_y, first_x;       // the first pixel
  int height, width;          // how many there are in an image
  int origin_y, origin_x;     // the output pixel that the first tap takes to the first pixel

  ON_ANY_DEVICE ResidueClass(const ConvolutionGeometry& g, int map_height, int map_width, int number)
      : tap_y(number / g.stride), tap_x(number % g.stride) {
    const auto count = [&](int first, int size) { return first < size ? (size - first - 1) / g.stride + 1 : 0; };
    // The smallest y >= 0 with (y + padding) % stride = tap.
    const auto first = [&](int tap) { return ((tap - g.padding) % g.stride + g.stride) % g.stride; };
    first_y = first(tap_y);
    first_x = first(tap_x);
    tap_rows = count(tap_y, g.kernel_height);
    tap_columns = count(tap_x, g.kernel_width);
    height = count(first_y, map_height);
    width = count(first_x, map_width);
    origin_y = (first_y + g.padding - tap_y) / g.stride;
    origin_x = (first_x + g.padding - tap_x) / g.stride;
  }
};

// The weights of a class's taps with the output channels as depth. Rows: (tap, output channel), as the columns of the
// patches of d_y. Columns: input channels.
template <class Group_, class T>
class TapWeights {
 public:
  using Group = Group_;
  using Row = const T*;
  using Column = int;
  using Loaded = Group;

  ON_ANY_DEVICE TapWeights(const T* weight, int out_channels, int in_channels, const ConvolutionGeometry& g,
                           const ResidueClass& taps)
      : weight_(weight),
        rows_(taps.tap_rows * taps.tap_columns * out_channels),
        in_channels_(in_channels),
        taps_(taps),
        geometry_(g),
        out_channels_(out_channels),
        tap_columns_(taps.tap_columns) {}

  __device__ Row row(int i) const {
    if (i >= rows_) return nullptr;
    const int tap = out_channels_.quotient(i), line = tap_columns_.quotient(tap);
    const int y = taps_.tap_y + line * geometry_.stride;
    const int x = taps_.tap_x + (tap - line * tap_columns_.divisor()) * geometry_.stride;
    const int out = i - tap * out_channels_.divisor();
    const std::int64_t taps_before = static_cast<std::int64_t>(out) * geometry_.kernel_height + y;
    return weight_ + (taps_before * geometry_.kernel_width + x) * in_channels_;
  }
  __device__ Column column(int j) const { return j < in_channels_ ? j : -1; }
  __device__ Loaded load(Row row, Column column) const {
    return row && column >= 0 ? load_group<Group>(row + column) : Group{};
  }
  template <class Operand>
  __device__ void convert(const Loaded& loaded, Column, Operand (&operands)[Group::count]) const {
#pragma unroll
    for (int j = 0; j < Group::count; ++j) operands[j] = operand_of<Operand>(loaded.value[j]);
  }

 private:
  const T* weight_;
  int rows_, in_channels_;
  ResidueClass taps_;
  ConvolutionGeometry geometry_;
  FastDivmod out_channels_, tap_columns_;
};

}  // namespace preceptor::kernels
