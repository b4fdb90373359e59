// Two fingerprints of images: of equal pixels, and of pictures that look alike.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <span>

#include "data/images/image.h"

namespace preceptor {

// 64 bits of any bytes; equal bytes, equal hash. Not for hostile bytes: collisions can be made.
std::uint64_t content_hash(std::span<const std::uint8_t> bytes, std::uint64_t seed = 0);

// The difference hash (N. Krawetz 2013) with 16 x 16 bits: the grey picture at 17 x 16 pixels, and for each pixel but
// the last of a row whether its right neighbor is brighter. It survives resizing, compression and a change of
// brightness; a flip or a cut changes it.
using DifferenceHash = std::array<std::uint64_t, 4>;
DifferenceHash difference_hash(const Image& image);

// Bits in which two hashes differ, 0 to 256.
inline int distance(const DifferenceHash& a, const DifferenceHash& b) {
  int bits = 0;
  for (std::size_t i = 0; i < a.size(); ++i) bits += std::popcount(a[i] ^ b[i]);
  return bits;
}

}  // namespace preceptor
