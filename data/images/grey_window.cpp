// Percentiles by selection; bytes by a table of all 16-bit values.
#include <algorithm>

#include "data/images/image.h"

namespace preceptor {

GreyWindow percentile_window(std::vector<float> values) {
  if (values.empty()) return {};
  const auto rank = static_cast<std::ptrdiff_t>(percentile_cut * static_cast<double>(values.size()));
  const auto low = values.begin() + rank, high = values.end() - 1 - rank;
  std::nth_element(values.begin(), low, values.end());
  const double lowest = static_cast<double>(*low);
  std::nth_element(values.begin(), high, values.end());
  return {lowest, static_cast<double>(*high)};
}

std::vector<std::uint8_t> through_window(std::span<const std::uint16_t> values, const GreyWindow& window) {
  std::vector<std::uint8_t> table(1 << 16, 0);
  if (window.high > window.low)
    for (int value = 0; value < 1 << 16; ++value)
      table[value] = static_cast<std::uint8_t>(
          std::clamp(255 * (value - window.low) / (window.high - window.low), 0.0, 255.0) + 0.5);
  std::vector<std::uint8_t> bytes(values.size());
  std::transform(values.begin(), values.end(), bytes.begin(), [&](std::uint16_t value) { return table[value]; });
  return bytes;
}

std::vector<std::uint8_t> to_bytes(std::span<const std::uint16_t> samples, int channels, int largest,
                                   const WindowChoice& window) {
  if (channels > 1) return through_window(samples, {0, static_cast<double>(largest)});
  if (window.rule == WindowRule::fixed) return through_window(samples, window.fixed);
  return through_window(samples, percentile_window({samples.begin(), samples.end()}));
}

}  // namespace preceptor
