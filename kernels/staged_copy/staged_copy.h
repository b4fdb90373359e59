// Copies whose places are read from device memory when they run: a recorded step moves other bytes in every replay.
#pragma once

#include "kernels/device/device.h"

namespace preceptor::kernels {

// Bytes of a batch, and where they belong.
struct StagedSegment {
  void* to;             // a multiple of 4 bytes
  std::int64_t offset;  // in the slot, bytes, a multiple of 16
  std::int64_t bytes;
};

// What stands at the beginning of a slot.
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
  std::int64_t bytes;  // of a batch, about: it decides how many threads there are, any number of bytes is copied
};
Cost cost(const StagedCopy& arguments);
void run_on(Cpu, const StagedCopy& arguments);
void run_on(Cuda, const StagedCopy& arguments);
void run_on(Emulated, const StagedCopy& arguments);

// to[*row, i] = from[i].
struct CopyToRow {
  static constexpr const char* name = "copy_to_row";
  const float* from;        // [columns]
  float* to;                // [rows, columns]
  const std::int32_t* row;  // [1] 0 to rows - 1
  std::int64_t columns;
};
Cost cost(const CopyToRow& arguments);
void run_on(Cpu, const CopyToRow& arguments);
void run_on(Cuda, const CopyToRow& arguments);
void run_on(Emulated, const CopyToRow& arguments);

}  // namespace preceptor::kernels
