// Batch norm with the residual sum and ReLU behind it.
#include "kernels/batch_norm/batch_norm.h"

#include "engine/ops.h"

namespace preceptor {

using kernels::FeatureMap;

Tensor batch_norm(const Tensor& x, const BatchNormParameters& p, bool batch_statistics, bool relu,
                  const Tensor* residual) {
  Context& context = x.context();
  const Shape channels{x.shape().rank() == 4 ? x.shape()[1] : 0};
  require(p.gamma.shape() == channels && p.beta.shape() == channels, "batch_norm: input ", x.shape(), " does not fit ",
          p.gamma.name(), " of ", p.gamma.shape());
  if (residual)
    require(residual->shape() == x.shape(), "batch_norm: input ", x.shape(), " and residual ", residual->shape(),
            " differ");
  const FeatureMap<const float> residual_map = residual ? residual->map() : FeatureMap<float>{};
  const bool recording = context.tape().recording();
  const bool want_gamma = recording && p.gamma.watched(), want_beta = recording && p.beta.watched();
  const bool want_residual = residual && context.tape().watches(*residual);
  const bool recorded = want_gamma || want_beta || want_residual || context.tape().watches(x);

  Tensor y = context.empty(x.shape());
  if (!batch_statistics) {
    require(!recorded, "batch_norm: the form with fixed statistics is for inference and frozen layers; ",
            p.gamma.name(), " or its input is being trained");
    context.run(kernels::BatchNormInference<float>{x.map(), residual_map, y.map(), p.gamma.value(), p.beta.value(),
                                                   p.running_mean.value(), p.running_variance.value(), p.epsilon,
                                                   relu});
    return y;
  }
  const Tensor mean = context.empty(channels), inverse_deviation = context.empty(channels);
  const Tensor offset = context.empty(channels);
  context.run_with_workspace(kernels::BatchNormForward<float>{.x = x.map(),
                                                              .residual = residual_map,
                                                              .y = y.map(),
                                                              .gamma = p.gamma.value(),
                                                              .beta = p.beta.value(),
                                                              .running_mean = p.running_mean.value(),
                                                              .running_variance = p.running_variance.value(),
                                                              .mean = mean.data(),
                                                              .inverse_deviation = inverse_deviation.data(),
                                                              .offset = offset.data(),
                                                              .epsilon = p.epsilon,
                                                              .momentum = p.momentum,
                                                              .relu = relu,
                                                              .workspace = nullptr});
  if (!recorded) return y;

  const Tensor shortcut = residual ? *residual : Tensor();
  // Without a residual the gradient recomputes where the ReLU let x pass; y need not be kept for that.
  context.tape().record(y, [=, kept = relu && residual ? y : Tensor(), &context](const Tensor& d_y) {
    // The derivative that comes in is nobody else's most of the time; then one of the results takes its memory.
    const bool reuse = d_y.owns_alone();
    const Tensor d_residual = !want_residual ? Tensor() : reuse ? d_y : context.empty(x.shape());
    const Tensor d_x = reuse && !want_residual ? d_y : context.empty(x.shape());
    context.run_with_workspace(
        kernels::BatchNormBackward<float>{.x = x.map(),
                                          .y = kept.defined() ? kept.map() : FeatureMap<float>{},
                                          .d_y = d_y.map(),
                                          .d_x = d_x.map(),
                                          .d_residual = want_residual ? d_residual.map() : FeatureMap<float>{},
                                          .gamma = p.gamma.value(),
                                          .mean = mean.data(),
                                          .inverse_deviation = inverse_deviation.data(),
                                          .offset = offset.data(),
                                          .d_gamma = want_gamma ? p.gamma.gradient() : nullptr,
                                          .d_beta = want_beta ? p.beta.gradient() : nullptr,
                                          .relu = relu,
                                          .batch_statistics = true,
                                          .workspace = nullptr});
    if (want_residual) context.tape().accumulate(shortcut, d_residual);
    context.tape().accumulate(x, d_x);
  });
  return y;
}

}  // namespace preceptor
