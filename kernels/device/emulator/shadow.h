// The last accesses to every two bytes that a kernel touched.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <unordered_map>

#include "kernels/device/emulator/runtime.h"

namespace preceptor::kernels::emulator {

// Who accessed a cell and when. bytes == 0: nobody.
struct Record {
  std::uint32_t block, epoch, warp_epoch, code;
  std::uint16_t thread;
  std::uint8_t bytes;  // a bit for each of the cell's two
  Access access;
};

// Two bytes, the smallest storage type that neighboring threads write. Two readers suffice: a later write races with
// some reader if it races with one of two that are not ordered and, where there are such, in different warps.
struct Cell {
  std::uint32_t generation = 0;
  std::uint8_t written = 0;  // bytes that were written in this generation
  Record write{};
  Record read[2]{};

  template <class Ordered>
  void add_read(const Record& now, const Ordered& ordered) {
    const auto replaceable = [&](const Record& before) {
      return before.bytes == 0 || (before.block == now.block && before.thread == now.thread) || ordered(before);
    };
    if (replaceable(read[0])) {
      read[0] = now;
    } else if (replaceable(read[1]) || (read[1].block == read[0].block && read[1].thread / 32 == read[0].thread / 32)) {
      read[1] = now;
    }
  }
};

class Shadow {
 public:
  // Calls function(cell, its bytes) for the cells of a range; those of older generations are emptied first.
  template <class Function>
  void for_cells(const void* address, std::size_t bytes, std::uint32_t generation, const Function& function) {
    const auto first = reinterpret_cast<std::uintptr_t>(address), last = first + bytes;
    for (std::uintptr_t at = first / 2 * 2; at < last; at += 2) {
      Cell& cell = at_address(at);
      if (cell.generation != generation) cell = Cell{.generation = generation};
      function(cell, static_cast<std::uint8_t>((at >= first ? 1 : 0) | (at + 1 < last ? 2 : 0)));
    }
  }

 private:
  static constexpr std::uintptr_t page_bytes = 4096;
  using Page = std::array<Cell, page_bytes / 2>;

  Cell& at_address(std::uintptr_t address) {
    const std::uintptr_t number = address / page_bytes;
    if (number != recent_number_) {
      auto& page = pages_[number];
      if (!page) page = std::make_unique<Page>();
      recent_number_ = number;
      recent_ = page.get();
    }
    return (*recent_)[address % page_bytes / 2];
  }

  std::unordered_map<std::uintptr_t, std::unique_ptr<Page>> pages_;
  std::uintptr_t recent_number_ = ~std::uintptr_t{0};
  Page* recent_ = nullptr;
};

}  // namespace preceptor::kernels::emulator
