// Networks that look trained: batch norms that change something, so that leaving one out is seen.
#pragma once

#include <cmath>

#include "models/network.h"

namespace preceptor::test {

// A random start, then scales, offsets and running statistics that differ from channel to channel; folded.
inline void initialize_with_statistics(Network& network, std::uint64_t seed) {
  network.initialize(seed);
  StateDict state = network.parameters().state();
  for (auto& [name, tensor] : state) {
    if (tensor.shape.rank() != 1 || name.starts_with(network.head_name() + ".")) continue;
    const bool around_one = name.ends_with(".weight") || name.ends_with(".running_var");
    for (std::size_t i = 0; i < tensor.values.size(); ++i)
      tensor.values[i] =
          (around_one ? 1.0f : 0.0f) + 0.2f * std::sin(static_cast<float>(i) + static_cast<float>(name.size() + seed));
  }
  network.parameters().load(state);
  network.fold();
}

}  // namespace preceptor::test
