// Dropout (Srivastava et al. 2014): values fall to zero at random, and those that stay grow so that the
// mean does not change.
#pragma once

#include "kernels/device/family.h"
#include "kernels/device/feature_map.h"
#include "kernels/device/step_state.h"

namespace preceptor::kernels {

// y = x / (1 - probability) with probability 1 - probability, else 0, even of a NaN. It is its own gradient: with d_y
// for x it gives d_x, because what falls depends on nothing but the seed, the step, `layer` and the place in the map:
//   channel c of pixel (y, x) of image i is number c % 4 of philox(key = seed, counter = (step, (layer + 1) 2^40 + q)),
//   q = ((i height + y) width + x) ceil(channels / 4) + c / 4.
// The numbers of kernels/augment have the counters (step, image), below 2^40. T is float or bfloat16 (cpu: float); maps
// are channel-blocked on the cpu, channels-last on cuda and emulated.
template <class T>
struct Dropout {
  static constexpr const char* name = "dropout";
  FeatureMap<const T> x;
  FeatureMap<T> y;  // may be the memory of x
  const StepState* state;
  int layer;          // >= 0; layers of one network that differ in it drop independently
  float probability;  // of dropping a value, in [0, 1)

  // A value stays when its random number is at least this.
  std::uint32_t threshold() const { return static_cast<std::uint32_t>(static_cast<double>(probability) * 0x1p32); }
  float scale() const { return 1 / (1 - probability); }
  int quads() const { return (x.channels + 3) / 4; }  // per pixel
  std::uint64_t first_counter() const { return (static_cast<std::uint64_t>(layer) + 1) << 40; }

  // Ten rounds of two products, four exclusive ors and two sums give four numbers; a comparison and a product.
  Cost cost() const { return {2 * count_of(x.elements()) * sizeof(T), count_of(x.elements()) * (10 * 8 / 4.0 + 2)}; }
};
KERNEL_FAMILY_OF_T(Dropout);

}  // namespace preceptor::kernels
