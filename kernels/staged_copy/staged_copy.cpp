// Placed copies on the cpu, where a batch is staged in place (engine/staging.h): the plain form of what a card does.
#include "kernels/staged_copy/staged_copy.h"

#include <cstring>

namespace preceptor::kernels {

// mapping: one thread, segment by segment; bytes: every segment read and written.
void run_on(Cpu, const StagedCopy& a) {
  const std::byte* slot = a.slots->slot[a.slots->taken % 2];
  const auto* header = reinterpret_cast<const StagedHeader*>(slot);
  const auto* segments = reinterpret_cast<const StagedSegment*>(slot + header->table);
  for (std::int64_t i = 0; i < header->segments; ++i)
    std::memcpy(segments[i].to, slot + segments[i].offset, static_cast<std::size_t>(segments[i].bytes));
  ++a.slots->taken;
}

// mapping: one thread; bytes: the row read and written.
void run_on(Cpu, const CopyToRow& a) {
  std::memcpy(a.to + *a.row * a.columns, a.from, static_cast<std::size_t>(a.columns) * sizeof(float));
}

}  // namespace preceptor::kernels
