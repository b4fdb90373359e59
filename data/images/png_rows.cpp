// Undoes predictions. A byte needs the one decoded just before it, so a row is one long chain of additions; two grey
// rows are decoded side by side, the lower one lagging by a pixel.
#include "data/images/png_rows.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

namespace preceptor {
namespace {

enum Prediction : std::uint8_t { none, left, above, average, paeth };

// condition ? yes : no without a branch, which X-rays mispredict so often that rows took twice as long.
int choose(bool condition, int yes, int no) { return no ^ ((yes ^ no) & -static_cast<int>(condition)); }

// The value that a byte was stored as the difference from; a, b, c: left, above, above left.
template <Prediction prediction>
int predict(int a, int b, int c) {
  if constexpr (prediction == left) return a;
  if constexpr (prediction == average) return (a + b) / 2;
  if constexpr (prediction == paeth) {
    // The nearest to a + b - c, the first of equals.
    const int to_a = std::abs(b - c), to_b = std::abs(a - c), to_c = std::abs(a + b - 2 * c);
    return choose(to_a <= std::min(to_b, to_c), a, choose(to_b <= to_c, b, c));
  }
}

template <Prediction prediction, int pixel>
void undo(std::uint8_t* row, const std::uint8_t* up, std::size_t bytes) {
  int a[pixel] = {}, c[pixel] = {};
  for (std::size_t i = 0; i < bytes; i += pixel)
    for (int k = 0; k < pixel; ++k) {
      const int b = up[i + k];
      a[k] = row[i + k] = static_cast<std::uint8_t>(row[i + k] + predict<prediction>(a[k], b, c[k]));
      c[k] = b;
    }
}

// Two rows of one-byte pixels.
template <Prediction upper, Prediction lower>
void undo_two(std::uint8_t* row, std::uint8_t* next, const std::uint8_t* up, std::size_t bytes) {
  const auto add = [](std::uint8_t& stored, int predicted) -> int {
    return stored = static_cast<std::uint8_t>(stored + predicted);
  };
  int c = up[0], a = add(row[0], predict<upper>(0, c, 0)), next_a = 0, next_c = 0;
  for (std::size_t i = 1; i < bytes; ++i) {
    next_a = add(next[i - 1], predict<lower>(next_a, a, next_c));
    next_c = a;
    a = add(row[i], predict<upper>(a, up[i], c));
    c = up[i];
  }
  add(next[bytes - 1], predict<lower>(next_a, a, next_c));
}

template <int pixel>
bool undo_row(std::uint8_t* row, const std::uint8_t* up, std::size_t bytes) {
  switch (row[-1]) {
    case none:
      return true;
    case left:
      undo<left, pixel>(row, up, bytes);
      return true;
    case above:
      for (std::size_t i = 0; i < bytes; ++i) row[i] = static_cast<std::uint8_t>(row[i] + up[i]);
      return true;
    case average:
      undo<average, pixel>(row, up, bytes);
      return true;
    case paeth:
      undo<paeth, pixel>(row, up, bytes);
      return true;
    default:
      return false;
  }
}

// Decodes two rows of slow predictions; false if one of them is not slow.
bool undo_pair(std::uint8_t* row, std::uint8_t* next, const std::uint8_t* up, std::size_t bytes) {
  const auto slow = [](std::uint8_t prediction) { return prediction == average || prediction == paeth; };
  if (!slow(row[-1]) || !slow(next[-1])) return false;
  if (row[-1] == average)
    next[-1] == average ? undo_two<average, average>(row, next, up, bytes)
                        : undo_two<average, paeth>(row, next, up, bytes);
  else
    next[-1] == average ? undo_two<paeth, average>(row, next, up, bytes) : undo_two<paeth, paeth>(row, next, up, bytes);
  return true;
}

template <int pixel>
bool undo_rows(const PngRows& rows) {
  const std::vector<std::uint8_t> nothing(rows.row_bytes, 0);
  const std::uint8_t* up = nothing.data();
  for (int i = 0; i < rows.count; ++i) {
    std::uint8_t* row = rows.row(i);
    if (pixel == 1 && i + 1 < rows.count && undo_pair(row, rows.row(i + 1), up, rows.row_bytes))
      row = rows.row(++i);
    else if (!undo_row<pixel>(row, up, rows.row_bytes))
      return false;
    up = row;
  }
  return true;
}

}  // namespace

bool unfilter(const PngRows& rows) {
  if (rows.row_bytes == 0) return true;
  switch (rows.pixel_bytes) {
    case 1:
      return undo_rows<1>(rows);
    case 2:
      return undo_rows<2>(rows);
    case 3:
      return undo_rows<3>(rows);
    case 4:
      return undo_rows<4>(rows);
    case 6:
      return undo_rows<6>(rows);
    default:
      return undo_rows<8>(rows);
  }
}

}  // namespace preceptor
