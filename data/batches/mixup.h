// Mixup (Zhang et al. 2018): images of a batch mixed in pairs.
#pragma once

#include <cstdint>
#include <vector>

#include "data/random.h"

namespace preceptor {

// Row i is mixed with row (i + offset) % rows.
struct Mixture {
  int offset = 0;
  std::vector<int> weights;  // [rows] of the row's own values, of mixture_whole; at least half of it
};
inline constexpr int mixture_whole = 1 << 16;
inline float mixture_share(int weight) { return static_cast<float>(weight) / mixture_whole; }

// Shares from Beta(alpha, alpha), alpha above 0 and at most 1; the larger part is the row's own, which changes nothing
// because every row is also the partner of another. A single row is mixed with itself.
Mixture draw_mixture(int rows, double alpha, RandomStream random);

// values [rows, ...]: each row becomes weight * own + (1 - weight) * partner, rounded to the nearest.
void mix_rows(const Mixture& mixture, std::vector<std::uint8_t>& values);

// values [rows, ...]: in row i what its partner has.
std::vector<float> partners_of(const Mixture& mixture, const std::vector<float>& values);

}  // namespace preceptor
