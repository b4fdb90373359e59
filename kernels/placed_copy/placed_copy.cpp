// Placed copies on the cpu.
#include "kernels/placed_copy/placed_copy.h"

#include <cstring>

namespace preceptor::kernels {

// mapping: one thread, piece by piece; bytes: every piece read and written.
void run_on(Cpu, const TakeStaged& a) {
  const std::byte* slot = a.slots->slot[a.slots->taken % 2];
  const auto* header = reinterpret_cast<const StagedHeader*>(slot);
  const auto* pieces = reinterpret_cast<const StagedPiece*>(slot + header->table);
  for (std::int64_t i = 0; i < header->pieces; ++i)
    std::memcpy(pieces[i].to, slot + pieces[i].offset, static_cast<std::size_t>(pieces[i].bytes));
  ++a.slots->taken;
}

// mapping: one thread; bytes: the row read and written.
void run_on(Cpu, const CopyToRow& a) {
  std::memcpy(a.to + *a.row * a.columns, a.from, static_cast<std::size_t>(a.columns) * sizeof(float));
}

Cost cost(const TakeStaged& a) { return {2.0 * static_cast<double>(a.bytes), 0}; }
Cost cost(const CopyToRow& a) { return {2.0 * static_cast<double>(a.columns) * sizeof(float), 0}; }

}  // namespace preceptor::kernels
