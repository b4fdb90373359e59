// Sizes of a tensor: (n, c, h, w) is a feature map, anything shorter is a plain row-major array; values in that order.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <map>
#include <ostream>
#include <string>
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
inline std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  out << '[';
  for (int dimension = 0; dimension < shape.rank(); ++dimension) out << (dimension ? ", " : "") << shape[dimension];
  return out << ']';
}

// Values by name in plain order, as checkpoints hold them.
struct PlainTensor {
  Shape shape;
  std::vector<float> values;
};
using StateDict = std::map<std::string, PlainTensor>;

}  // namespace preceptor
