// Layers that models are made of: a convolution with its batch norm in every mode.
#pragma once

#include <string>

#include "engine/ops.h"

namespace preceptor {

enum class Mode {
  train,      // batch statistics, gradients recorded
  inference,  // batch norms folded into convolutions, nothing recorded
};

// relu?(batch_norm(convolution(x)) + residual?)
struct ConvolutionBatchNorm {
  Parameter weight;
  BatchNormParameters norm;
  ConvolutionOptions options;
  FoldedConvolution folded;

  // Adds `convolution`.weight and `norm`.weight, bias, running_mean, running_var to the parameters.
  ConvolutionBatchNorm(Parameters& parameters, const std::string& convolution, const std::string& norm_name, int in,
                       int out, int kernel, int stride, int padding);

  Tensor forward(const Tensor& x, Mode mode, bool relu, Tensor residual = Tensor());
  void fold() { folded.refresh(weight, norm); }
};

}  // namespace preceptor
