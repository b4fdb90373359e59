// From grey values of more than 8 bits to bytes: the window that chooses which of them are black and white.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace preceptor {

// Values up to `low` become 0, from `high` on 255, linear between.
struct GreyWindow {
  double low = 0, high = 0;
};

// Which window grey values of more than 8 bits go through.
enum class WindowRule {
  own,         // the DICOM file's first window (or LUT); where a file has none, percentile
  percentile,  // percentile_window of each picture
  fixed,       // one for all: the same value is the same grey in every picture
};
struct WindowChoice {
  WindowRule rule = WindowRule::own;
  GreyWindow fixed;  // of the values behind a DICOM file's rescaling, else of the samples
};

// The share of all pixels that the window of a file without one of its own leaves out at either end: what nnU-Net cuts
// off in CT (Isensee et al. 2021).
inline constexpr double percentile_cut = 0.005;

// From the value of rank floor(percentile_cut * count) from below to that of the same rank from above.
GreyWindow percentile_window(std::vector<float> values);

// 255 (value - low) / (high - low), clamped and rounded to the nearest; all 0 where high is not above low.
std::vector<std::uint8_t> through_window(std::span<const std::uint16_t> values, const GreyWindow& window);

// Samples of more than 8 bits as bytes: grey through the window, of color 0..largest as 0..255.
std::vector<std::uint8_t> to_bytes(std::span<const std::uint16_t> samples, int channels, int largest,
                                   const WindowChoice& window);

}  // namespace preceptor
