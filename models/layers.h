// Layers that models are made of: a convolution with its batch norm in every mode.
#pragma once

#include <string>

#include "engine/ops.h"

namespace preceptor {

enum class Mode {
  train,      // batch statistics, gradients recorded
  inference,  // batch norms folded into convolutions, nothing recorded
};

// Adds `name`.weight, bias, running_mean and running_var to the parameters.
BatchNormParameters add_batch_norm(Parameters& parameters, const std::string& name, int channels);

// relu?(batch_norm(convolution(x)) + residual?)
struct ConvolutionBatchNorm {
  Parameter weight;
  BatchNormParameters norm;
  ConvolutionOptions options;
  FoldedConvolution folded;

  // Adds `convolution`.weight and the batch norm to the parameters.
  ConvolutionBatchNorm(Parameters& parameters, const std::string& convolution, const std::string& batch_norm, int in,
                       int out, int kernel, int stride, int padding);

  Tensor forward(const Tensor& x, Mode mode, bool relu, Tensor residual = Tensor());

  // The convolution alone, in training, of x or of relu(batch_norm(x)).
  Tensor convolve(const Tensor& x, const BatchNormParameters* before = nullptr) const;
  void fold() { folded.refresh(weight, norm); }
};

}  // namespace preceptor
