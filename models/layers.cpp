// A convolution with its batch norm.
#include "models/layers.h"

namespace preceptor {

BatchNormParameters add_batch_norm(Parameters& parameters, const std::string& name, int channels) {
  BatchNormParameters norm;
  norm.gamma = parameters.add(name + ".weight", {channels}, ParameterKind::plain);
  norm.beta = parameters.add(name + ".bias", {channels}, ParameterKind::plain);
  norm.running_mean = parameters.add(name + ".running_mean", {channels}, ParameterKind::buffer);
  norm.running_variance = parameters.add(name + ".running_var", {channels}, ParameterKind::buffer);
  return norm;
}

ConvolutionBatchNorm::ConvolutionBatchNorm(Parameters& parameters, const std::string& convolution,
                                           const std::string& batch_norm, int in, int out, int kernel, int stride,
                                           int padding)
    : weight(parameters.add(convolution + ".weight", {out, in, kernel, kernel}, ParameterKind::convolution)),
      norm(add_batch_norm(parameters, batch_norm, out)),
      options{.stride = stride, .padding = padding, .statistics = true} {}

Tensor ConvolutionBatchNorm::forward(const Tensor& x, Mode mode, bool relu, Tensor residual) {
  if (mode == Mode::inference) return folded_convolution(x, folded, weight, options, relu, std::move(residual));
  return batch_norm(convolve(x), norm, true, relu, residual);
}

Tensor ConvolutionBatchNorm::convolve(const Tensor& x, const BatchNormParameters* before) const {
  return before ? batch_norm_convolution(x, *before, weight, options) : convolution(x, weight, nullptr, options);
}

}  // namespace preceptor
