// Mean and deviation of pixel values, summed as whole numbers so that the order of images does not matter.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

namespace preceptor {

class PixelSums {
 public:
  explicit PixelSums(int channels) : sum_(static_cast<std::size_t>(channels), 0), squares_(sum_) {}

  // Interleaved channels. 2^64 / 255^2 leaves room for 10^14 pixels.
  void add(std::span<const std::uint8_t> pixels) {
    const std::size_t channels = sum_.size();
    for (std::size_t i = 0; i < pixels.size(); ++i) {
      const std::uint64_t value = pixels[i];
      sum_[i % channels] += value;
      squares_[i % channels] += value * value;
    }
    pixels_ += pixels.size() / channels;
  }
  void add(const PixelSums& other) {
    for (std::size_t c = 0; c < sum_.size(); ++c) {
      sum_[c] += other.sum_[c];
      squares_[c] += other.squares_[c];
    }
    pixels_ += other.pixels_;
  }

  std::uint64_t pixels() const { return pixels_; }
  // In 0..255; of at least one pixel.
  double mean(std::size_t channel) const { return static_cast<double>(sum_[channel]) / static_cast<double>(pixels_); }
  double deviation(std::size_t channel) const {
    const double squares = static_cast<double>(squares_[channel]) / static_cast<double>(pixels_);
    return std::sqrt(std::max(squares - mean(channel) * mean(channel), 0.0));
  }

 private:
  std::vector<std::uint64_t> sum_, squares_;
  std::uint64_t pixels_ = 0;
};

}  // namespace preceptor
