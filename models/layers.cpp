// A convolution with its batch norm.
#include "models/layers.h"

namespace preceptor {

ConvolutionBatchNorm::ConvolutionBatchNorm(Parameters& parameters, const std::string& convolution,
                                           const std::string& norm_name, int in, int out, int kernel, int stride,
                                           int padding)
    : weight(parameters.add(convolution + ".weight", {out, in, kernel, kernel}, ParameterKind::convolution)),
      options{stride, padding} {
  norm.gamma = parameters.add(norm_name + ".weight", {out}, ParameterKind::plain);
  norm.beta = parameters.add(norm_name + ".bias", {out}, ParameterKind::plain);
  norm.running_mean = parameters.add(norm_name + ".running_mean", {out}, ParameterKind::statistic);
  norm.running_variance = parameters.add(norm_name + ".running_var", {out}, ParameterKind::statistic);
}

Tensor ConvolutionBatchNorm::forward(const Tensor& x, Mode mode, bool relu, Tensor residual) {
  if (mode == Mode::inference) return folded_convolution(x, folded, weight, options, relu, std::move(residual));
  return batch_norm(convolution(x, weight, nullptr, options), norm, true, relu,
                    residual.defined() ? &residual : nullptr);
}

}  // namespace preceptor
