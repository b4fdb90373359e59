// Comparison with derived tolerances: a pass reports how much of the allowed error was used.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

namespace preceptor::test {

// Unit roundoff of float: the largest relative error of one rounding to nearest.
inline constexpr double float_roundoff = 0x1p-24;

// The error that a float sum of n terms may have: eps (c + sqrt(n)) sum|terms|. Rounding errors of a sum add up like a
// random walk; c counts the roundings of each term and of the result, so a test states why it needs its c.
inline double allowed(double n, double sum_of_terms, double c = 4) {
  // Results near the smallest float are rounded to its spacing, once per term.
  const double underflow = (n + c) * static_cast<double>(std::numeric_limits<float>::denorm_min());
  return float_roundoff * (c + std::sqrt(n)) * sum_of_terms + underflow;
}

// Collects |actual - expected| / allowed, fails the test if it exceeds 1, and prints the largest ratio at the end.
class Comparison {
 public:
  explicit Comparison(std::string name) : name_(std::move(name)) {}
  Comparison(const Comparison&) = delete;
  Comparison& operator=(const Comparison&) = delete;
  ~Comparison();

  // A NaN or infinity matches only itself.
  void check(double actual, double expected, double allowed, std::size_t index);
  double largest() const { return largest_; }

 private:
  std::string name_;
  double largest_ = 0;
  int failures_ = 0;
  long checks_ = 0;
};

// The same bits, NaNs and zeros' signs included.
template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

}  // namespace preceptor::test
