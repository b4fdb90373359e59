// Feature maps on the heap in any layout, as views into wider maps whose other channels are guarded.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/device/feature_map.h"
#include "tests/support/shapes.h"

namespace preceptor::test {

inline constexpr std::uint32_t guard = 0x7fc0beefu;  // a quiet NaN

struct MapShape {
  int images, channels, height, width;

  int plane() const { return height * width; }
  std::size_t elements() const { return static_cast<std::size_t>(images) * channels * plane(); }
  std::string text() const {
    return std::to_string(images) + "x" + std::to_string(channels) + "x" + std::to_string(height) + "x" +
           std::to_string(width);
  }
};

// A random shape with at most about 40000 elements; channels are a multiple of the block, sizes awkward.
inline MapShape random_shape(Random& random, int block) {
  MapShape shape{};
  do {
    shape.images = random.coin() ? random.integer(1, 4) : random.awkward_size(33);
    shape.channels = block * (block == 1 ? random.awkward_size(33) : random.integer(1, 5));
    shape.height = random.awkward_size(61);
    shape.width = random.awkward_size(61);
  } while (shape.elements() > 40000);
  return shape;
}

// The memory of a map of `shape`; `wider`: a channel range of a map with one more block before and two after it.
// Everything starts as a NaN with a known pattern: reads beside the view spread, writes beside it are found.
class MapBuffer {
 public:
  MapBuffer(const MapShape& shape, int block, bool wider = false);

  kernels::FeatureMap<float> map();
  void set(const std::vector<float>& plain);  // values in plain order (n, c, h, w)
  std::vector<float> plain() const;
  bool neighbours_untouched() const;
  const std::vector<float>& memory() const { return memory_; }

 private:
  template <class Visit>
  void for_each(const Visit& visit) const;  // visit(position in plain order, position in memory)

  MapShape shape_;
  int block_, pitch_, first_channel_;
  std::vector<float> memory_;
};

template <class Visit>
void MapBuffer::for_each(const Visit& visit) const {
  const kernels::FeatureMap<const float> whole{memory_.data(), shape_.images, pitch_, shape_.height,
                                               shape_.width,   block_,        pitch_};
  std::size_t plain = 0;
  for (int image = 0; image < shape_.images; ++image)
    for (int channel = 0; channel < shape_.channels; ++channel)
      for (int y = 0; y < shape_.height; ++y)
        for (int x = 0; x < shape_.width; ++x) visit(plain++, whole.offset(image, first_channel_ + channel, y, x));
}

inline MapBuffer::MapBuffer(const MapShape& shape, int block, bool wider)
    : shape_(shape),
      block_(block),
      pitch_(shape.channels + (wider ? 3 * block : 0)),
      first_channel_(wider ? block : 0),
      memory_(static_cast<std::size_t>(shape.images) * pitch_ * shape.plane(), std::bit_cast<float>(guard)) {}

inline kernels::FeatureMap<float> MapBuffer::map() {
  return {memory_.data() + static_cast<std::size_t>(first_channel_) * shape_.plane(),
          shape_.images,
          shape_.channels,
          shape_.height,
          shape_.width,
          block_,
          pitch_};
}

inline void MapBuffer::set(const std::vector<float>& plain) {
  for_each([&](std::size_t from, std::size_t to) { memory_[to] = plain.at(from); });
}

inline std::vector<float> MapBuffer::plain() const {
  std::vector<float> result(shape_.elements());
  for_each([&](std::size_t to, std::size_t from) { result[to] = memory_[from]; });
  return result;
}

inline bool MapBuffer::neighbours_untouched() const {
  std::vector<bool> inside(memory_.size());
  for_each([&](std::size_t, std::size_t at) { inside[at] = true; });
  for (std::size_t i = 0; i < memory_.size(); ++i)
    if (!inside[i] && std::bit_cast<std::uint32_t>(memory_[i]) != guard) return false;
  return true;
}

// The blocks a cpu may use.
inline constexpr int all_blocks[] = {1, 8, 16};

}  // namespace preceptor::test
