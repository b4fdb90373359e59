// The fully connected layer on cuda and emulated: three tile products (tile_product.cuh) of matrices in memory.
#include "kernels/linear/linear.h"

#include "kernels/device/channels_last.cuh"
#include "kernels/device/tile_epilogue.cuh"
#include "kernels/device/weight_gradient.cuh"
#include "kernels/linear/fastest.h"
#include "kernels/linear/shapes.h"

namespace preceptor::kernels {
namespace {

// mapping: a tile of the result a block, over its slice of the depth; bytes: the left operand once for every 32 or 64
// columns, the right once for every 64 or 128 rows, both from L2 behind the first, the result written once, or a float
// of it for every slice; operations: 2 per product. With the weights by rows this is y, by columns d_x.
template <class Tile, class A, class B, class T>
__global__ void __launch_bounds__(Tile::threads, resident_blocks<Tile>)
    multiply(const A left, const B right, const Slices slices, const Epilogue<T> to) {
  const int tiles = static_cast<int>(steps(to.columns, Tile::columns)), slice = static_cast<int>(blockIdx.y);
  const int first_row = static_cast<int>(blockIdx.x) / tiles * Tile::rows;
  const int first_column = static_cast<int>(blockIdx.x) % tiles * Tile::columns;
  const TilePlace<Tile> place(first_row, first_column);
  Accumulators sum = {};
  multiply_tile<Tile>(left, right, first_row, first_column, slices.begin(slice), slices.begin(slice + 1), sum);
  if (slices.divided())
    slices.keep(slice, place, sum);
  else
    store_tile(to, place, sum);
}

template <class Group, class T, class Right>
void launch_product(Gpu gpu, const Matrix<Group, T>& left, const Right& right, const Slices& slices,
                    const Epilogue<T>& to) {
  using Left = ByRows<Matrix<Group, T>>;
  with_shape<Group, T>(to.rows, to.columns, 1, [&](auto shape) {
    using Tile = decltype(shape);
    const dim3 grid(steps(to.rows, Tile::rows) * steps(to.columns, Tile::columns), slices.count());
    launch(gpu, multiply<Tile, Left, Right, T>, grid, Tile::threads, 0, Left{left}, right, slices, to);
  });
  if (slices.divided()) launch_finish(gpu, slices, to);
}

template <class T>
void run_own(Gpu gpu, const LinearForward<T>& a) {
  const Epilogue<T> y{a.y, a.out, a.rows, a.out, stores_fours(a.y, a.out, a.out), a.bias};
  const Slices slices(split_of_y(a), a.workspace, y);
  with_group<T>(loads_groups(a.x, a.in) && loads_groups(a.weight, a.in), [&](auto group) {
    using Source = Matrix<decltype(group), T>;
    launch_product(gpu, Source{a.x, a.rows, a.in, a.in}, ByRows<Source>{{a.weight, a.out, a.in, a.in}}, slices, y);
  });
}

template <class T>
void run_own(Gpu gpu, const LinearBackward<T>& a) {
  const bool d_y_by_groups = loads_groups(a.d_y, a.out);
  if (a.d_x)
    with_group<T>(d_y_by_groups && loads_groups(a.weight, a.in), [&](auto group) {
      using Source = Matrix<decltype(group), T>;
      const Epilogue<T> d_x{a.d_x, a.in, a.rows, a.in, stores_fours(a.d_x, a.in, a.in)};
      launch_product(gpu, Source{a.d_y, a.rows, a.out, a.out}, ByColumns<Source>{{a.weight, a.out, a.in, a.in}},
                     Slices(split_of_d_x(a), a.workspace, d_x), d_x);
    });
  if (a.d_weight || a.d_bias)
    with_group<T>(d_y_by_groups && loads_groups(a.x, a.in), [&](auto group) {
      using Source = Matrix<decltype(group), T>;
      launch_weight_gradient<TileShape<64, 64, T>>(gpu, Source{a.d_y, a.rows, a.out, a.out},
                                                   Source{a.x, a.rows, weight_columns(a), a.in}, a.d_weight, a.d_bias,
                                                   split_of_weights(a), a.workspace);
    });
}

}  // namespace

template <class T>
void run_on(Gpu gpu, const LinearForward<T>& a) {
  run_fastest(gpu, a, run_own<T>);
}
template <class T>
void run_on(Gpu gpu, const LinearBackward<T>& a) {
  run_fastest(gpu, a, run_own<T>);
}

template void run_on(Gpu, const LinearForward<float>&);
template void run_on(Gpu, const LinearForward<bfloat16>&);
template void run_on(Gpu, const LinearBackward<float>&);
template void run_on(Gpu, const LinearBackward<bfloat16>&);

}  // namespace preceptor::kernels
