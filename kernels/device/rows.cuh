// Maps as rows of values that lie together, combined value by value: the one kernel of
// elementwise operations and copies.
#pragma once

#include <algorithm>
#include <cassert>
#include <type_traits>

#include "kernels/device/group.cuh"

namespace preceptor::kernels {

// Row i begins i * channel_stride values after data.
template <class T>
struct RowsOf {
  T* data;
  std::int64_t channel_stride;
};
// Properties that all maps of an operation share.
struct RowShape {
  std::int64_t rows, length;  // length values in a row
};

template <class From, int inputs>
struct RowInputs {
  RowsOf<const From> map[inputs];
};

// Threads stand side by side along the rows, and take their groups a block's width apart: neighboring threads always
// access neighboring memory. Rows are stepped through without another division.
struct RowSplit {
  static constexpr int threads = 128;
  static constexpr int unroll = 4;  // groups of a thread, all on their way before one is used

  RowSplit(const RowShape& shape, int width)
      : row_groups(static_cast<unsigned>(std::max<std::int64_t>(shape.length / width, 1))),
        groups(static_cast<unsigned>(shape.rows * (shape.length / width))),
        step_rows(threads / row_groups),
        step_groups(threads % row_groups),
        tail(static_cast<int>(shape.length % width)) {
    assert(shape.rows * shape.length / width < std::int64_t{1} << 31);
    assert(tail == 0 || shape.rows == 1);
  }
  std::int64_t blocks() const { return std::max<std::int64_t>(steps(groups, threads * unroll), 1); }

  unsigned row_groups, groups;  // in a row, in all
  unsigned step_rows, step_groups;
  int tail;  // values of a single row after the last group
};

// Operation on values at one place of all inputs.
template <class To, int inputs, class Group, class Operation>
__device__ To combine(const Operation& operation, const Group (&in)[inputs], int j) {
  if constexpr (inputs == 1) return operation(in[0].value[j]);
  if constexpr (inputs == 2) return operation(in[0].value[j], in[1].value[j]);
}

// mapping: RowSplit; bytes: inputs read, output written; operations: what Operation does to a value; hazard: the output
// may be the memory of an input, so a thread reads all its groups before it writes to where it read.
template <int width, class To, class From, int inputs, class Operation>
__global__ void __launch_bounds__(RowSplit::threads)
    combine_rows(RowsOf<To> to, RowInputs<From, inputs> from, RowSplit split, Operation operation) {
  constexpr int unroll = RowSplit::unroll;
  using Group = GroupOf<From, width>;
  const unsigned first = blockIdx.x * (RowSplit::threads * unroll) + threadIdx.x;
  unsigned row = first / split.row_groups, group = first % split.row_groups;
  unsigned rows[unroll], groups[unroll];
  Group in[unroll][inputs];
#pragma unroll
  for (int u = 0; u < unroll; ++u) {
    rows[u] = row;
    groups[u] = group;
    if (first + u * RowSplit::threads < split.groups)
#pragma unroll
      for (int i = 0; i < inputs; ++i)
        in[u][i] = load_group<Group>(from.map[i].data + row * from.map[i].channel_stride + std::int64_t{group} * width);
    row += split.step_rows;
    group += split.step_groups;
    if (group >= split.row_groups) {
      group -= split.row_groups;
      ++row;
    }
  }
#pragma unroll
  for (int u = 0; u < unroll; ++u) {
    if (first + u * RowSplit::threads >= split.groups) break;
    GroupOf<To, width> out;
#pragma unroll
    for (int j = 0; j < width; ++j) out.value[j] = combine<To>(operation, in[u], j);
    store_group(to.data + rows[u] * to.channel_stride + std::int64_t{groups[u]} * width, out);
  }
  if (blockIdx.x == gridDim.x - 1 && static_cast<int>(threadIdx.x) < split.tail) {
    const std::int64_t at = std::int64_t{split.groups} * width + threadIdx.x;
    Single<From> last[inputs];
    for (int i = 0; i < inputs; ++i) last[i].value[0] = from.map[i].data[at];
    to.data[at] = combine<To>(operation, last, 0);
  }
}

// Launches operation on all values, by 16 bytes of the larger type where every row of every map allows it.
template <class To, class From, int inputs, class Operation>
void run_rows(Gpu gpu, const RowShape& shape, const RowsOf<To>& to, const RowInputs<From, inputs>& from,
              const Operation& operation) {
  constexpr int widest = 16 / static_cast<int>(std::max(sizeof(To), sizeof(From)));
  const auto fits = [&](const auto& map) {
    return reinterpret_cast<std::uintptr_t>(map.data) % (widest * sizeof(*map.data)) == 0 &&
           (shape.rows == 1 || (map.channel_stride % widest == 0 && shape.length % widest == 0));
  };
  const auto start = [&](auto width) {
    const RowSplit split(shape, width);
    launch(gpu, combine_rows<width(), To, From, inputs, Operation>, split.blocks(), RowSplit::threads, 0, to, from,
           split, operation);
  };
  if (fits(to) && std::all_of(from.map, from.map + inputs, fits))
    start(std::integral_constant<int, widest>{});
  else
    start(std::integral_constant<int, 1>{});
}

}  // namespace preceptor::kernels
