// Helpers for the cpu loops of all families: chunks of 64 neighboring values, and when threads are worth starting.
#pragma once

#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

namespace preceptor::kernels {

// Loops handle 64 neighboring values together: 4 vectors of AVX-512 or 8 of AVX2, enough independent sums to hide the
// latency of an addition. Every channel block of a cpu divides 64, so value i of a block's plane belongs to channel
// i % block, and a loop over groups needs no other knowledge of the layout.
constexpr int chunk_size = 64;
constexpr int largest_block = 16;

// Below about 32768 values a loop is faster on one thread than the two microseconds that starting the others takes;
// `work` is the time for a value relative to a loop that only moves memory.
constexpr bool worth_threads(std::int64_t rows, std::int64_t columns = 1, std::int64_t work = 1) {
  return rows * columns * work >= std::int64_t{1} << 15;
}

constexpr int double_exponential = 16;  // the work of an exponential in double

// by_channel[c] += sum of the values of channel c in a chunk, always in the same order.
template <int block>
void fold_chunk(const float (&values)[chunk_size], double* by_channel) {
  double sums[block] = {};
  for (int i = 0; i < chunk_size; i += block)
    for (int channel = 0; channel < block; ++channel) sums[channel] += static_cast<double>(values[i + channel]);
  for (int channel = 0; channel < block; ++channel) by_channel[channel] += sums[channel];
}

// Repeats the values of a block's channels over a chunk.
template <int block, class T>
void tile_chunk(const T* by_channel, float (&values)[chunk_size]) {
  for (int i = 0; i < chunk_size; i += block)
    for (int channel = 0; channel < block; ++channel) values[i + channel] = static_cast<float>(by_channel[channel]);
}

// Calls function(position, count) for the groups of 64 values of a run, then once for what is left.
template <class Function>
void for_each_group(int values, const Function& function) {
  int i = 0;
  for (; i + chunk_size <= values; i += chunk_size) function(i, std::integral_constant<int, chunk_size>{});
  if (i < values) function(i, values - i);
}

// value where y > 0, else 0, even if value is a NaN. Bits and not ?:, which becomes a branch around the sums.
inline float where_positive(float y, float value) {
  return std::bit_cast<float>(std::bit_cast<std::int32_t>(value) & -static_cast<std::int32_t>(y > 0));
}

// Memory for results that threads exchange: grows to the largest need once.
template <class T>
T* scratch(std::size_t count) {
  thread_local std::vector<T> memory;
  if (memory.size() < count) memory.resize(count);
  return memory.data();
}

// Calls function with std::true_type or std::false_type for each flag: they become template arguments of an inner loop.
template <class Function>
void specialize(const Function& function) {
  function();
}
template <class Function, class... Flags>
void specialize(const Function& function, bool flag, Flags... others) {
  const auto with = [&](auto first) { specialize([&](auto... rest) { function(first, rest...); }, others...); };
  flag ? with(std::true_type{}) : with(std::false_type{});
}

// The same for the channel block, of which a cpu has three.
template <class Function>
void specialize_block(int block, const Function& function) {
  assert(block == 16 || block == 8 || block == 1);
  if (block == 16) return function(std::integral_constant<int, 16>{});
  if (block == 8) return function(std::integral_constant<int, 8>{});
  function(std::integral_constant<int, 1>{});
}

}  // namespace preceptor::kernels
