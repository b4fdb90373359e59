// Connectors and their start.
#include "models/transfer/connector.h"

#include <cmath>

#include "engine/initial_values.h"

namespace preceptor {
namespace {

// Uniform in +-1 / sqrt(fan in) for what the names begin with; batch norms at 1 and 0.
void start(Parameters& parameters, const std::string& prefix, int fan_in, std::uint64_t seed) {
  StateDict state = parameters.state();
  const double scale = 1 / std::sqrt(static_cast<double>(fan_in));
  for (auto& [name, tensor] : state) {
    if (!name.starts_with(prefix)) continue;
    const bool of_norm = name.starts_with(prefix + "norm."),
               one = name.ends_with("weight") || name.ends_with("running_var");
    const InitialValues random(seed, name);
    for (std::size_t i = 0; i < tensor.values.size(); ++i)
      tensor.values[i] = static_cast<float>(of_norm ? one : scale * (2 * random.uniform(i) - 1));
  }
  parameters.load(state);
}

}  // namespace

Parameter make_projection(Parameters& parameters, const std::string& name, int in, int out, std::uint64_t seed) {
  Parameter weight = parameters.add(name + ".weight", {out, in, 1, 1}, ParameterKind::convolution);
  start(parameters, name + ".", in, seed);
  return weight;
}

Regressor::Regressor(Parameters& parameters, const std::string& name, int in, int out, std::uint64_t seed, int kernel)
    : weight(parameters.add(name + ".weight", {out, in, kernel, kernel}, ParameterKind::convolution)),
      bias(parameters.add(name + ".bias", {out}, ParameterKind::plain)) {
  start(parameters, name + ".", in * kernel * kernel, seed);
}

Embedding::Embedding(Parameters& parameters, const std::string& name, int in, int out, std::uint64_t seed)
    : weight(parameters.add(name + ".weight", {out, in}, ParameterKind::plain)),
      bias(parameters.add(name + ".bias", {out}, ParameterKind::plain)) {
  start(parameters, name + ".", in, seed);
}

ConvolutionBatchNorm make_connector(Parameters& parameters, const std::string& name, int in, int out,
                                    std::uint64_t seed, int kernel) {
  ConvolutionBatchNorm connector(parameters, name + ".convolution", name + ".norm", in, out, kernel, 1);
  connector.options.direct = true;
  start(parameters, name + ".", in * kernel * kernel, seed);
  return connector;
}

}  // namespace preceptor
