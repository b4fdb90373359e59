// The header of a .npy array, parsed without evaluating it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace preceptor {

struct NpyHeader {
  std::string dtype;                // "|u1", "<f4", ...
  std::vector<std::int64_t> shape;  // empty for a scalar
  std::uint64_t data_bytes = 0;     // product of the shape times the size of an element
};

// Every .npy begins with magic and version, then the length of the header text (2 bytes in version 1, 4 in 2 and 3).
inline constexpr std::size_t npy_prefix_bytes = 8;
inline constexpr std::uint64_t npy_longest_header = 1 << 20;
inline constexpr std::uint64_t npy_most_bytes = std::uint64_t{1} << 36;  // 64 GiB: ten times the largest set expected

// Checks the first 8 bytes and returns the number of length bytes that follow (2 or 4); `place` begins every message.
int npy_length_bytes(std::string_view prefix, const std::string& place);

// Parses the header text, a Python dictionary of descr, fortran_order and shape.
NpyHeader parse_npy_header(std::string_view text, const std::string& place);

}  // namespace preceptor
