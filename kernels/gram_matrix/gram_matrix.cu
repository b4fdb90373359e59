// Products of maps on cuda and on the emulated device: tile products (tile_product.cuh), one grid for all images.
#include "kernels/gram_matrix/gram_matrix.h"

#include "kernels/device/gpu.h"
#include "kernels/device/tile_product.cuh"
#include "kernels/device/tile_source.cuh"

namespace preceptor::kernels {
namespace {

// mapping: a tile of an image's result a block; bytes: the left operand once for every column of tiles, the right for
// every row of tiles, from L2 behind the first, the result written once; operations: 2 per product.
template <class Tile, class A, class B, class T>
__global__ void __launch_bounds__(Tile::threads, resident_blocks<Tile>)
    multiply_images(const A left, const B right, std::int64_t left_step, std::int64_t right_step, float scale, T* to,
                    int rows, int columns, int depth) {
  const int tiles_across = static_cast<int>(steps(columns, Tile::columns));
  const int tiles = static_cast<int>(steps(rows, Tile::rows)) * tiles_across;
  const int image = static_cast<int>(blockIdx.x) / tiles, tile = static_cast<int>(blockIdx.x) % tiles;
  const int first_row = tile / tiles_across * Tile::rows, first_column = tile % tiles_across * Tile::columns;
  A of_image = left;
  B other_of_image = right;
  of_image.source.data += image * left_step;
  other_of_image.source.data += image * right_step;
  Accumulators sum = {};
  multiply_tile<Tile>(of_image, other_of_image, first_row, first_column, 0, depth, sum);

  T* const result = to + static_cast<std::int64_t>(image) * rows * columns;
  const TilePlace<Tile> place(first_row, first_column);
#pragma unroll
  for (int i = 0; i < thread_tile; ++i) {
    const int row = place.row_of(i);
    if (row >= rows) continue;
#pragma unroll
    for (int j = 0; j < thread_tile; ++j) {
      const int column = place.column_of(j);
      if (column < columns)
        result[static_cast<std::int64_t>(row) * columns + column] = from_float<T>(scale * sum[i][j]);
    }
  }
}

struct ProductShape {
  int images, rows, columns, depth;
};

template <class A, class B, class T>
void launch_images(Gpu gpu, const A& left, const B& right, std::int64_t left_step, std::int64_t right_step, float scale,
                   T* to, const ProductShape& s) {
  // One value at a time, so that any number of channels will do; as floats, which the derivatives of products are.
  using Tile = TileShape<128, 64, float>;
  launch(gpu, multiply_images<Tile, A, B, T>, s.images * steps(s.rows, Tile::rows) * steps(s.columns, Tile::columns),
         Tile::threads, 0, left, right, left_step, right_step, scale, to, s.rows, s.columns, s.depth);
}

template <class T>
using Values = Matrix<Single<T>, T>;

}  // namespace

template <class T>
void run_on(Gpu gpu, const GramMatrix<T>& a) {
  const int plane = a.x.plane(), x = a.x.channels, y = a.y.channels;
  launch_images(gpu, ByColumns<Values<T>>{{a.x.data, plane, x, x}}, ByColumns<Values<T>>{{a.y.data, plane, y, y}},
                static_cast<std::int64_t>(plane) * x, static_cast<std::int64_t>(plane) * y, a.scale, a.products,
                ProductShape{a.x.images, x, y, plane});
}
template <class T>
void run_on(Gpu gpu, const GramMatrixBackward<T>& a) {
  const int plane = a.other.plane(), other = a.other.channels, own = a.d_x.channels;
  const ByRows<Values<T>> left{{a.other.data, plane, other, other}};
  const std::int64_t left_step = static_cast<std::int64_t>(plane) * other,
                     right_step = static_cast<std::int64_t>(other) * own;
  const ProductShape shape{a.other.images, plane, own, other};
  if (a.transposed)
    launch_images(gpu, left, ByColumns<Values<float>>{{a.d_products, other, own, own}}, left_step, right_step, a.scale,
                  a.d_x.data, shape);
  else
    launch_images(gpu, left, ByRows<Values<float>>{{a.d_products, own, other, other}}, left_step, right_step, a.scale,
                  a.d_x.data, shape);
}
template void run_on(Gpu, const GramMatrix<float>&);
template void run_on(Gpu, const GramMatrix<bfloat16>&);
template void run_on(Gpu, const GramMatrixBackward<float>&);
template void run_on(Gpu, const GramMatrixBackward<bfloat16>&);

}  // namespace preceptor::kernels
