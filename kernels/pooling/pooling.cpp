// Pooling on the cpu: the channels of a block are the vector lanes; gradients are gathered, so they are written once.
#include "kernels/pooling/pooling.h"

#include <algorithm>
#include <limits>

#include "kernels/device/lanes.h"

namespace preceptor::kernels {
namespace {

struct Range {
  int begin, end;
  int size() const { return end - begin; }
};

// Rows (or columns) of x under output `out`, without the padding.
Range covered_inputs(int out, int window, int stride, int padding, int size) {
  const int first = out * stride - padding;
  return {std::max(first, 0), std::min(first + window, size)};
}

// Outputs whose window covers row (or column) `in`.
Range covering_outputs(int in, int window, int stride, int padding, int out_size) {
  const int last = in + padding, first = last - window + 1;
  return {first > 0 ? (first + stride - 1) / stride : 0, std::min(last / stride + 1, out_size)};
}

// Calls function(image, channel block) for all planes, in parallel when the work is worth it.
template <class T, class Function>
void for_each_plane(const FeatureMap<T>& map, std::size_t values, const Function& function) {
  const int blocks = map.channel_blocks();
#pragma omp parallel for schedule(static) if (values >= parallel_from)
  for (int task = 0; task < map.images * blocks; ++task) function(task / blocks, task % blocks);
  static_cast<void>(values);
}

// The channels of a block as one vector: element-wise operators, comparisons give integer masks.
template <int block>
using Values [[gnu::vector_size(block * sizeof(float))]] = float;
template <int block>
using Indices [[gnu::vector_size(block * sizeof(std::int32_t))]] = std::int32_t;

}  // namespace
}  // namespace preceptor::kernels
