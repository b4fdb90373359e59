// Connectors and their start.
#include "models/transfer/connector.h"

#include <cmath>

#include "engine/initial_values.h"

namespace preceptor {
namespace {

// Uniform in +-1 / sqrt(fan in).
void start(const Parameter& parameter, int fan_in, std::uint64_t seed) {
  const double scale = 1 / std::sqrt(static_cast<double>(fan_in));
  set_values(parameter, InitialValues(seed, parameter.name()).uniform_values(parameter.shape().elements(), scale));
}

}  // namespace

Parameter make_projection(Parameters& parameters, const std::string& name, int in, int out, std::uint64_t seed) {
  Parameter weight = parameters.add(name + ".weight", {out, in, 1, 1}, ParameterKind::convolution);
  start(weight, in, seed);
  return weight;
}

Regressor::Regressor(Parameters& parameters, const std::string& name, int in, int out, std::uint64_t seed, int kernel)
    : weight(parameters.add(name + ".weight", {out, in, kernel, kernel}, ParameterKind::convolution)),
      bias(parameters.add(name + ".bias", {out}, ParameterKind::plain)) {
  start(weight, in * kernel * kernel, seed);
  start(bias, in * kernel * kernel, seed);
}

Embedding::Embedding(Parameters& parameters, const std::string& name, int in, int out, std::uint64_t seed)
    : weight(parameters.add(name + ".weight", {out, in}, ParameterKind::plain)),
      bias(parameters.add(name + ".bias", {out}, ParameterKind::plain)) {
  start(weight, in, seed);
  start(bias, in, seed);
}

ConvolutionBatchNorm make_connector(Parameters& parameters, const std::string& name, int in, int out,
                                    std::uint64_t seed, int kernel) {
  ConvolutionBatchNorm connector(parameters, name + ".convolution", name + ".norm", in, out, kernel, 1);
  connector.options.direct = true;
  start(connector.weight, in * kernel * kernel, seed);
  for (const Parameter& one : {connector.norm.gamma, connector.norm.running_variance})
    set_values(one, std::vector<float>(one.shape().elements(), 1));
  return connector;
}

}  // namespace preceptor
