// Image files as bytes: decoding, windows for grey values of more than 8 bits, conversion and resizing.
#pragma once

#include <cstdint>
#include <span>
#include <string>
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

struct Image {
  int height = 0, width = 0, channels = 0;  // channels is 1 (grey) or 3 (RGB)
  std::vector<std::uint8_t> pixels;         // [height, width, channels]
};

// Every value of every channel is `value`.
Image filled(int height, int width, int channels, std::uint8_t value = 0);
// Copies `part` into a picture of as many channels, as far as it lies inside. (top, left) is the place of its corner.
void paste(const Image& part, Image& into, int top, int left);

// PNG, JPEG, BMP, TGA, PGM, PPM and DICOM, recognized by content. Transparency is dropped. At most 2^26 pixels; never
// allocates more than the file can hold. Samples of more than 8 bits are converted to bytes once, from their full
// precision: grey ones through a window, color ones from 0..65535 to 0..255.
// A JPEG larger than the requested size is decoded at the smallest of the scales 1/8, 2/8, ..., 1 at which it is still
// at least `height` by `width`; 0: at full size.
// Errors: missing_input, io; data, "`path`: reason".
Image read_image(const std::string& path, int height = 0, int width = 0, const WindowChoice& window = {});

// The input of a network: read_image, with_channels and resized in one.
Image read_image(const std::string& path, int channels, int height, int width);

// True for names with an extension of a format that read_image knows, in upper or lower case.
bool has_image_name(const std::string& path);

// Grey becomes three equal channels; color becomes (77 R + 150 G + 29 B) / 256. Errors: usage, if channels is not 1
// or 3.
Image with_channels(const Image& image, int channels);

// The whole picture at another size, whatever its proportions. Interpolates each axis linearly; an axis that shrinks
// is filtered by a triangle that covers two new pixels, so that nothing is skipped: the rule of Pillow and of
// torchvision's resize with antialias. Values are rounded once, at the end. Errors: usage, for sizes below 1.
Image resized(const Image& image, int height, int width);

// The largest part in the center of the picture that has the proportions of height x width, cut evenly at both ends of
// one side. Resizing it is the usual "resize, then center crop".
Image center_of(const Image& image, int height, int width);
// The whole picture in the middle of the smallest one of these proportions, with black at both ends.
Image bordered(const Image& image, int height, int width);

}  // namespace preceptor
