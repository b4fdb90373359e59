// Random maps of any device: shapes and layouts that kernels get wrong.
#pragma once

#include "tests/support/feature_maps.h"
#include "tests/support/variants.h"

namespace preceptor::test {

struct RandomMap {
  MapShape shape;
  int block;  // cpu: the block of all maps; others: 0

  std::string text() const { return shape.text() + " block " + std::to_string(block); }
};

// cpu: a random shape in each of its blocks. Others: channels around the widths of groups, tiles and warps, of at most
// `most` elements.
inline RandomMap random_map(Random& random, const kernels::Device& device, int number, int most = 12000) {
  if (device.kind == kernels::DeviceKind::cpu) {
    const int block = all_blocks[number % 3];
    return {random_shape(random, block), block};
  }
  constexpr int channels[] = {1, 8, 33, 64, 3, 32, 129, 16};
  MapShape shape{1, channels[number % 8], 1, 1};
  do {
    shape.images = random.integer(1, 4);
    shape.height = random.awkward_size(61);
    shape.width = random.awkward_size(61);
  } while (shape.elements() > static_cast<std::size_t>(watched(device) ? most / 6 : most));
  return {shape, 0};
}

// Of one of the maps of an operation: a view of a wider map or not, which begins anywhere where the device allows that.
inline MapLayout random_layout(Random& random, const RandomMap& map) {
  if (map.block > 0) return channel_blocked(map.shape.channels, map.block, random.coin());
  constexpr int neighbors[] = {0, 0, 0, 8, 16, 1, 3, 4};
  const int before = neighbors[random.integer(0, 7)];
  // Mostly both in whole groups: views that are accessed by 16 bytes are tested as often as others.
  const int after = before % 8 == 0 ? neighbors[random.integer(0, 4)] : neighbors[random.integer(0, 7)];
  return channels_last(map.shape.channels, before, after);
}

}  // namespace preceptor::test
