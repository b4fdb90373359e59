// Batch normalization on the cpu: statistics in one pass over memory without cancellation, then one pass that applies.
#include "kernels/batch_norm/batch_norm.h"

#include <algorithm>
#include <cmath>

#include "kernels/batch_norm/bn_apply.h"
#include "kernels/batch_norm/cpu_passes.h"
#include "kernels/batch_norm/tiling.h"

namespace preceptor::kernels {
namespace {

using Forward = BatchNormForward<float>;

// Values per channel, their mean and the sum of squares around it, for the channels of one block.
template <int block>
struct ChannelSums {
  double count = 0;
  double mean[block] = {};
  double squares[block] = {};

  // Chan, Golub and LeVeque 1979.
  void merge(const ChannelSums& other) {
    const double total = count + other.count, slice = other.count / total, weight = count * slice;
    for (int channel = 0; channel < block; ++channel) {
      const double difference = other.mean[channel] - mean[channel];
      mean[channel] += difference * slice;
      squares[channel] += other.squares[channel] + difference * difference * weight;
    }
    count = total;
  }
};

// Sums of x - shift and of its square, for each position of a chunk.
void shifted_sums(const float* x, int values, const float (&shift)[chunk_size], float (&sum)[chunk_size],
                  float (&square)[chunk_size]) {
  add_in_runs(values, sum, square, [&](int i, int j, float& first, float& second) {
    const float difference = x[i + j] - shift[j];
    first += difference;
    second += difference * difference;
  });
}

// Merges a chunk into `total`. It is summed around the mean so far; where that lies more than about four deviations
// off, the subtraction below would lose digits, and the chunk is summed again, from L1, around its own mean.
template <int block>
void add_chunk(const float* x, int values, ChannelSums<block>& total, float (&shift)[chunk_size]) {
  ChannelSums<block> own;
  own.count = values / block;
  bool far = true;
  for (int attempt = 0; far && attempt < 2; ++attempt) {
    if (attempt > 0) tile_chunk<block>(own.mean, shift);
    float sum[chunk_size], square[chunk_size];
    shifted_sums(x, values, shift, sum, square);
    double sums[block] = {}, squares[block] = {};
    fold_chunk<block>(sum, sums);
    fold_chunk<block>(square, squares);
    far = false;
    for (int channel = 0; channel < block; ++channel) {
      const double distance = sums[channel] / own.count, excess = sums[channel] * distance;
      own.mean[channel] = static_cast<double>(shift[channel]) + distance;
      own.squares[channel] = std::max(squares[channel] - excess, 0.0);  // in this order a NaN survives
      far |= squares[channel] > 16 * own.squares[channel];
    }
  }
  total.merge(own);
  tile_chunk<block>(total.mean, shift);
}

// The value that the first chunk is summed around: the mean of a few pixels. Around one pixel, which may lie deviations
// off, sums would grow with every value, and the mean be off by 1e-7 deviations where it now is by 1e-8.
template <int block>
void first_shift(const float* x, int pixels, float (&shift)[chunk_size]) {
  const int few = std::min(pixels, 16);
  float mean[block] = {};
  for (int pixel = 0; pixel < few; ++pixel)
    for (int channel = 0; channel < block; ++channel) mean[channel] += x[pixel * block + channel];
  for (float& value : mean) value /= static_cast<float>(few);
  tile_chunk<block>(mean, shift);
}

// Statistics of one channel block over some images.
template <int block>
ChannelSums<block> statistics_of_images(const FeatureMap<const float>& x, int channel_block, int first_image,
                                        int last_image) {
  ChannelSums<block> total;
  const int values = x.plane() * block;
  float shift[chunk_size];
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
ChannelSums<block> statistics_of_images(const Forward& a, int channel_block, int first_image, int last_image) {
  if (!a.statistics) return statistics_of_images<block>(a.x, channel_block, first_image, last_image);
  ChannelSums<block> given;
  if (first_image > 0) return given;  // the first group has all of them
  given.count = static_cast<double>(a.x.images) * a.x.plane();
  for (int i = 0; i < block; ++i) {
    const ChannelStatistics& statistics = a.statistics[channel_block * block + i];
    given.mean[i] = statistics.mean;
    given.squares[i] = statistics.m2;
  }
  return given;
}

template <bool with_residual, bool relu>
void apply_to_plane(const float* x, const float* residual, float* y, int values, const TiledAffine& affine) {
  const TiledAffine local = affine;  // a local copy cannot alias y, so it stays in registers
  for_each_group(values, [&](int i, auto count) {
#pragma omp simd
    for (int j = 0; j < count; ++j) {
      float result = bn_apply(x[i + j], local.mean[j], local.scale[j], local.offset[j]);
      if constexpr (with_residual) result += residual[i + j];
      if constexpr (relu) result = result < 0 ? 0 : result;
      y[i + j] = result;
    }
  });
}

template <class Arguments>
void apply(const Arguments& a, int image, int channel_block, const TiledAffine& affine) {
  const float* x = a.x.block_data(image, channel_block);
  const float* residual = a.residual.data ? a.residual.block_data(image, channel_block) : nullptr;
  float* y = a.y.block_data(image, channel_block);
  const int values = a.x.plane() * a.x.block;
  const auto run = [&](auto with_residual, auto relu) {
    apply_to_plane<with_residual(), relu()>(x, residual, y, values, affine);
  };
  specialize(run, residual != nullptr, a.relu);
}

template <int block>
void write_statistics(const Forward& a, int channel_block, const ChannelSums<block>& statistics) {
  for (int i = 0; i < block; ++i) {
    const int channel = channel_block * block + i;
    const double variance = statistics.squares[i] / statistics.count;
    const Rounded mean(statistics.mean[i]), inverse(1 / std::sqrt(variance + static_cast<double>(a.epsilon)));
    const float scale = a.gamma[channel] * inverse.value;
    a.mean[channel] = mean.value;
    a.rstd[channel] = inverse.value;
    a.scale[channel] = scale;
    // Rounding the mean to float moves x - mean; the offset takes that back.
    const double rounding = statistics.mean[i] - static_cast<double>(mean.value);
    a.offset[channel] =
        static_cast<float>(static_cast<double>(a.beta[channel]) - rounding * static_cast<double>(scale));
    a.rounding_errors[channel] = mean.rounding;
    a.rounding_errors[a.x.channels + channel] = inverse.rounding;
    if (!a.running_mean) continue;
    const double unbiased = statistics.count > 1 ? statistics.squares[i] / (statistics.count - 1) : variance;
    a.running_mean[channel] += a.momentum * (mean.value - a.running_mean[channel]);
    a.running_variance[channel] += a.momentum * (static_cast<float>(unbiased) - a.running_variance[channel]);
  }
}

template <class T>
std::size_t gpu_workspace_bytes(const FeatureMap<const T>& x, const Device& device) {
  if (device.kind == DeviceKind::cpu) return 0;
  // Alignment decides between two tilings; the larger need covers both.
  const auto bytes = [&](int width) { return Tiling(x.images * x.plane(), x.channels, width).workspace_bytes(); };
  return std::max(bytes(1), bytes(16 / sizeof(T)));
}

}  // namespace

// mapping: reduce; bytes: x read; operations: about 5 per element; hazard: as in the forward pass.
void run_on(Cpu, const FindStatistics<float>& a) {
  specialize_block(a.x.block, [&](auto block) {
    using Sums = ChannelSums<block()>;
    const auto sum = [&](int channel_block, int first_image, int last_image) {
      return statistics_of_images<block()>(a.x, channel_block, first_image, last_image);
    };
    reduce<Sums>(a.x, sum, [&](int channel_block, const Sums& statistics) {
      for (int i = 0; i < block(); ++i)
        a.statistics[channel_block * block() + i] = {statistics.mean[i], statistics.squares[i]};
    });
  });
}

// mapping: reduce_and_apply; bytes: x (and residual) read, y written, x read again where it does not stay in a cache;
// operations: about 8 per element; hazard: with a mean far from zero E[x^2] - E[x]^2 would have no digits left.
void run_on(Cpu, const Forward& a) {
  specialize_block(a.x.block, [&](auto block) {
    using Sums = ChannelSums<block()>;
    const auto sum = [&](int channel_block, int first_image, int last_image) {
      return statistics_of_images<block()>(a, channel_block, first_image, last_image);
    };
    if (!a.y.data)
      return reduce<Sums>(
          a.x, sum, [&](int channel_block, const Sums& statistics) { write_statistics(a, channel_block, statistics); });
    const auto finish = [&](int channel_block, const Sums& statistics, TiledAffine& affine) {
      write_statistics(a, channel_block, statistics);
      const int first = channel_block * block();
      affine.set<block()>(a.mean + first, a.scale + first, a.offset + first);
    };
    reduce_and_apply<Sums, TiledAffine>(a.x, sum, finish, [&](int image, int channel_block, const TiledAffine& affine) {
      apply(a, image, channel_block, affine);
    });
  });
}

// mapping: (image, channel block) over threads; bytes: each map once; operations: 3 or 4 per element.
void run_on(Cpu, const BatchNormInference<float>& a) {
  const int blocks = a.x.channel_blocks();
  TiledAffine* affine = scratch<TiledAffine>(blocks);
  specialize_block(a.x.block, [&](auto block) {
    for (int channel_block = 0; channel_block < blocks; ++channel_block) {
      const int first = channel_block * block;
      float scale[largest_block];
      for (int i = 0; i < block; ++i)
        scale[i] =
            a.scale ? a.scale[first + i] : a.gamma[first + i] * (1 / std::sqrt(a.variance[first + i] + a.epsilon));
      affine[channel_block].set<block()>(a.mean + first, scale, a.beta + first);
    }
  });
#pragma omp parallel for schedule(static) if (worth_threads(a.x.elements()))
  for (int task = 0; task < blocks * a.x.images; ++task) apply(a, task / blocks, task % blocks, affine[task % blocks]);
}

// mapping: output channel blocks over threads; bytes: weights read and written; operations: 1 per weight.
void run_on(Cpu, const FoldBatchNorm& a) {
  const int block = a.out_block;
#pragma omp parallel for schedule(static) if (worth_threads(a.out_channels, a.inner))
  for (int first = 0; first < a.out_channels; first += block) {
    const std::size_t begin = static_cast<std::size_t>(first) * a.inner;
    for (int in_block = 0; in_block < block; ++in_block) {
      const int channel = first + in_block;
      const float factor = a.gamma[channel] / std::sqrt(a.running_variance[channel] + a.epsilon);
      a.folded_bias[channel] = a.beta[channel] - a.running_mean[channel] * factor;
      for (int i = 0; i < a.inner; ++i) {
        const std::size_t at = begin + static_cast<std::size_t>(i) * block + in_block;
        a.folded_weight[at] = a.weight[at] * factor;
      }
    }
  }
}

template <class T>
std::size_t workspace_bytes(const FindStatistics<T>& a, const Device& device) {
  return gpu_workspace_bytes(a.x, device);
}
template <class T>
std::size_t workspace_bytes(const BatchNormForward<T>& a, const Device& device) {
  return a.statistics ? 0 : gpu_workspace_bytes(a.x, device);
}
template <class T>
std::size_t workspace_bytes(const BatchNormBackward<T>& a, const Device& device) {
  return a.needs_sums() ? gpu_workspace_bytes(a.x, device) : 0;
}

INSTANTIATE_WORKSPACE_BYTES(FindStatistics);
INSTANTIATE_WORKSPACE_BYTES(BatchNormForward);
INSTANTIATE_WORKSPACE_BYTES(BatchNormBackward);

}  // namespace preceptor::kernels
