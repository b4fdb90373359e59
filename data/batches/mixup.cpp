// Draws lambda, and mixes in integers.
#include "data/batches/mixup.h"

#include <algorithm>
#include <cmath>

namespace preceptor {
namespace {

// Joehnk 1964: u^(1/a) / (u^(1/a) + v^(1/a)) if the sum is at most 1. In logarithms, because u^(1/a) may underflow.
double draw_beta(double alpha, RandomStream& random) {
  while (true) {
    const double u = std::log(1 - random.uniform()) / alpha, v = std::log(1 - random.uniform()) / alpha;
    if (std::exp(u) + std::exp(v) <= 1) return 1 / (1 + std::exp(v - u));
  }
}

}  // namespace

Mixture draw_mixture(int rows, double alpha, RandomStream random) {
  Mixture mixture;
  if (rows > 1) mixture.offset = 1 + static_cast<int>(random.below(static_cast<std::uint32_t>(rows) - 1));
  for (int i = 0; i < rows; ++i) {
    const double lambda = draw_beta(alpha, random);
    mixture.weights.push_back(static_cast<int>(std::lround(std::max(lambda, 1 - lambda) * mixture_whole)));
  }
  return mixture;
}

void mix_rows(const Mixture& mixture, std::vector<std::uint8_t>& values) {
  const std::size_t rows = mixture.weights.size(), width = values.size() / rows;
  const std::vector<std::uint8_t> own = values;
  for (std::size_t row = 0; row < rows; ++row) {
    const std::uint8_t *first = own.data() + row * width, *second = own.data() + (row + mixture.offset) % rows * width;
    std::uint8_t* mixed = values.data() + row * width;
    const int weight = mixture.weights[row], rest = mixture_whole - weight;
    for (std::size_t i = 0; i < width; ++i)
      mixed[i] = static_cast<std::uint8_t>((first[i] * weight + second[i] * rest + mixture_whole / 2) / mixture_whole);
  }
}

std::vector<float> partners_of(const Mixture& mixture, const std::vector<float>& values) {
  const std::size_t width = values.size() / mixture.weights.size();
  std::vector<float> partners = values;
  std::rotate(partners.begin(), partners.begin() + static_cast<std::ptrdiff_t>(width * mixture.offset), partners.end());
  return partners;
}

}  // namespace preceptor
