// Sizes of a tensor: (n, c, h, w) is a feature map, anything shorter is a plain row-major array.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <ostream>
#include <vector>

namespace preceptor {

class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int> sizes) : sizes_(sizes) {}
  explicit Shape(std::vector<int> sizes) : sizes_(std::move(sizes)) {}

  int rank() const { return static_cast<int>(sizes_.size()); }
  int operator[](int dimension) const { return sizes_[static_cast<std::size_t>(dimension)]; }
  const std::vector<int>& sizes() const { return sizes_; }
  std::size_t elements() const {
    std::size_t product = 1;
    for (int size : sizes_) product *= static_cast<std::size_t>(size);
    return product;
  }
  bool operator==(const Shape&) const = default;

 private:
  std::vector<int> sizes_;
};

// "[32, 64, 7, 7]"
std::ostream& operator<<(std::ostream& out, const Shape& shape);

}  // namespace preceptor
