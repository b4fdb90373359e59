// Layers that models are made of: a convolution with its batch norm.
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

struct ConvolutionBatchNorm {
  Parameter weight;
  BatchNormParameters norm;
  ConvolutionOptions options;

  // Adds `convolution`.weight and the batch norm to the parameters. The padding keeps the size if the stride is 1.
  ConvolutionBatchNorm(Parameters& parameters, const std::string& convolution, const std::string& batch_norm, int in,
                       int out, int kernel, int stride);

  // batch_norm(convolution(x)) in training.
  Tensor operator()(const Tensor& x) const;
};

}  // namespace preceptor
