// Layers that bring a student's maps to a teacher's channels: learned with the student, thrown away with the method.
#pragma once

#include "models/layers.h"

namespace preceptor {

// A 1x1 convolution without a bias, started as Regressor. Adds `name`.weight.
Parameter make_projection(Parameters& parameters, const std::string& name, int in, int out, std::uint64_t seed);

// A 1x1 convolution with a bias, started uniformly in +-1 / sqrt(in) as torch's Conv2d.
struct Regressor {
  Parameter weight, bias;

  // Adds `name`.weight and `name`.bias.
  Regressor(Parameters& parameters, const std::string& name, int in, int out, std::uint64_t seed);
  Tensor operator()(const Tensor& x) const { return convolution(x, weight, &bias, {}); }
};

// A 1x1 convolution without a bias, started as Regressor, and a batch norm behind it.
ConvolutionBatchNorm make_connector(Parameters& parameters, const std::string& name, int in, int out,
                                    std::uint64_t seed);

}  // namespace preceptor
