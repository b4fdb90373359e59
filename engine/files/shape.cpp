// Shapes as text.
#include "engine/files/shape.h"

namespace preceptor {

std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  out << '[';
  for (int dimension = 0; dimension < shape.rank(); ++dimension) out << (dimension ? ", " : "") << shape[dimension];
  return out << ']';
}

}  // namespace preceptor
