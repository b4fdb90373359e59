// The taking of a batch, byte by byte: the specification that every device is tested against.
#pragma once

#include <cstddef>
#include <vector>

namespace preceptor::kernels::reference {

struct Piece {
  std::size_t to, offset, bytes;  // `to` in memory, `offset` in the slot
};

inline void take(const std::vector<unsigned char>& slot, const std::vector<Piece>& pieces,
                 std::vector<unsigned char>& memory) {
  for (const Piece& piece : pieces)
    for (std::size_t i = 0; i < piece.bytes; ++i) memory.at(piece.to + i) = slot.at(piece.offset + i);
}

}  // namespace preceptor::kernels::reference
