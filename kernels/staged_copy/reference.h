// The taking of a batch, byte by byte: the specification that every device is tested against.
#pragma once

#include <cstddef>
#include <vector>

namespace preceptor::kernels::reference {

struct Piece {
  std::size_t to, offset, bytes;  // `to` in memory, `offset` in the slot
};

inline void take(const std::vector<unsigned char>& slot, const std::vector<Piece>& segments,
                 std::vector<unsigned char>& memory) {
  for (const Piece& segment : segments)
    for (std::size_t i = 0; i < segment.bytes; ++i) memory.at(segment.to + i) = slot.at(segment.offset + i);
}

}  // namespace preceptor::kernels::reference
