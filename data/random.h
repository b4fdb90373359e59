// Counter-based random numbers: integers name a stream, so any part of a data set can be drawn independently.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <utility>
#include <vector>

namespace preceptor {

// The finalizer of SplitMix64 (Steele, Lea, Flood 2014): a bijection that maps consecutive inputs to outputs that look
// independent of each other.
constexpr std::uint64_t mix_bits(std::uint64_t bits) {
  bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9ull;
  bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EBull;
  return bits ^ (bits >> 31);
}

// RandomStream(seed, epoch) or RandomStream(seed, site, split, image): equal names, equal numbers.
class RandomStream {
 public:
  template <class... Names>
  explicit constexpr RandomStream(Names... names) {
    ((key_ = mix_bits((key_ ^ static_cast<std::uint64_t>(names)) + golden)), ...);
  }

  std::uint64_t bits() { return mix_bits(key_ + golden * ++counter_); }

  // In [0, 1).
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  bool chance(double probability) { return uniform() < probability; }

  // In [0, limit), without the bias of a remainder (Lemire 2019).
  std::uint32_t below(std::uint32_t limit) {
    std::uint64_t product = (bits() >> 32) * limit;
    if (static_cast<std::uint32_t>(product) < limit) {
      const std::uint32_t threshold = (0u - limit) % limit;
      while (static_cast<std::uint32_t>(product) < threshold) product = (bits() >> 32) * limit;
    }
    return static_cast<std::uint32_t>(product >> 32);
  }

  double normal() {
    const double radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }

 private:
  static constexpr std::uint64_t golden = 0x9E3779B97F4A7C15ull;
  std::uint64_t key_ = 0;
  std::uint64_t counter_ = 0;
};

// Fisher-Yates: every order of 0..count-1 is equally likely.
inline std::vector<std::int32_t> permutation(int count, RandomStream random) {
  std::vector<std::int32_t> order(count);
  for (int i = 0; i < count; ++i) order[i] = i;
  for (int i = count - 1; i > 0; --i) std::swap(order[i], order[random.below(static_cast<std::uint32_t>(i) + 1)]);
  return order;
}

}  // namespace preceptor
