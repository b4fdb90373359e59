// Random numbers for the initial values of parameters: the kernels' generator, on the host. data/random.h draws orders,
// splits and phantoms from another one; exchanging them would change the bits of every recorded run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace preceptor {

// Normal and uniform numbers by name and position, so that the values of one parameter do not depend on any
// other parameter.
class InitialValues {
 public:
  InitialValues(std::uint64_t seed, const std::string& name);
  double uniform(std::size_t i) const;  // in (0, 1)
  double normal(std::size_t i) const;   // mean 0, deviation 1
  // The first `count` uniform ones from -scale to scale.
  std::vector<float> uniform_values(std::size_t count, double scale) const;

 private:
  std::uint64_t seed_, stream_ = 0xcbf29ce484222325u;
};

}  // namespace preceptor
