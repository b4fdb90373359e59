// What the cpu loops of all families share: groups of 64 neighboring values, and when threads are worth starting.
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

// by_channel[c] += sum of the lanes that belong to channel c, always in the same order.
template <int block>
void fold_chunk(const float (&values)[chunk_size], double* by_channel) {
  double sums[block] = {};
  for (int lane = 0; lane < chunk_size; lane += block)
    for (int channel = 0; channel < block; ++channel) sums[channel] += static_cast<double>(values[lane + channel]);
  for (int channel = 0; channel < block; ++channel) by_channel[channel] += sums[channel];
}

// Repeats the values of a block's channels over all lanes.
template <int block, class T>
void tile_chunk(const T* by_channel, float (&values)[chunk_size]) {
  for (int lane = 0; lane < chunk_size; lane += block)
    for (int channel = 0; channel < block; ++channel) values[lane + channel] = static_cast<float>(by_channel[channel]);
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

// Calls function(std::true_type) or function(std::false_type): a flag becomes a template argument of an inner loop.
template <class Function>
void specialize(bool flag, const Function& function) {
  flag ? function(std::true_type{}) : function(std::false_type{});
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
