// Resizing as a plain loop over the triangle's definition: the specification that every device is tested against.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

namespace preceptor::kernels::reference {

// One axis: values [from] -> [to]. The triangle of output i is centered at (i + 1/2) from / to - 1/2 and reaches as far
// as an output is wide, but at least 1.
template <class Real>
std::vector<Real> resize_line(const std::vector<Real>& values, int to) {
  const int from = static_cast<int>(values.size());
  const Real step = static_cast<Real>(from) / static_cast<Real>(to), reach = std::max(step, Real{1});
  std::vector<Real> result(static_cast<std::size_t>(to));
  for (int i = 0; i < to; ++i) {
    const Real center = (static_cast<Real>(i) + Real{0.5}) * step - Real{0.5};
    Real sum = 0, weights = 0;
    for (int j = 0; j < from; ++j) {
      const Real weight = std::max(Real{0}, 1 - std::abs(static_cast<Real>(j) - center) / reach);
      sum += weight * values[j];
      weights += weight;
    }
    result[i] = sum / weights;
  }
  return result;
}

// x [planes, height, width] -> [planes, to_height, to_width]
template <class Real>
std::vector<Real> resize(const std::vector<Real>& x, int planes, int height, int width, int to_height, int to_width) {
  std::vector<Real> result;
  for (int plane = 0; plane < planes; ++plane) {
    std::vector<std::vector<Real>> rows;
    for (int y = 0; y < height; ++y) {
      const auto begin = x.begin() + (static_cast<std::ptrdiff_t>(plane) * height + y) * width;
      rows.push_back(resize_line(std::vector<Real>(begin, begin + width), to_width));
    }
    std::vector<Real> out(static_cast<std::size_t>(to_height) * to_width);
    for (int column = 0; column < to_width; ++column) {
      std::vector<Real> line;
      for (const auto& row : rows) line.push_back(row[column]);
      const auto resized = resize_line(line, to_height);
      for (int y = 0; y < to_height; ++y) out[static_cast<std::size_t>(y) * to_width + column] = resized[y];
    }
    result.insert(result.end(), out.begin(), out.end());
  }
  return result;
}

}  // namespace preceptor::kernels::reference
