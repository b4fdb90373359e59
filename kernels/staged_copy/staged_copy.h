// Copies whose places are read from device memory when they run: a recorded step moves other bytes in every replay.
#pragma once

#include "kernels/device/family.h"
#include "kernels/staged_copy/slot.h"

namespace preceptor::kernels {

// Copies the segments of the next batch to their places, which do not overlap, and counts it as taken.
struct StagedCopy {
  static constexpr const char* name = "staged_copy";
  StagedSlots* slots;
  std::int64_t bytes;  // about the size of a batch; sets the number of threads, any number of bytes is copied

  Cost cost() const { return {2 * count_of(bytes), 0}; }
};
KERNEL_FAMILY(StagedCopy);

// to[*row, i] = from[i].
struct CopyToRow {
  static constexpr const char* name = "copy_to_row";
  const float* from;        // [columns]
  float* to;                // [rows, columns]
  const std::int32_t* row;  // [1] 0 to rows - 1
  std::int64_t columns;

  Cost cost() const { return {2 * count_of(columns) * sizeof(float), 0}; }
};
KERNEL_FAMILY(CopyToRow);

}  // namespace preceptor::kernels
