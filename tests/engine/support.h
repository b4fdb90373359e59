// What several engine tests need: exact random values, filled tensors, and expected errors.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <random>

#include "engine/context.h"
#include "engine/ops.h"
#include "tests/support/temporary_folder.h"

namespace preceptor::test {

// Multiples of 1/1024 in [-limit, limit]: moving them by a power of two of at least 1/1024 is exact.
inline std::vector<float> grid_values(std::size_t count, unsigned seed, float limit = 1) {
  std::mt19937 generator(seed);
  const int steps = static_cast<int>(limit * 1024);
  std::vector<float> values(count);
  for (float& value : values)
    value = static_cast<float>(static_cast<int>(generator() % (2u * static_cast<unsigned>(steps) + 1)) - steps) / 1024;
  return values;
}

inline Tensor tensor_of(Context& context, const Shape& shape, const std::vector<float>& values,
                        Lifetime lifetime = Lifetime::step) {
  const Tensor tensor = context.empty(shape, lifetime);
  tensor.from_host(values);
  return tensor;
}

// A batch norm of new parameters.
inline BatchNormParameters batch_norm_of(Parameters& parameters, int channels) {
  BatchNormParameters p;
  for (auto [name, parameter] : {std::pair{"gamma", &p.gamma}, {"beta", &p.beta}})
    *parameter = parameters.add(name, {channels}, ParameterKind::plain);
  for (auto [name, parameter] : {std::pair{"mean", &p.running_mean}, {"variance", &p.running_variance}})
    *parameter = parameters.add(name, {channels}, ParameterKind::buffer);
  return p;
}

// Gives all parameters values of the grid.
inline void fill(Parameters& parameters) {
  StateDict state = parameters.state();
  unsigned number = 0;
  for (auto& [name, tensor] : state) tensor.values = grid_values(tensor.values.size(), ++number);
  parameters.load(state);
}

inline std::vector<std::uint32_t> bits(const std::vector<float>& values) {
  std::vector<std::uint32_t> result;
  for (float value : values) result.push_back(std::bit_cast<std::uint32_t>(value));
  return result;
}

// function() has to throw an Error of this kind whose text holds every one of the parts.
template <class Function>
void expect_error(ErrorKind kind, const std::vector<std::string>& parts, const Function& function) {
  try {
    function();
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(kind)) << error.what();
    for (const std::string& part : parts)
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos)
          << "'" << error.what() << "' does not say '" << part << "'";
    return;
  }
  ADD_FAILURE() << "nothing was thrown";
}

}  // namespace preceptor::test
