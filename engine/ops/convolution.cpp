// Convolution with its gradients, and the folded form of inference.
#include "engine/ops/convolution.h"

#include "kernels/batch_norm/batch_norm.h"
#include "kernels/convolution/convolution.h"

namespace preceptor {
namespace {

Shape output_shape(const Tensor& x, const Shape& weight, const kernels::ConvolutionGeometry& geometry) {
  require(x.shape().rank() == 4 && weight.rank() == 4 && x.shape()[1] == weight[1], "convolution: input ", x.shape(),
          " does not fit weights ", weight);
  require(geometry.stride >= 1 && geometry.padding >= 0, "convolution: stride ", geometry.stride, " or padding ",
          geometry.padding, " is out of range");
  const int height = geometry.out_size(x.shape()[2], weight[2]), width = geometry.out_size(x.shape()[3], weight[3]);
  require(x.shape()[2] + 2 * geometry.padding >= weight[2] && x.shape()[3] + 2 * geometry.padding >= weight[3],
          "convolution: input ", x.shape(), " is smaller than the kernel ", weight);
  return {x.shape()[0], weight[0], height, width};
}

kernels::ConvolutionGeometry geometry_of(const Parameter& weight, const ConvolutionOptions& options) {
  require(weight.kind() == ParameterKind::convolution, "convolution: ", weight.name(), " is no convolution weight");
  return {weight.shape()[2], weight.shape()[3], options.stride, options.padding};
}

kernels::ChannelAffine affine_of(const BatchNormStatistics& before) {
  if (!before.values.defined()) return {};
  return {before.mean(), before.scale(), before.offset(), true};
}

}  // namespace

Tensor convolution(const Tensor& x, const Parameter& weight, const Parameter* bias, const ConvolutionOptions& options) {
  return convolution(x, x, {}, weight, bias, options);
}

Tensor convolution(const Tensor& x, const Tensor& input, const BatchNormStatistics& before, const Parameter& weight,
                   const Parameter* bias, const ConvolutionOptions& options) {
  const kernels::ConvolutionGeometry geometry = geometry_of(weight, options);
  Context& context = x.context();
  Tensor y = context.empty(output_shape(x, weight.shape(), geometry));
  if (bias)
    require(bias->shape() == Shape{weight.shape()[0]}, "convolution: bias ", bias->shape(), " does not fit weights ",
            weight.shape());
  if (options.statistics && context.fuses_batch_norms()) y.keep_statistics();
  context.run(x.storage(), [&]<class T>(T) {
    return kernels::ConvolutionForward<T>{.x = (x.defined() ? x : input).map<T>(),
                                          .weight = weight.value_for<T>(),
                                          .bias = bias ? bias->value() : nullptr,
                                          .residual = {},
                                          .y = y.map<T>(),
                                          .geometry = geometry,
                                          .relu = false,
                                          .input = x.defined() ? kernels::ChannelAffine{} : affine_of(before),
                                          .statistics = y.statistics(),
                                          .tf32 = context.multiplies_tf32(),
                                          .direct = options.direct};
  });
  const bool want_weight = context.tape().recording() && weight.requires_grad();
  const bool want_bias = context.tape().recording() && bias && bias->requires_grad();
  const bool want_x = context.tape().requires_grad(x);
  if (!want_weight && !want_bias && !want_x) return y;
  require(!want_bias || want_weight, "convolution: a bias cannot be trained under frozen weights");

  const Tensor kept = want_weight ? input : Tensor(), source = x.shape_only();
  const Parameter trained_bias = want_bias ? *bias : Parameter();
  context.tape().record(y, [=, &context](const Tensor& d_y) {
    if (want_weight)
      context.run(kept.storage(), [&]<class T>(T) {
        return kernels::ConvolutionWeightGradient<T>{.x = kept.map<T>(),
                                                     .d_y = d_y.map<T>(),
                                                     .d_weight = weight.gradient(),
                                                     .d_bias = want_bias ? trained_bias.gradient() : nullptr,
                                                     .geometry = geometry,
                                                     .input = affine_of(before),
                                                     .tf32 = context.multiplies_tf32(),
                                                     .direct = options.direct};
      });
    if (!want_x) return;
    Tensor d_x = context.empty(source.shape());
    context.run(d_x.storage(), [&]<class T>(T) {
      return kernels::ConvolutionDataGradient<T>{.d_y = d_y.map<T>(),
                                                 .weight = weight.value_for<T>(),
                                                 .d_x = d_x.map<T>(),
                                                 .geometry = geometry,
                                                 .tf32 = context.multiplies_tf32(),
                                                 .direct = options.direct};
    });
    context.tape().accumulate(source, std::move(d_x));
  });
  return y;
}

void FoldedConvolution::refresh(const Parameter& source, const BatchNormParameters& norm) {
  Context& context = source.context();
  const kernels::WeightOrder& order = source.order();
  if (!weight.defined()) {
    weight = context.empty({static_cast<int>(order.elements())}, context.map_storage(), Lifetime::persistent);
    bias = context.empty({order.out_channels}, Lifetime::persistent);
  }
  const int inner = order.in_channels * order.height * order.width;
  const bool rounds = weight.storage() != Storage::float32;
  const Tensor exact = rounds ? context.empty(weight.shape()) : weight;
  context.run(kernels::FoldBatchNorm{source.value(), norm.gamma.value(), norm.beta.value(), norm.running_mean.value(),
                                     norm.running_variance.value(), exact.data(), bias.data(), order.out_channels,
                                     order.out_block, inner, norm.epsilon});
  if (rounds) exact.copy_to(weight);
}

Tensor folded_convolution(const Tensor& x, const FoldedConvolution& folded, const Parameter& weight,
                          const ConvolutionOptions& options, bool relu, Tensor residual) {
  require(folded.weight.defined(), "folded_convolution: ", weight.name(), " was not folded before inference");
  const kernels::ConvolutionGeometry geometry = geometry_of(weight, options);
  const Shape shape = output_shape(x, weight.shape(), geometry);
  Context& context = x.context();
  if (residual.defined())
    require(residual.shape() == shape, "folded_convolution: output ", shape, " and residual ", residual.shape(),
            " differ");
  const Tensor y = residual.defined() && residual.owns_alone() ? residual.overwritten() : context.empty(shape);
  context.run(x.storage(), [&]<class T>(T) {
    return kernels::ConvolutionForward<T>{.x = x.map<T>(),
                                          .weight = folded.weight.data<T>(),
                                          .bias = folded.bias.data(),
                                          .residual = residual.map<T>(),
                                          .y = y.map<T>(),
                                          .geometry = geometry,
                                          .relu = relu,
                                          .tf32 = context.multiplies_tf32(),
                                          .direct = options.direct};
  });
  return y;
}

}  // namespace preceptor
