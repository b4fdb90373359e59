// What every measurement shares: repeated timing, order statistics, an emptied cache, and the machine's own limits.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "engine/context.h"
#include "kernels/device/matrix.h"

namespace preceptor {

inline double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// The value below which the part `fraction` of the values lies, interpolated.
inline double quantile(std::vector<double> values, double fraction) {
  std::sort(values.begin(), values.end());
  const double position = fraction * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const auto above = std::min(below + 1, values.size() - 1);
  return values[below] + (position - static_cast<double>(below)) * (values[above] - values[below]);
}

inline double median(std::vector<double> values) { return quantile(std::move(values), 0.5); }

struct Effort {
  int repeats = 0;  // exactly so many; 0: until both limits below are reached
  int least_repeats = 10;
  double seconds = 3;
};

// Seconds of each call of `body`. `before` runs untimed ahead of each.
template <class Body, class Before>
std::vector<double> time_repeats(const Effort& effort, const Body& body, const Before& before) {
  std::vector<double> seconds;
  double total = 0;
  const auto enough = [&] {
    const int done = static_cast<int>(seconds.size());
    return effort.repeats > 0 ? done >= effort.repeats : done >= effort.least_repeats && total >= effort.seconds;
  };
  while (!enough()) {
    before();
    const double begin = seconds_now();
    body();
    seconds.push_back(seconds_now() - begin);
    total += seconds.back();
  }
  return seconds;
}

// Calls body(first, last) on `threads` parts of [0, count).
template <class Body>
void over_threads(int threads, int count, const Body& body) {
  std::vector<std::thread> others;
  const auto bound = [&](int part) { return static_cast<std::size_t>(count) * part / threads; };
  for (int part = 1; part < threads; ++part) others.emplace_back([&, part] { body(bound(part), bound(part + 1)); });
  body(bound(0), bound(1));
  for (std::thread& other : others) other.join();
}

// More bytes than the last cache keeps, so that writing them empties it of everything else.
inline std::size_t bytes_beyond_caches() {
  const long last_cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
  return std::max(std::size_t{128} << 20, 2 * static_cast<std::size_t>(std::max(0L, last_cache)));
}

class CacheFlush {
 public:
  void operator()() {
    for (std::size_t i = 0; i < bytes_.size(); i += 64) bytes_[i] = static_cast<unsigned char>(bytes_[i] + 1);
  }

 private:
  std::vector<unsigned char> bytes_ = std::vector<unsigned char>(bytes_beyond_caches());
};

inline std::vector<float> random_normal(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 bits(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(bits);
  return values;
}

// A limit is what the machine reaches when nothing disturbs it: the fastest tenth and not the median.
inline constexpr double limit_quantile = 0.1;

// Bytes read and written per second by a copy of values onto themselves (negated, or nothing would be done), measured
// as the kernels are: in their memory, with a cold cache. A copy to another place would also read what it overwrites,
// which no kernel's cost() counts, and came out at half the rate of the optimizer's update.
inline double measure_copy_rate(Context& context, CacheFlush& flush) {
  constexpr int count = 1 << 23;
  const Tensor values = context.empty({count});
  values.from_host(random_normal(count, 1));
  float* data = values.data();
  const auto copy = [&] {
    over_threads(context.device().threads, count, [&](std::size_t first, std::size_t last) {
      for (std::size_t i = first; i < last; ++i) data[i] = -data[i];
    });
  };
  return 2.0 * sizeof(float) * count / quantile(time_repeats({.repeats = 31}, copy, std::ref(flush)), limit_quantile);
}

// Operations per second of a square single-precision matrix product.
inline double measure_multiply_rate() {
  constexpr int n = 768;
  const std::vector<float> a = random_normal(n * n, 1), b = random_normal(n * n, 2);
  std::vector<float> c(n * n);
  const auto multiply = [&] { kernels::multiply_on_cpu(false, false, n, n, n, a.data(), b.data(), 0, c.data()); };
  multiply();
  return 2.0 * n * n * n / quantile(time_repeats({.repeats = 101}, multiply, [] {}), limit_quantile);
}

// The most memory this program has held so far. getrusage() also counts what the process held before it became this
// program: with a Python that starts it, all of torch.
inline std::size_t peak_process_bytes() {
  std::ifstream status("/proc/self/status");
  std::size_t kilobytes = 0;
  for (std::string word; status >> word;)
    if (word == "VmHWM:") status >> kilobytes;
  return kilobytes * 1024;
}

inline std::size_t peak_pool_bytes(Context& context) {
  return context.pool(Lifetime::persistent).peak() + context.pool(Lifetime::step).peak();
}

}  // namespace preceptor
