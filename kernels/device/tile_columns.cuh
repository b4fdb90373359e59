// How an operand is staged whose depth runs over the rows of its source, whatever its operands are.
#pragma once

#include "kernels/device/group.cuh"

namespace preceptor::kernels {

// The groups of a thread are converted one after the other: nvcc would begin with all, and lack registers for many.
__device__ inline void convert_in_turn() {
#ifdef __CUDACC__
  __syncwarp();
#endif
}

// A thread keeps its columns of the source, which are neighboring lines of the tile. Places says where they lie there:
// put(tile, depth, line, values) writes a group of them.
template <class Source, class Operand, class Places, int depth_of_tile, int extent, int threads>
class ColumnStage : public Places {
 public:
  static constexpr int staged_depth = depth_of_tile, size = extent * staged_depth;

 private:
  static constexpr int width = Source::Group::count;
  static constexpr int lanes = extent / width;  // that load a row of the source
  static constexpr int pass_depth = threads / lanes;
  static constexpr int passes = staged_depth / pass_depth;
  static_assert(pass_depth >= 1 && staged_depth % pass_depth == 0);

 public:
  __device__ ColumnStage(const Source& source, int first)
      : depth_(static_cast<int>(threadIdx.x) / lanes),
        line_(static_cast<int>(threadIdx.x) % lanes * width),
        column_(source.column(first + line_)) {}
  // Starts the loads of a tile.
  __device__ void fetch(const Source& source, int depth) {
#pragma unroll
    for (int i = 0; i < passes; ++i) staged_[i] = source.load(source.row(depth + depth_ + i * pass_depth), column_);
  }
  // Writes it to shared memory.
  __device__ void put(const Source& source, Operand* tile) const {
#pragma unroll
    for (int i = 0; i < passes; ++i) {
      Operand values[width];
      source.convert(staged_[i], column_, values);
      Places::put(tile, depth_ + i * pass_depth, line_, values);
      if constexpr (passes > 4) convert_in_turn();
    }
  }

 private:
  int depth_, line_;
  typename Source::Column column_;
  typename Source::Loaded staged_[passes];
};

}  // namespace preceptor::kernels
