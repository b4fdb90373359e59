// What follows from the sums of a product: what is added, where they go and, where its depth is divided, how the slices
// come together.
#pragma once

#include "kernels/device/split_k.h"
#include "kernels/device/tile_place.cuh"
#include "kernels/device/tile_source.cuh"

namespace preceptor::kernels {

// data = relu?(sum + bias? + residual?)
template <class T>
struct Epilogue {
  T* data;                  // [rows][columns]
  std::int64_t row_stride;  // values from a row to the next
  int rows, columns;
  bool whole;                   // rows are accessed by fours, those of the residual too
  const float* bias = nullptr;  // [columns]; nullptr: none
  const T* residual = nullptr;  // [rows][columns]; nullptr: none; may be data
  std::int64_t residual_stride = 0;
  bool relu = false;

  __device__ void load_bias(int column, float (&values)[4]) const {
#pragma unroll
    for (int j = 0; j < 4; ++j) values[j] = bias && column + j < columns ? bias[column + j] : 0;
  }
  // The four that begin at this column; sums become what is stored.
  __device__ void store(int row, int column, const float (&of_bias)[4], float (&sums)[4]) const {
    float of_residual[4] = {};
    if (residual) load_columns(residual + row * residual_stride + column, columns - column, whole, of_residual);
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const float value = sums[j] + of_bias[j] + of_residual[j];
      sums[j] = to_float(from_float<T>(relu && value < 0 ? 0 : value));
    }
    store_columns(data + row * row_stride + column, columns - column, whole, sums);
  }
};

// The same for all sums of a thread. Row i of the product is row row_of(i) of `to`, of whose rows it has `rows`.
template <class Tile, class T, class RowOf>
__device__ void store_tile(const Epilogue<T>& to, const TilePlace<Tile>& place, int rows, const RowOf& row_of,
                           Accumulators& sum) {
  float bias[thread_tile / 4][4];
#pragma unroll
  for (int half = 0; half < thread_tile; half += 4) to.load_bias(place.column_of(half), bias[half / 4]);
#pragma unroll
  for (int i = 0; i < thread_tile; ++i) {
    if (place.row_of(i) >= rows) continue;
    const int row = row_of(place.row_of(i));
#pragma unroll
    for (int half = 0; half < thread_tile; half += 4) {
      const int column = place.column_of(half);
      if (column >= to.columns) continue;
      float four[4] = {sum[i][half], sum[i][half + 1], sum[i][half + 2], sum[i][half + 3]};
      to.store(row, column, bias[half / 4], four);
#pragma unroll
      for (int j = 0; j < 4; ++j) sum[i][half + j] = four[j];
    }
  }
}
template <class Tile, class T>
__device__ void store_tile(const Epilogue<T>& to, const TilePlace<Tile>& place, Accumulators& sum) {
  store_tile(
      to, place, to.rows, [](int row) { return row; }, sum);
}

// The slices of a divided product, [slice][row][partial_stride(columns)] in the workspace. Without a division a block
// has the whole depth and stores its results itself.
class Slices {
 public:
  template <class T>
  Slices(const SplitK& split, void* workspace, const Epilogue<T>& to)
      : split_(split),
        partial_(static_cast<float*>(workspace)),
        rows_(to.rows),
        columns_(to.columns),
        row_stride_(partial_stride(to.columns)) {}

  ON_ANY_DEVICE int count() const { return split_.slices; }
  ON_ANY_DEVICE bool divided() const { return split_.slices > 1; }
  __device__ int begin(int slice) const { return split_.begin(slice); }

  // A tile of a slice's results, as the block that computed them keeps it.
  template <class Tile>
  __device__ void keep(int slice, const TilePlace<Tile>& place, Accumulators& sum) const {
    store_tile(Epilogue<float>{partial_ + slice * split_.values, row_stride_, rows_, row_stride_, true}, place, sum);
  }
  // sums += four of a slice's results.
  __device__ void add(int slice, int row, int column, float (&sums)[4]) const {
    const float* const of_row = partial_ + slice * split_.values + static_cast<std::int64_t>(row) * row_stride_;
    const Pack<float> of_slice = load16(of_row + column);
#pragma unroll
    for (int j = 0; j < 4; ++j) sums[j] += of_slice.value[j];
  }
  // The same for a thread's part of a tile.
  template <class Tile>
  __device__ void add(int slice, const TilePlace<Tile>& place, Accumulators& sum) const {
#pragma unroll
    for (int i = 0; i < thread_tile; ++i)
#pragma unroll
      for (int half = 0; half < thread_tile; half += 4)
        if (place.row_of(i) < rows_ && place.column_of(half) < columns_) {
          float four[4] = {sum[i][half], sum[i][half + 1], sum[i][half + 2], sum[i][half + 3]};
          add(slice, place.row_of(i), place.column_of(half), four);
#pragma unroll
          for (int j = 0; j < 4; ++j) sum[i][half + j] = four[j];
        }
  }

 private:
  SplitK split_;
  float* partial_;
  int rows_, columns_, row_stride_;
};

// mapping: four neighboring results a thread; bytes: all partial results read, what is added too, the results written;
// operations: one for every partial result; hazard: slices are added in their order, whichever was there first.
constexpr int finish_threads = 128;
template <class T>
__global__ void __launch_bounds__(finish_threads) finish(const Slices slices, const Epilogue<T> to) {
  const int fours = partial_stride(to.columns) / 4;
  const int four = static_cast<int>(blockIdx.x) * finish_threads + static_cast<int>(threadIdx.x);
  const int row = four / fours, column = (four - row * fours) * 4;
  if (row >= to.rows) return;
  float bias[4], sum[4] = {};
  to.load_bias(column, bias);
#pragma unroll 8
  for (int slice = 0; slice < slices.count(); ++slice) slices.add(slice, row, column, sum);
  to.store(row, column, bias, sum);
}
template <class T>
void launch_finish(Gpu gpu, const Slices& slices, const Epilogue<T>& to) {
  const std::int64_t fours = std::int64_t{to.rows} * (partial_stride(to.columns) / 4);
  launch(gpu, finish<T>, steps(fours, finish_threads), finish_threads, 0, slices, to);
}

}  // namespace preceptor::kernels
