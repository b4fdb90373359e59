// A part of an image.
#pragma once

namespace preceptor {

// Pixels with left <= column < right and top <= row < bottom.
struct Box {
  double left = 0, top = 0, right = 0, bottom = 0;

  bool holds(double row, double column) const { return left <= column && column < right && top <= row && row < bottom; }
  double area() const { return (right - left) * (bottom - top); }
};

}  // namespace preceptor
