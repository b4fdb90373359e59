// The memory of a slot in which a batch arrives, and of the ring of two.
#pragma once

#include <cstddef>
#include <cstdint>

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

}  // namespace preceptor::kernels
