// Feature maps in any layout on any device, as views into wider maps whose other channels are guarded.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "kernels/device/feature_map.h"
#include "tests/support/devices.h"
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

// Position of a map's channels in the wider map that it is a range of.
struct MapLayout {
  int block, first_channel, channel_stride;
};
// wider: a channel range of a map with one more block before and two after it.
inline MapLayout channel_blocked(int channels, int block, bool wider) {
  return {block, wider ? block : 0, channels + (wider ? 3 * block : 0)};
}
inline MapLayout channels_last(int channels, int before = 0, int after = 0) {
  const int channel_stride = before + channels + after;
  return {channel_stride, before, channel_stride};
}

// The memory of a map on a device, in any layout and storage type. Everything starts as a NaN with a known pattern:
// reads beside a view spread, writes beside it are found.
template <class T>
class DeviceMap {
 public:
  DeviceMap(const kernels::Device& device, const MapShape& shape, const MapLayout& layout)
      : device_(device),
        shape_(shape),
        layout_(layout),
        memory_(device, std::vector<T>(static_cast<std::size_t>(shape.images) * layout.channel_stride * shape.plane(),
                                       guarded)) {}

  kernels::FeatureMap<T> map() const {
    return {memory_.data() + whole().offset(0, layout_.first_channel, 0, 0),
            shape_.images,
            shape_.channels,
            shape_.height,
            shape_.width,
            layout_.block,
            layout_.channel_stride};
  }
  void set(const std::vector<float>& plain) {
    std::vector<T> values = memory_.host();
    for_each([&](std::size_t from, std::size_t to) { values[to] = static_cast<T>(plain.at(from)); });
    execute(kernels::Copy{memory_.data(), values.data(), values.size() * sizeof(T)}, device_);
  }
  std::vector<T> memory() const { return memory_.host(); }
  std::vector<double> plain() const {
    const std::vector<T> values = memory_.host();
    std::vector<double> result(shape_.elements());
    for_each(
        [&](std::size_t to, std::size_t from) { result[to] = static_cast<double>(static_cast<float>(values[from])); });
    return result;
  }
  bool neighbors_untouched() const {
    std::vector<T> values = memory_.host();
    for_each([&](std::size_t, std::size_t at) { values[at] = guarded; });
    return std::all_of(values.begin(), values.end(), [](T value) { return same_value(value, guarded); });
  }

 private:
  static inline const T guarded = static_cast<T>(std::bit_cast<float>(guard));
  static bool same_value(T a, T b) { return std::memcmp(&a, &b, sizeof(T)) == 0; }

  kernels::FeatureMap<const T> whole() const {
    return {nullptr,      shape_.images, layout_.channel_stride, shape_.height,
            shape_.width, layout_.block, layout_.channel_stride};
  }
  template <class Visit>
  void for_each(const Visit& visit) const {
    std::size_t plain = 0;
    for (int image = 0; image < shape_.images; ++image)
      for (int channel = 0; channel < shape_.channels; ++channel)
        for (int y = 0; y < shape_.height; ++y)
          for (int x = 0; x < shape_.width; ++x)
            visit(plain++, whole().offset(image, layout_.first_channel + channel, y, x));
  }

  kernels::Device device_;
  MapShape shape_;
  MapLayout layout_;
  DeviceBuffer<T> memory_;
};

// The blocks a cpu may use.
inline constexpr int all_blocks[] = {1, 8, 16};

}  // namespace preceptor::test
