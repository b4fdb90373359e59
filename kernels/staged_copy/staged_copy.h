// Copies whose places are read from device memory when they run: a recorded step moves other bytes in every replay.
#pragma once

#include "kernels/device/family.h"

namespace preceptor::kernels {

// Bytes of a batch, and where they belong.
struct StagedSegment {
  void* to;             // a multiple of 4 bytes
  std::int64_t offset;  // in the slot, bytes, a multiple of 16
  std::int64_t bytes;
};

// The beginning of a slot.
struct StagedHeader {
  std::int64_t segments;
  std::int64_t table;  // offset of StagedSegment[segments] in the slot, bytes, a multiple of 16
};

// The two slots in which batches arrive, in turn.
struct StagedSlots {
  const std::byte* slot[2];  // multiples of 16 bytes
  std::int64_t taken;        // batches so far: the next one is in slot[taken % 2]
};

// Copies the segments of the next batch to their places, which do not overlap, and counts it as taken.
struct StagedCopy {
  static constexpr const char* name = "staged_copy";
  StagedSlots* slots;
  std::int64_t bytes;  // about the size of a batch; sets the number of threads, any number of bytes is copied
};
KERNEL_FAMILY(StagedCopy);

// to[*row, i] = from[i].
struct CopyToRow {
  static constexpr const char* name = "copy_to_row";
  const float* from;        // [columns]
  float* to;                // [rows, columns]
  const std::int32_t* row;  // [1] 0 to rows - 1
  std::int64_t columns;
};
KERNEL_FAMILY(CopyToRow);

}  // namespace preceptor::kernels
