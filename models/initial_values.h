// Random numbers for the start of parameters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace preceptor {

// Normal and uniform numbers by name and position, so that a parameter's start does not depend on its neighbors.
class InitialValues {
 public:
  InitialValues(std::uint64_t seed, const std::string& name);
  double uniform(std::size_t i) const;  // in (0, 1)
  double normal(std::size_t i) const;   // of mean 0 and deviation 1

 private:
  std::uint64_t seed_, stream_ = 0xcbf29ce484222325u;
};

}  // namespace preceptor
