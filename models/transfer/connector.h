// Layers that bring a student's maps to a teacher's channels: learned with the student, thrown away with the method.
// Their convolutions are direct: through the three layers of a factor transfer Winograd rounds gradients to 2e-6 of the
// largest, these to 6e-7.
#pragma once

#include "models/layers.h"

namespace preceptor {

// A 1x1 convolution without a bias, started as Regressor. Adds `name`.weight.
Parameter make_projection(Parameters& parameters, const std::string& name, int in, int out, std::uint64_t seed);

// A convolution with a bias that keeps the size, started uniformly in +-1 / sqrt(fan in) as torch's Conv2d.
struct Regressor {
  Parameter weight, bias;

  // Adds `name`.weight and `name`.bias. kernel: odd.
  Regressor(Parameters& parameters, const std::string& name, int in, int out, std::uint64_t seed, int kernel = 1);
  Tensor operator()(const Tensor& x) const {
    return convolution(x, weight, &bias, {.padding = weight.shape()[2] / 2, .direct = true});
  }
};

// A convolution without a bias that keeps the size, started as Regressor, and a batch norm behind it.
ConvolutionBatchNorm make_connector(Parameters& parameters, const std::string& name, int in, int out,
                                    std::uint64_t seed, int kernel = 1);

// A linear layer, started as Regressor, whose rows are brought to unit length.
struct Embedding {
  Parameter weight, bias;

  // Adds `name`.weight and `name`.bias.
  Embedding(Parameters& parameters, const std::string& name, int in, int out, std::uint64_t seed);
  Tensor operator()(const Tensor& x) const { return l2_normalize_rows(linear(x, weight, bias)); }
};

}  // namespace preceptor
