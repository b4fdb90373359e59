// The gradient of batch normalization on the cpu: the sums by channel, then one pass that applies.
#include "kernels/batch_norm/batch_norm.h"
#include "kernels/batch_norm/bn_apply.h"
#include "kernels/batch_norm/cpu_passes.h"

namespace preceptor::kernels {
namespace {

using Backward = BatchNormBackward<float>;

// Sums of the masked d_y and of masked d_y (x - mean), for the channels of one block.
template <int block>
struct GradientSums {
  double plain[block] = {};
  double centered[block] = {};

  void merge(const GradientSums& other) {
    for (int channel = 0; channel < block; ++channel) {
      plain[channel] += other.plain[channel];
      centered[channel] += other.centered[channel];
    }
  }
};

Mask mask_of(const Backward& a) { return !a.relu ? Mask::none : a.y.data ? Mask::given : Mask::recomputed; }

// Calls function with the mask as an integral constant.
template <class Function>
void specialize_mask(Mask mask, const Function& function) {
  if (mask == Mask::none) return function(std::integral_constant<Mask, Mask::none>{});
  if (mask == Mask::given) return function(std::integral_constant<Mask, Mask::given>{});
  function(std::integral_constant<Mask, Mask::recomputed>{});
}

// d_y where the ReLU let the forward pass through. y is read only where it is given.
template <Mask mask>
float masked(float d_y, float x, const float* y, float mean, float scale, float offset) {
  if constexpr (mask == Mask::none) return d_y;
  if constexpr (mask == Mask::given) return where_positive(*y, d_y);
  return where_positive(bn_apply(x, mean, scale, offset), d_y);
}

template <int block, Mask mask>
void add_gradient_chunk(const float* x, const float* y, const float* d_y, int values, const TiledAffine& affine,
                        GradientSums<block>& sums) {
  const TiledAffine local = affine;
  float plain[chunk_size], centered[chunk_size];
  add_in_runs(values, plain, centered, [&](int i, int j, float& first, float& second) {
    const float gradient =
        masked<mask>(d_y[i + j], x[i + j], y + i + j, local.mean[j], local.scale[j], local.offset[j]);
    first += gradient;
    second += gradient * (x[i + j] - local.mean[j]);
  });
  fold_chunk<block>(plain, sums.plain);
  fold_chunk<block>(centered, sums.centered);
}

// The forward pass's affine map of a channel block.
template <int block>
void set_affine(const Backward& a, int channel_block, TiledAffine& affine) {
  const int first = channel_block * block;
  affine.set<block>(a.mean + first, a.scale + first, a.recomputes_y() ? a.offset + first : nullptr);
}

template <int block>
GradientSums<block> sum_images(const Backward& a, int channel_block, int first_image, int last_image) {
  GradientSums<block> sums;
  if (!a.needs_sums()) return sums;
  const int values = a.x.plane() * block;
  TiledAffine affine{};
  set_affine<block>(a, channel_block, affine);
  specialize_mask(mask_of(a), [&](auto mask) {
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

// d_x = masked d_y scale - constant - (x - mean) slope, tiled over a chunk.
struct GradientAffine {
  TiledAffine forward;
  float constant[chunk_size], slope[chunk_size];
};

template <int block>
void finish(const Backward& a, int channel_block, const GradientSums<block>& sums, GradientAffine& affine) {
  const double count = static_cast<double>(a.x.images) * a.x.plane();
  float constant[block], slope[block];
  for (int i = 0; i < block; ++i) {
    const int channel = channel_block * block + i;
    const auto rounding = [&](int which) {
      return a.rounding_errors ? static_cast<double>(a.rounding_errors[which * a.x.channels + channel]) : 0;
    };
    const double inverse = static_cast<double>(a.rstd[channel]) + rounding(1);
    const double normalized = (sums.centered[i] - rounding(0) * sums.plain[i]) * inverse;
    // The factor of every element, as it was rounded: what is taken off must fit it.
    const double factor = static_cast<double>(a.scale[channel]);
    const double exact_slope = a.batch_statistics ? factor * inverse * normalized / count : 0;
    constant[i] =
        a.batch_statistics ? static_cast<float>(factor * sums.plain[i] / count - rounding(0) * exact_slope) : 0;
    slope[i] = static_cast<float>(exact_slope);
    if (a.d_gamma) a.d_gamma[channel] = static_cast<float>(normalized);
    if (a.d_beta) a.d_beta[channel] = static_cast<float>(sums.plain[i]);
  }
  set_affine<block>(a, channel_block, affine.forward);
  tile_chunk<block>(constant, affine.constant);
  tile_chunk<block>(slope, affine.slope);
}

template <Mask mask, bool with_residual, bool adds, bool batch_statistics>
void apply_gradient(const Backward& a, int image, int channel_block, const GradientAffine& affine) {
  const GradientAffine local = affine;
  const TiledAffine& forward = local.forward;
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
  specialize_mask(mask_of(a), [&](auto mask) {
    const auto run = [&](auto with_residual, auto adds, auto batch_statistics) {
      apply_gradient<mask(), with_residual(), adds(), batch_statistics()>(a, image, channel_block, affine);
    };
    specialize(run, a.d_residual.data != nullptr, a.d_x_so_far.data != nullptr, a.batch_statistics);
  });
}

}  // namespace

// mapping: reduce_and_apply; bytes: x, d_y (and y, d_x_so_far) read, d_x (and d_residual) written, the inputs read
// again where they do not stay in a cache; operations: about 9 per element; hazard: outputs may be memory that is read,
// so each element is read before it is written.
void run_on(Cpu, const Backward& a) {
  specialize_block(a.x.block, [&](auto block) {
    using Sums = GradientSums<block()>;
    const auto sum = [&](int channel_block, int first_image, int last_image) {
      return sum_images<block()>(a, channel_block, first_image, last_image);
    };
    const auto set = [&](int channel_block, const Sums& sums, GradientAffine& affine) {
      finish(a, channel_block, sums, affine);
    };
    reduce_and_apply<Sums, GradientAffine>(
        a.x, sum, set,
        [&](int image, int channel_block, const GradientAffine& affine) { apply(a, image, channel_block, affine); });
  });
}

}  // namespace preceptor::kernels
