// What tile_product.cuh multiplies, and where its sums go.
//
// A source is a matrix of which a thread loads groups of neighboring columns:
//   Group            Pack<T>, or Single<T> where alignment allows no more
//   Row, Column      what row(i) and column(j) compute once for many loads; j is a multiple of Group::count. Both
//   accept
//                    any index from 0: behind the last, what is loaded counts as zero
//   Loaded           what load(row, column) brings, and convert(loaded, column, operands) makes operands of
#pragma once

#include "kernels/device/group.cuh"

namespace preceptor::kernels {

// A stored value as a factor of the product.
template <class Operand, class T>
__device__ inline Operand operand_of(T value) {
  if constexpr (std::is_same_v<Operand, T>)
    return value;
  else
    return from_float<Operand>(to_float(value));
}

// A matrix in memory.
template <class Group_, class T>
struct Matrix {
  using Group = Group_;
  using Row = int;     // -1: none
  using Column = int;  // -1: none
  using Loaded = Group;

  const T* data;
  int rows, columns;
  int step;  // values from a row to the next

  __device__ Row row(int i) const { return i < rows ? i : -1; }
  __device__ Column column(int j) const { return j < columns ? j : -1; }
  __device__ Loaded load(Row row, Column column) const {
    return row >= 0 && column >= 0 ? load_group<Group>(data + static_cast<std::int64_t>(row) * step + column) : Group{};
  }
  template <class Operand>
  __device__ void convert(const Loaded& loaded, Column, Operand (&operands)[Group::count]) const {
#pragma unroll
    for (int j = 0; j < Group::count; ++j) operands[j] = operand_of<Operand>(loaded.value[j]);
  }
};

// A source with one more column, of ones: in a product with the transpose of d_y it sums d_y, which is the gradient of
// a bias.
template <class Source>
struct WithOnes {
  using Group = typename Source::Group;
  using Row = typename Source::Row;
  struct Column {
    typename Source::Column of_source;
    bool ones;
  };
  using Loaded = typename Source::Loaded;

  Source source;
  bool wanted;

  __device__ Row row(int i) const { return source.row(i); }
  __device__ Column column(int j) const { return {source.column(j), wanted && j == source.columns}; }
  __device__ Loaded load(const Row& row, const Column& column) const { return source.load(row, column.of_source); }
  template <class Operand>
  __device__ void convert(const Loaded& loaded, const Column& column, Operand (&operands)[Group::count]) const {
    source.convert(loaded, column.of_source, operands);
    if (column.ones) operands[0] = from_float<Operand>(1);
  }
};

// Four neighboring values as one access where `whole`, or as many as there are.
template <class T>
__device__ inline void load_columns(const T* from, int count, bool whole, float (&values)[4]) {
  if (whole) {
    const auto loaded = load_group<GroupOf<T, 4>>(from);
#pragma unroll
    for (int j = 0; j < 4; ++j) values[j] = to_float(loaded.value[j]);
  } else {
#pragma unroll
    for (int j = 0; j < 4; ++j) values[j] = j < count ? to_float(from[j]) : 0;
  }
}
template <class T>
__device__ inline void store_columns(T* to, int count, bool whole, const float (&values)[4]) {
  if (whole) {
    GroupOf<T, 4> group;
#pragma unroll
    for (int j = 0; j < 4; ++j) group.value[j] = from_float<T>(values[j]);
    store_group(to, group);
  } else {
#pragma unroll
    for (int j = 0; j < 4; ++j)
      if (j < count) to[j] = from_float<T>(values[j]);
  }
}

// Whether a matrix without gaps can be loaded by groups of 16 bytes.
template <class T>
bool loads_groups(const T* data, int columns) {
  return aligned16(data) && columns * sizeof(T) % 16 == 0;
}
// Whether rows of `columns` values, `step` apart, can be stored by fours.
template <class T>
bool stores_fours(const T* data, int columns, std::int64_t step) {
  return reinterpret_cast<std::uintptr_t>(data) % (4 * sizeof(T)) == 0 && columns % 4 == 0 && step % 4 == 0;
}

}  // namespace preceptor::kernels
