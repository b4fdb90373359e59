// Eight bytes at a time through the mixer of data/random.h; neighbors compared on a small copy.
#include "data/storage/image_hash.h"

#include <cstring>

#include "data/random.h"

namespace preceptor {

std::uint64_t content_hash(std::span<const std::uint8_t> bytes, std::uint64_t seed) {
  std::uint64_t hash = mix_bits(seed ^ bytes.size());
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data() + i, sizeof word);
    hash = mix_bits(hash ^ word) + 0x9E3779B97F4A7C15ull;
  }
  std::uint64_t rest = 0;
  if (i < bytes.size()) std::memcpy(&rest, bytes.data() + i, bytes.size() - i);
  return mix_bits(hash ^ rest);
}

DifferenceHash difference_hash(const Image& image) {
  const Image small = resized(with_channels(image, 1), 16, 17);
  DifferenceHash hash{};
  for (std::size_t y = 0; y < 16; ++y)
    for (std::size_t x = 0; x < 16; ++x) {
      const std::uint64_t brighter = small.pixels[y * 17 + x + 1] > small.pixels[y * 17 + x];
      hash[y / 4] |= brighter << (y % 4 * 16 + x);
    }
  return hash;
}

}  // namespace preceptor
