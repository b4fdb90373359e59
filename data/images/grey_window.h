// Converts grey values of more than 8 bits to bytes through a window that sets the values of black and white.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace preceptor {

// Values up to `low` become 0, from `high` on 255, linear between.
struct GreyWindow {
  double low = 0, high = 0;
};

// The window for grey values of more than 8 bits.
enum class WindowRule {
  own,         // the DICOM file's first window (or LUT); percentile if a file has none
  percentile,  // percentile_window of each picture
  fixed,       // one for all: the same value is the same grey in every picture
};
struct WindowChoice {
  WindowRule rule = WindowRule::own;
  GreyWindow fixed;  // in the values after a DICOM file's rescaling, else in samples
};

// The fraction of pixels that percentile_window cuts off at either end, as nnU-Net does in CT (Isensee et al. 2021).
inline constexpr double percentile_cut = 0.005;

// From the value of rank floor(percentile_cut * count) from below to that of the same rank from above.
GreyWindow percentile_window(std::vector<float> values);

// 255 (value - low) / (high - low), clamped and rounded to the nearest; all 0 where high is not above low.
std::vector<std::uint8_t> through_window(std::span<const std::uint16_t> values, const GreyWindow& window);

// Converts samples of more than 8 bits to bytes: grey through the window, color from 0..largest to 0..255.
std::vector<std::uint8_t> to_bytes(std::span<const std::uint16_t> samples, int channels, int largest,
                                   const WindowChoice& window);

}  // namespace preceptor
