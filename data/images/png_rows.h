// The rows of a PNG and the predictions they are stored as differences from (ISO/IEC 15948, section 9).
#pragma once

#include <cstddef>
#include <cstdint>

namespace preceptor {

// Rows one behind the other, each behind the byte that names its prediction.
struct PngRows {
  std::uint8_t* first;
  std::size_t row_bytes;
  int count;
  int pixel_bytes;  // 1 to 8: how far the left neighbor is; 1 also for pixels of less than a byte

  std::uint8_t* row(int i) const { return first + static_cast<std::size_t>(i) * (row_bytes + 1) + 1; }
  std::size_t bytes() const { return static_cast<std::size_t>(count) * (row_bytes + 1); }
};

// Replaces every row by its values. False if a row names a prediction that is not one of the five.
bool unfilter(const PngRows& rows);

}  // namespace preceptor
