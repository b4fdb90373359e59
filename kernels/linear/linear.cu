// The fully connected layer on cuda and emulated: three tile products (tile_product.cuh) of matrices in memory.
#include "kernels/linear/linear.h"

#include "kernels/device/channels_last.cuh"
#include "kernels/device/weight_gradient.cuh"
#include "kernels/linear/fastest.h"
#include "kernels/linear/shapes.h"

namespace preceptor::kernels {
namespace {

// mapping: a tile of the result a block; bytes: the left operand once for every 32 or 64 columns, the right once for
// every 64 or 128 rows, both from L2 behind the first, the result written once; operations: 2 per product. With the
// weights by rows this is y, by columns d_x.
template <class Shape, class A, class B, class T>
__global__ void __launch_bounds__(Shape::threads, resident_blocks<Shape>)
    multiply(const A left, const B right, const float* bias, T* to, int rows, int columns, bool whole) {
  const int tiles = static_cast<int>(steps(columns, Shape::columns));
  const int first_row = static_cast<int>(blockIdx.x) / tiles * Shape::rows;
  const int first_column = static_cast<int>(blockIdx.x) % tiles * Shape::columns;
  TileSums sum = {};
  multiply_tile<Shape>(left, right, first_row, first_column, 0, left.source.columns, sum);

  const TilePlace<Shape> place(first_row, first_column);
#pragma unroll
  for (int i = 0; i < thread_tile; ++i) {
    const int row = place.row_of(i);
    if (row >= rows) continue;
#pragma unroll
    for (int half = 0; half < thread_tile; half += 4) {
      const int column = place.column_of(half);
      if (column >= columns) continue;
      float values[4];
#pragma unroll
      for (int j = 0; j < 4; ++j) values[j] = sum[i][half + j] + (bias && column + j < columns ? bias[column + j] : 0);
      store_columns(to + static_cast<std::int64_t>(row) * columns + column, columns - column, whole, values);
    }
  }
}

template <class Group, class T, class Right>
void launch_product(Gpu gpu, const Matrix<Group, T>& left, const Right& right, const float* bias, T* to, int columns) {
  using Left = ByRows<Matrix<Group, T>>;
  with_shape<Group, T>(left.rows, columns, 1, [&](auto shape) {
    using Shape = decltype(shape);
    launch(gpu, multiply<Shape, Left, Right, T>, steps(left.rows, Shape::rows) * steps(columns, Shape::columns),
           Shape::threads, 0, Left{left}, right, bias, to, left.rows, columns, stores_fours(to, columns, columns));
  });
}

template <class T>
void run_own(Gpu gpu, const LinearForward<T>& a) {
  with_group<T>(loads_groups(a.x, a.in) && loads_groups(a.weight, a.in), [&](auto group) {
    using Source = Matrix<decltype(group), T>;
    launch_product(gpu, Source{a.x, a.rows, a.in, a.in}, ByRows<Source>{{a.weight, a.out, a.in, a.in}}, a.bias, a.y,
                   a.out);
  });
}

template <class T>
void run_own(Gpu gpu, const LinearBackward<T>& a) {
  const bool d_y_by_groups = loads_groups(a.d_y, a.out);
  if (a.d_x)
    with_group<T>(d_y_by_groups && loads_groups(a.weight, a.in), [&](auto group) {
      using Source = Matrix<decltype(group), T>;
      launch_product(gpu, Source{a.d_y, a.rows, a.out, a.out}, ByColumns<Source>{{a.weight, a.out, a.in, a.in}},
                     nullptr, a.d_x, a.in);
    });
  if (a.d_weight || a.d_bias)
    with_group<T>(d_y_by_groups && loads_groups(a.x, a.in), [&](auto group) {
      using Source = Matrix<decltype(group), T>;
      launch_weight_gradient<TileShape<64, 64, T>>(gpu, Source{a.d_y, a.rows, a.out, a.out},
                                                   Source{a.x, a.rows, weight_columns(a), a.in}, a.d_weight, a.d_bias,
                                                   depth_split(a), a.workspace);
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
