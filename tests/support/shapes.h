// Random shapes and values that kernels get wrong: sizes around vector widths, huge, tiny, constant and one-hot data.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

namespace preceptor::test {

// The seed of all random data: PRECEPTOR_SEED from the environment or a fixed one. Printed when first used.
inline std::uint64_t seed() {
  static const std::uint64_t value = [] {
    const char* text = std::getenv("PRECEPTOR_SEED");
    const std::uint64_t chosen = text ? std::strtoull(text, nullptr, 10) : 20240229;
    std::printf("[   seed   ] PRECEPTOR_SEED=%llu\n", static_cast<unsigned long long>(chosen));
    return chosen;
  }();
  return value;
}

enum class Kind { normal, huge, tiny, constant, one_hot };
inline constexpr Kind all_kinds[] = {Kind::normal, Kind::huge, Kind::tiny, Kind::constant, Kind::one_hot};
inline std::string name_of(Kind kind) {
  switch (kind) {
    case Kind::normal:
      return "normal";
    case Kind::huge:
      return "huge";
    case Kind::tiny:
      return "tiny";
    case Kind::constant:
      return "constant";
    case Kind::one_hot:
      return "one-hot";
  }
  return "unknown";
}

// Random numbers of one test: a function of the seed and the test's own name, whatever other tests ran before.
class Random {
 public:
  explicit Random(const std::string& test);

  double normal() { return normal_(generator_); }
  double uniform(double low, double high) { return std::uniform_real_distribution<double>(low, high)(generator_); }
  int integer(int low, int high) { return std::uniform_int_distribution<int>(low, high)(generator_); }
  bool coin() { return integer(0, 1) == 1; }
  // One of 1, 2, 3, 5, 7, 13, 31, 32, 33, 61, 127, 128, 129 that is at most `largest`.
  int awkward_size(int largest);

  // `scale` is the size of normal values; huge is 1e15 and tiny 1e-15 of it.
  std::vector<float> values(std::size_t count, Kind kind = Kind::normal, double scale = 1);

 private:
  std::mt19937_64 generator_;
  std::normal_distribution<double> normal_;
};

inline std::vector<double> to_double(const std::vector<float>& values) { return {values.begin(), values.end()}; }

inline Random::Random(const std::string& test) {
  std::uint64_t mixed = seed();
  // FNV-1a, because std::hash may differ between libraries.
  for (char letter : test) mixed = (mixed ^ static_cast<unsigned char>(letter)) * 0x100000001b3u;
  generator_.seed(mixed);
}

inline int Random::awkward_size(int largest) {
  constexpr int sizes[] = {1, 2, 3, 5, 7, 13, 31, 32, 33, 61, 127, 128, 129};
  int count = 0;
  while (count < 13 && sizes[count] <= largest) ++count;
  return sizes[integer(0, count - 1)];
}

inline std::vector<float> Random::values(std::size_t count, Kind kind, double scale) {
  std::vector<float> result(count, 0.0f);
  if (kind == Kind::constant) {
    result.assign(count, static_cast<float>(scale * normal()));
  } else if (kind == Kind::one_hot) {
    if (count > 0)
      result[static_cast<std::size_t>(integer(0, static_cast<int>(count) - 1))] = static_cast<float>(scale);
  } else {
    const double size = scale * (kind == Kind::huge ? 1e15 : kind == Kind::tiny ? 1e-15 : 1.0);
    for (float& value : result) value = static_cast<float>(size * normal());
  }
  return result;
}

}  // namespace preceptor::test
