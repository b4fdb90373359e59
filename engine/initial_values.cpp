// Random numbers for the start of parameters.
#include "engine/initial_values.h"

#include <cmath>
#include <numbers>

#include "kernels/device/philox.h"

namespace preceptor {

InitialValues::InitialValues(std::uint64_t seed, const std::string& name) : seed_(seed) {
  for (unsigned char letter : name) stream_ = (stream_ ^ letter) * 0x100000001b3u;  // FNV-1a
}

double InitialValues::uniform(std::size_t i) const {
  return (static_cast<double>(kernels::philox(seed_, i, stream_)[0]) + 0.5) * 0x1p-32;
}

double InitialValues::normal(std::size_t i) const {  // Box-Muller
  const auto bits = kernels::philox(seed_, i, stream_);
  const double u = (static_cast<double>(bits[0]) + 0.5) * 0x1p-32, v = static_cast<double>(bits[1]) * 0x1p-32;
  return std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v);
}

std::vector<float> InitialValues::uniform_values(std::size_t count, double scale) const {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<float>(scale * (2 * uniform(i) - 1));
  return values;
}

}  // namespace preceptor
