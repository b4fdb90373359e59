// How a batch norm on the cpu passes over its maps, in both directions: sums without a long walk of float additions, in
// an order that does not depend on the threads, then every element once.
#pragma once

#include <omp.h>

#include <algorithm>

#include "kernels/device/cpu_loops.h"
#include "kernels/device/feature_map.h"

namespace preceptor::kernels {

constexpr int chunk = 4096;  // values: 16 KiB, so a chunk that needs a second look is still in L1

// Groups whose sums are added up before they join those of the chunk: 4 + 16 additions in a row round less than 64.
constexpr int values_in_run = 16 * chunk_size;

// sum[j] and other[j] of all groups of values, lane by lane and run by run; body(i, j, first, second) adds value i + j.
template <class Body>
void add_in_runs(int values, float (&sum)[chunk_size], float (&other)[chunk_size], const Body& body) {
  const int rest = values - values % chunk_size;
  const auto add_run = [&](int begin, float(&first)[chunk_size], float(&second)[chunk_size]) {
    const int end = std::min(begin + values_in_run, rest);
    for (int i = begin; i < end; i += chunk_size)
      for (int j = 0; j < chunk_size; ++j) body(i, j, first[j], second[j]);
  };
  float all_first[chunk_size] = {}, all_second[chunk_size] = {};  // not the arguments: these stay in registers
  add_run(0, all_first, all_second);
  for (int begin = values_in_run; begin < rest; begin += values_in_run) {
    float first[chunk_size] = {}, second[chunk_size] = {};
    add_run(begin, first, second);
    for (int j = 0; j < chunk_size; ++j) {
      all_first[j] += first[j];
      all_second[j] += second[j];
    }
  }
  std::copy_n(all_first, chunk_size, sum);
  std::copy_n(all_second, chunk_size, other);
#pragma omp simd
  for (int j = 0; j < values - rest; ++j) body(rest, j, sum[j], other[j]);
}

// Images are summed in at most this many groups, merged in order: the result does not depend on the threads.
constexpr int most_groups = 16;

struct ImageGroups {
  int images, count;
  // A group has at least a chunk of values: merging groups costs as much as summing hundreds of values.
  ImageGroups(int all, int values_per_image)
      : images(all),
        count(std::clamp(static_cast<int>(static_cast<long>(all) * values_per_image / chunk), 1,
                         std::min(all, most_groups))) {}
  int first(int group) const { return static_cast<int>(static_cast<long>(images) * group / count); }
};

// What bn_apply() takes of the channels of a block, tiled over the lanes.
struct TiledAffine {
  float mean[chunk_size], scale[chunk_size], offset[chunk_size];

  // From [block] values each; of_offset is nullptr: not needed.
  template <int block>
  void set(const float* of_mean, const float* of_scale, const float* of_offset) {
    tile_chunk<block>(of_mean, mean);
    tile_chunk<block>(of_scale, scale);
    if (of_offset) tile_chunk<block>(of_offset, offset);
  }
};

// One thread per channel block keeps small maps in its cache between the two passes; where that would leave threads
// without work, the images are split as well.
inline bool one_thread_per_block(int channel_blocks) {
  const int threads = omp_get_max_threads();
  return channel_blocks % threads == 0 || channel_blocks >= 8 * threads;
}

// Calls finish(channel block, Sums) for all channel blocks of a map, with what sum(channel block, first image, last
// image) gives for groups of its images, merged in order.
template <class Sums, class Sum, class Finish>
void reduce(const FeatureMap<const float>& x, const Sum& sum, const Finish& finish) {
  const int blocks = x.channel_blocks();
  const ImageGroups groups(x.images, x.plane() * x.block);
  [[maybe_unused]] const bool threaded = worth_threads(x.elements());
  if (one_thread_per_block(blocks)) {
#pragma omp parallel for schedule(static) if (threaded)
    for (int channel_block = 0; channel_block < blocks; ++channel_block) {
      Sums total = sum(channel_block, 0, groups.first(1));
      for (int group = 1; group < groups.count; ++group)
        total.merge(sum(channel_block, groups.first(group), groups.first(group + 1)));
      finish(channel_block, total);
    }
    return;
  }
  Sums* partial = scratch<Sums>(static_cast<std::size_t>(blocks) * groups.count);
#pragma omp parallel if (threaded)
  {
#pragma omp for schedule(static)
    for (int task = 0; task < blocks * groups.count; ++task) {
      const int group = task / blocks;
      partial[task] = sum(task % blocks, groups.first(group), groups.first(group + 1));
    }
#pragma omp for schedule(static)
    for (int channel_block = 0; channel_block < blocks; ++channel_block) {
      Sums total = partial[channel_block];
      for (int group = 1; group < groups.count; ++group) total.merge(partial[group * blocks + channel_block]);
      finish(channel_block, total);
    }
  }
}

// Then calls apply(image, channel block, the Coefficients that finish(channel block, Sums, Coefficients&) has set) for
// every image: the last first, because the last ones are still in the cache.
template <class Sums, class Coefficients, class Sum, class Finish, class Apply>
void reduce_and_apply(const FeatureMap<const float>& x, const Sum& sum, const Finish& finish, const Apply& apply) {
  const int blocks = x.channel_blocks();
  const bool at_once = one_thread_per_block(blocks);
  Coefficients* coefficients = scratch<Coefficients>(blocks);
  reduce<Sums>(x, sum, [&](int channel_block, const Sums& total) {
    finish(channel_block, total, coefficients[channel_block]);
    if (!at_once) return;
    for (int image = x.images - 1; image >= 0; --image) apply(image, channel_block, coefficients[channel_block]);
  });
  if (at_once) return;
#pragma omp parallel for schedule(static) if (worth_threads(x.elements()))
  for (int task = 0; task < blocks * x.images; ++task) apply(task / blocks, task % blocks, coefficients[task % blocks]);
}

}  // namespace preceptor::kernels
