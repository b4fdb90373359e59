// Mixup (Zhang et al. 2018): images of a batch mixed in pairs.
#pragma once

#include <cstdint>
#include <vector>

#include "data/random.h"

namespace preceptor {

// Row i is mixed with row (i + offset) % rows.
struct Mixture {
  int offset = 0;
  std::vector<int> weights;  // [rows] lambda of the row's own values in units of 1 / mixture_whole, at least one half
};
inline constexpr int mixture_whole = 1 << 16;
inline float mixture_lambda(int weight) { return static_cast<float>(weight) / mixture_whole; }

// Lambda from Beta(alpha, alpha), alpha above 0 and at most 1; the row itself gets the larger of lambda and 1 - lambda,
// which loses nothing because every row is also the partner of another. A single row is mixed with itself.
Mixture draw_mixture(int rows, double alpha, RandomStream random);

// values [rows, ...]: each row becomes lambda * own + (1 - lambda) * partner, rounded to the nearest.
void mix_rows(const Mixture& mixture, std::vector<std::uint8_t>& values);

// values [rows, ...]: the partner's values in each row.
std::vector<float> partners_of(const Mixture& mixture, const std::vector<float>& values);

}  // namespace preceptor
