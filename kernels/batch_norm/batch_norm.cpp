// Batch normalisation on the cpu: statistics in one pass over memory without cancellation, then one pass that applies.
#include "kernels/batch_norm/batch_norm.h"

#include <omp.h>

#include <algorithm>
#include <cmath>

#include "kernels/batch_norm/normalise.h"
#include "kernels/device/lanes.h"

namespace preceptor::kernels {
namespace {

using Forward = BatchNormForward<float>;
using Backward = BatchNormBackward<float>;

constexpr int chunk = 4096;  // values: 16 KiB, so a chunk that needs a second look is still in L1

// Groups whose sums are added up before they join those of the chunk: 4 + 16 additions in a row round less than 64.
constexpr int run = 16 * lanes;

// sum[j] and other[j] of all groups of values, lane by lane and run by run; body(i, j, first, second) adds value i + j.
template <class Body>
void add_in_runs(int values, float (&sum)[lanes], float (&other)[lanes], const Body& body) {
  const int rest = values - values % lanes;
  const auto add_run = [&](int begin, float(&first)[lanes], float(&second)[lanes]) {
    const int end = std::min(begin + run, rest);
    for (int i = begin; i < end; i += lanes)
      for (int j = 0; j < lanes; ++j) body(i, j, first[j], second[j]);
  };
  float all_first[lanes] = {}, all_second[lanes] = {};  // not the arguments: these stay in registers
  add_run(0, all_first, all_second);
  for (int begin = run; begin < rest; begin += run) {
    float first[lanes] = {}, second[lanes] = {};
    add_run(begin, first, second);
    for (int j = 0; j < lanes; ++j) {
      all_first[j] += first[j];
      all_second[j] += second[j];
    }
  }
  std::copy_n(all_first, lanes, sum);
  std::copy_n(all_second, lanes, other);
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

// Values per channel, their mean and the sum of squares around it, for the channels of one block.
template <int block>
struct Moments {
  double count = 0;
  double mean[block] = {};
  double squares[block] = {};

  // Chan, Golub and LeVeque 1979.
  void merge(const Moments& other) {
    const double total = count + other.count, share = other.count / total, weight = count * share;
    for (int channel = 0; channel < block; ++channel) {
      const double difference = other.mean[channel] - mean[channel];
      mean[channel] += difference * share;
      squares[channel] += other.squares[channel] + difference * difference * weight;
    }
    count = total;
  }
};

// Sums of x - shift and of its square, lane by lane.
void shifted_sums(const float* x, int values, const float (&shift)[lanes], float (&sum)[lanes],
                  float (&square)[lanes]) {
  add_in_runs(values, sum, square, [&](int i, int j, float& first, float& second) {
    const float difference = x[i + j] - shift[j];
    first += difference;
    second += difference * difference;
  });
}

// Merges a chunk into `total`. It is summed around the mean so far; where that lies more than about four deviations
// off, the subtraction below would lose digits, and the chunk is summed again, from L1, around its own mean.
template <int block>
void add_chunk(const float* x, int values, Moments<block>& total, float (&shift)[lanes]) {
  Moments<block> own;
  own.count = values / block;
  bool far = true;
  for (int attempt = 0; far && attempt < 2; ++attempt) {
    if (attempt > 0) tile_lanes<block>(own.mean, shift);
    float sum[lanes], square[lanes];
    shifted_sums(x, values, shift, sum, square);
    double sums[block] = {}, squares[block] = {};
    fold_lanes<block>(sum, sums);
    fold_lanes<block>(square, squares);
    far = false;
    for (int channel = 0; channel < block; ++channel) {
      const double distance = sums[channel] / own.count, excess = sums[channel] * distance;
      own.mean[channel] = static_cast<double>(shift[channel]) + distance;
      own.squares[channel] = std::max(squares[channel] - excess, 0.0);  // in this order a NaN survives
      far |= squares[channel] > 16 * own.squares[channel];
    }
  }
  total.merge(own);
  tile_lanes<block>(total.mean, shift);
}

// What the first chunk is summed around: the mean of a few pixels. Around one pixel, which may lie deviations off, sums
// would grow with every value, and the mean be off by 1e-7 deviations where it now is by 1e-8.
template <int block>
void first_shift(const float* x, int pixels, float (&shift)[lanes]) {
  const int few = std::min(pixels, 16);
  float mean[block] = {};
  for (int pixel = 0; pixel < few; ++pixel)
    for (int channel = 0; channel < block; ++channel) mean[channel] += x[pixel * block + channel];
  for (float& value : mean) value /= static_cast<float>(few);
  tile_lanes<block>(mean, shift);
}

// Moments of one channel block over some images.
template <int block>
Moments<block> moments_of_images(const FeatureMap<const float>& x, int channel_block, int first_image, int last_image) {
  Moments<block> total;
  const int values = x.plane() * block;
  float shift[lanes];
  first_shift<block>(x.block_data(first_image, channel_block), x.plane(), shift);
  if (values <= chunk / 4) {
    // Small maps of several images make one chunk: closing one takes longer than copying them.
    float* gathered = scratch<float>(chunk);
    int filled = 0;
    for (int image = first_image; image < last_image; ++image) {
      std::copy_n(x.block_data(image, channel_block), values, gathered + filled);
      filled += values;
      if (filled + values <= chunk && image + 1 < last_image) continue;
      add_chunk<block>(gathered, filled, total, shift);
      filled = 0;
    }
    return total;
  }
  for (int image = first_image; image < last_image; ++image) {
    const float* plane = x.block_data(image, channel_block);
    for (int i = 0; i < values; i += chunk) add_chunk<block>(plane + i, std::min(chunk, values - i), total, shift);
  }
  return total;
}

template <int block>
Moments<block> sum_images(const FindMoments<float>& a, int channel_block, int first_image, int last_image) {
  return moments_of_images<block>(a.x, channel_block, first_image, last_image);
}
template <int block>
Moments<block> sum_images(const Forward& a, int channel_block, int first_image, int last_image) {
  if (!a.moments) return moments_of_images<block>(a.x, channel_block, first_image, last_image);
  Moments<block> given;
  if (first_image > 0) return given;  // the first group has all of them
  given.count = static_cast<double>(a.x.images) * a.x.plane();
  for (int i = 0; i < block; ++i) {
    const ChannelMoments& moments = a.moments[channel_block * block + i];
    given.mean[i] = moments.mean;
    given.squares[i] = moments.squared_deviations;
  }
  return given;
}

// What normalise() takes of a channel, tiled over the lanes.
struct Affine {
  float mean[lanes], scale[lanes], offset[lanes];
};

template <bool with_residual, bool relu>
void apply_to_plane(const float* x, const float* residual, float* y, int values, const Affine& affine) {
  const Affine local = affine;  // a local copy cannot alias y, so it stays in registers
  for_each_group(values, [&](int i, auto count) {
#pragma omp simd
    for (int j = 0; j < count; ++j) {
      float result = normalise(x[i + j], local.mean[j], local.scale[j], local.offset[j]);
      if constexpr (with_residual) result += residual[i + j];
      if constexpr (relu) result = result < 0 ? 0 : result;
      y[i + j] = result;
    }
  });
}

template <class Arguments>
void apply(const Arguments& a, int image, int channel_block, const Affine& affine) {
  const float* x = a.x.block_data(image, channel_block);
  const float* residual = a.residual.data ? a.residual.block_data(image, channel_block) : nullptr;
  float* y = a.y.block_data(image, channel_block);
  const int values = a.x.plane() * a.x.block;
  specialise(residual != nullptr, [&](auto with_residual) {
    specialise(a.relu, [&](auto relu) { apply_to_plane<with_residual(), relu()>(x, residual, y, values, affine); });
  });
}

// Writes the statistics of a channel block and prepares the affine map that applies them.
template <int block>
void finish(const Forward& a, int channel_block, const Moments<block>& moments, Affine& affine) {
  for (int i = 0; i < block; ++i) {
    const int channel = channel_block * block + i;
    const double variance = moments.squares[i] / moments.count;
    const Rounded mean(moments.mean[i]), inverse(1 / std::sqrt(variance + static_cast<double>(a.epsilon)));
    const float scale = a.gamma[channel] * inverse.value;
    a.mean[channel] = mean.value;
    a.inverse_deviation[channel] = inverse.value;
    a.scale[channel] = scale;
    // Rounding the mean to float moves x - mean; the offset takes that back.
    const double rounding = moments.mean[i] - static_cast<double>(mean.value);
    a.offset[channel] =
        static_cast<float>(static_cast<double>(a.beta[channel]) - rounding * static_cast<double>(scale));
    a.roundings[channel] = mean.rounding;
    a.roundings[a.x.channels + channel] = inverse.rounding;
    if (!a.running_mean) continue;
    const double unbiased = moments.count > 1 ? moments.squares[i] / (moments.count - 1) : variance;
    a.running_mean[channel] += a.momentum * (mean.value - a.running_mean[channel]);
    a.running_variance[channel] += a.momentum * (static_cast<float>(unbiased) - a.running_variance[channel]);
  }
  const int first = channel_block * block;
  tile_lanes<block>(a.mean + first, affine.mean);
  tile_lanes<block>(a.scale + first, affine.scale);
  tile_lanes<block>(a.offset + first, affine.offset);
}

// Sums of the masked d_y and of masked d_y (x - mean), for the channels of one block.
template <int block>
struct GradientSums {
  double plain[block] = {};
  double centred[block] = {};

  void merge(const GradientSums& other) {
    for (int channel = 0; channel < block; ++channel) {
      plain[channel] += other.plain[channel];
      centred[channel] += other.centred[channel];
    }
  }
};

enum class Mask { none, given, recomputed };  // of the ReLU: by y, or by y's sign computed anew

Mask mask_of(const Backward& a) { return !a.relu ? Mask::none : a.y.data ? Mask::given : Mask::recomputed; }

// Calls function with the mask as an integral constant.
template <class Function>
void specialise_mask(Mask mask, const Function& function) {
  if (mask == Mask::none) return function(std::integral_constant<Mask, Mask::none>{});
  if (mask == Mask::given) return function(std::integral_constant<Mask, Mask::given>{});
  function(std::integral_constant<Mask, Mask::recomputed>{});
}

// d_y where the ReLU let the forward pass through. y is read only where it is given.
template <Mask mask>
float masked(float d_y, float x, const float* y, float mean, float scale, float offset) {
  if constexpr (mask == Mask::none) return d_y;
  if constexpr (mask == Mask::given) return where_positive(*y, d_y);
  return where_positive(normalise(x, mean, scale, offset), d_y);
}

template <int block, Mask mask>
void add_gradient_chunk(const float* x, const float* y, const float* d_y, int values, const Affine& affine,
                        GradientSums<block>& sums) {
  const Affine local = affine;
  float plain[lanes], centred[lanes];
  add_in_runs(values, plain, centred, [&](int i, int j, float& first, float& second) {
    const float gradient =
        masked<mask>(d_y[i + j], x[i + j], y + i + j, local.mean[j], local.scale[j], local.offset[j]);
    first += gradient;
    second += gradient * (x[i + j] - local.mean[j]);
  });
  fold_lanes<block>(plain, sums.plain);
  fold_lanes<block>(centred, sums.centred);
}

// The forward pass's affine map of a channel block.
template <int block>
void tile_affine(const Backward& a, int channel_block, Affine& affine) {
  const int first = channel_block * block;
  tile_lanes<block>(a.mean + first, affine.mean);
  tile_lanes<block>(a.scale + first, affine.scale);
  if (a.recomputes_y()) tile_lanes<block>(a.offset + first, affine.offset);
}

template <int block>
GradientSums<block> sum_images(const Backward& a, int channel_block, int first_image, int last_image) {
  GradientSums<block> sums;
  if (!a.needs_sums()) return sums;
  const int values = a.x.plane() * block;
  Affine affine{};
  tile_affine<block>(a, channel_block, affine);
  specialise_mask(mask_of(a), [&](auto mask) {
    for (int image = first_image; image < last_image; ++image) {
      const float* x = a.x.block_data(image, channel_block);
      const float* d_y = a.d_y.block_data(image, channel_block);
      const float* y = mask() == Mask::given ? a.y.block_data(image, channel_block) : x;
      for (int i = 0; i < values; i += chunk)
        add_gradient_chunk<block, mask()>(x + i, y + i, d_y + i, std::min(chunk, values - i), affine, sums);
    }
  });
  return sums;
}

// d_x = masked d_y scale - constant - (x - mean) slope, tiled over the lanes.
struct GradientAffine {
  Affine forward;
  float constant[lanes], slope[lanes];
};

template <int block>
void finish(const Backward& a, int channel_block, const GradientSums<block>& sums, GradientAffine& affine) {
  const double count = static_cast<double>(a.x.images) * a.x.plane();
  float constant[block], slope[block];
  for (int i = 0; i < block; ++i) {
    const int channel = channel_block * block + i;
    const auto rounding = [&](int which) {
      return a.roundings ? static_cast<double>(a.roundings[which * a.x.channels + channel]) : 0;
    };
    const double inverse = static_cast<double>(a.inverse_deviation[channel]) + rounding(1);
    const double normalised = (sums.centred[i] - rounding(0) * sums.plain[i]) * inverse;
    // The factor of every element, as it was rounded: what is taken off must fit it.
    const double factor = static_cast<double>(a.scale[channel]);
    const double exact_slope = a.batch_statistics ? factor * inverse * normalised / count : 0;
    constant[i] =
        a.batch_statistics ? static_cast<float>(factor * sums.plain[i] / count - rounding(0) * exact_slope) : 0;
    slope[i] = static_cast<float>(exact_slope);
    if (a.d_gamma) a.d_gamma[channel] = static_cast<float>(normalised);
    if (a.d_beta) a.d_beta[channel] = static_cast<float>(sums.plain[i]);
  }
  tile_affine<block>(a, channel_block, affine.forward);
  tile_lanes<block>(constant, affine.constant);
  tile_lanes<block>(slope, affine.slope);
}

template <Mask mask, bool with_residual, bool adds, bool batch_statistics>
void apply_gradient(const Backward& a, int image, int channel_block, const GradientAffine& affine) {
  const GradientAffine local = affine;
  const Affine& forward = local.forward;
  const float* x = a.x.block_data(image, channel_block);
  const float* y = mask == Mask::given ? a.y.block_data(image, channel_block) : x;
  const float* d_y = a.d_y.block_data(image, channel_block);
  const float* so_far = adds ? a.d_x_so_far.block_data(image, channel_block) : d_y;
  float* d_x = a.d_x.block_data(image, channel_block);
  float* d_residual = with_residual ? a.d_residual.block_data(image, channel_block) : nullptr;
  for_each_group(a.x.plane() * a.x.block, [&](int i, auto count) {
#pragma omp simd
    for (int j = 0; j < count; ++j) {
      const float gradient =
          masked<mask>(d_y[i + j], x[i + j], y + i + j, forward.mean[j], forward.scale[j], forward.offset[j]);
      if constexpr (with_residual) d_residual[i + j] = gradient;
      float result = gradient * forward.scale[j];
      if constexpr (batch_statistics) result -= local.constant[j] + (x[i + j] - forward.mean[j]) * local.slope[j];
      if constexpr (adds) result += so_far[i + j];
      d_x[i + j] = result;
    }
  });
}

void apply(const Backward& a, int image, int channel_block, const GradientAffine& affine) {
  specialise_mask(mask_of(a), [&](auto mask) {
    specialise(a.d_residual.data != nullptr, [&](auto with_residual) {
      specialise(a.d_x_so_far.data != nullptr, [&](auto adds) {
        specialise(a.batch_statistics, [&](auto batch_statistics) {
          apply_gradient<mask(), with_residual(), adds(), batch_statistics()>(a, image, channel_block, affine);
        });
      });
    });
  });
}

// One thread per channel block keeps small maps in its cache between the two passes; where that would leave threads
// without work, the images are split as well.
bool one_thread_per_block(int channel_blocks) {
  const int threads = omp_get_max_threads();
  return channel_blocks % threads == 0 || channel_blocks >= 8 * threads;
}

// Calls finish(channel block, its sums over groups of images, merged in order) for all channel blocks.
template <int block, class Sums, class Arguments, class Finish>
void reduce(const Arguments& a, const Finish& finish) {
  const int blocks = a.x.channel_blocks();
  const ImageGroups groups(a.x.images, a.x.plane() * block);
  [[maybe_unused]] const bool threaded = worth_threads(a.x.elements());
  if (one_thread_per_block(blocks)) {
#pragma omp parallel for schedule(static) if (threaded)
    for (int channel_block = 0; channel_block < blocks; ++channel_block) {
      Sums total = sum_images<block>(a, channel_block, 0, groups.first(1));
      for (int group = 1; group < groups.count; ++group)
        total.merge(sum_images<block>(a, channel_block, groups.first(group), groups.first(group + 1)));
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
      partial[task] = sum_images<block>(a, task % blocks, groups.first(group), groups.first(group + 1));
    }
#pragma omp for schedule(static)
    for (int channel_block = 0; channel_block < blocks; ++channel_block) {
      Sums total = partial[channel_block];
      for (int group = 1; group < groups.count; ++group) total.merge(partial[group * blocks + channel_block]);
      finish(channel_block, total);
    }
  }
}

// Both directions: the sums, then every element once. The images are applied last to first, because the last ones are
// still in the cache.
template <int block, class Sums, class Coefficients, class Arguments>
void reduce_and_apply(const Arguments& a, bool applies) {
  const int blocks = a.x.channel_blocks();
  const bool at_once = one_thread_per_block(blocks);
  Coefficients* coefficients = scratch<Coefficients>(blocks);
  reduce<block, Sums>(a, [&](int channel_block, const Sums& total) {
    finish(a, channel_block, total, coefficients[channel_block]);
    if (!applies || !at_once) return;
    for (int image = a.x.images - 1; image >= 0; --image) apply(a, image, channel_block, coefficients[channel_block]);
  });
  if (!applies || at_once) return;
#pragma omp parallel for schedule(static) if (worth_threads(a.x.elements()))
  for (int task = 0; task < blocks * a.x.images; ++task)
    apply(a, task / blocks, task % blocks, coefficients[task % blocks]);
}

}  // namespace

// mapping: reduce; bytes: x read; operations: about 5 per element; hazard: as in the forward pass.
void run_on(Cpu, const FindMoments<float>& a) {
  specialise_block(a.x.block, [&](auto block) {
    reduce<block(), Moments<block()>>(a, [&](int channel_block, const Moments<block()>& moments) {
      for (int i = 0; i < block(); ++i) a.moments[channel_block * block() + i] = {moments.mean[i], moments.squares[i]};
    });
  });
}

// mapping: reduce_and_apply; bytes: x (and residual) read, y written, x read again where it does not stay in a cache;
// operations: about 8 per element; hazard: with a mean far from zero E[x^2] - E[x]^2 would have no digits left.
void run_on(Cpu, const Forward& a) {
  specialise_block(a.x.block,
                   [&](auto block) { reduce_and_apply<block(), Moments<block()>, Affine>(a, a.y.data != nullptr); });
}

// mapping: reduce_and_apply; bytes: x, d_y (and y, d_x_so_far) read, d_x (and d_residual) written, the inputs read
// again where they do not stay in a cache; operations: about 9 per element; hazard: outputs may be memory that is read,
// so each element is read before it is written.
void run_on(Cpu, const Backward& a) {
  specialise_block(a.x.block,
                   [&](auto block) { reduce_and_apply<block(), GradientSums<block()>, GradientAffine>(a, true); });
}

// mapping: (image, channel block) over threads; bytes: each map once; operations: 3 or 4 per element.
void run_on(Cpu, const BatchNormInference<float>& a) {
  const int blocks = a.x.channel_blocks();
  Affine* affine = scratch<Affine>(blocks);
  specialise_block(a.x.block, [&](auto block) {
    for (int channel_block = 0; channel_block < blocks; ++channel_block) {
      const int first = channel_block * block;
      float scale[largest_block];
      for (int i = 0; i < block; ++i)
        scale[i] =
            a.scale ? a.scale[first + i] : a.gamma[first + i] * (1 / std::sqrt(a.variance[first + i] + a.epsilon));
      tile_lanes<block()>(a.mean + first, affine[channel_block].mean);
      tile_lanes<block()>(scale, affine[channel_block].scale);
      tile_lanes<block()>(a.beta + first, affine[channel_block].offset);
    }
  });
#pragma omp parallel for schedule(static) if (worth_threads(a.x.elements()))
  for (int task = 0; task < blocks * a.x.images; ++task) apply(a, task / blocks, task % blocks, affine[task % blocks]);
}

}  // namespace preceptor::kernels
