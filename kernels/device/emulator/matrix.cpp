// ldmatrix and mma.sync over the 32 lanes, with the fragment layouts of the PTX manual (mma.cuh). Products are exact in
// float, sums are added in the order of k; the rounding of a card's tensor cores is not modelled.
#include <bit>
#include <cstring>

#include "kernels/device/bfloat16.h"
#include "kernels/device/emulator/worker.h"

namespace preceptor::kernels::emulator {
namespace {

struct LoadMatrix {
  unsigned* result;  // [4]
  const std::uint16_t* row;
  bool transposed;
};

struct Multiply {
  float* c;           // [4]
  const unsigned* a;  // [4]
  const unsigned* b;  // [2]
};

void execute_load(unsigned, void* const* lanes) {
  const auto lane_arguments = [&](int lane) -> LoadMatrix& { return *static_cast<LoadMatrix*>(lanes[lane]); };
  for (int lane = 0; lane < warp_lanes; ++lane) {
    LoadMatrix& mine = lane_arguments(lane);
    for (int matrix = 0; matrix < 4; ++matrix) {
      std::uint16_t pair[2];
      for (int i = 0; i < 2; ++i) {
        const int along = lane / 4, across = lane % 4 * 2 + i;
        const int row = mine.transposed ? across : along, column = mine.transposed ? along : across;
        pair[i] = lane_arguments(matrix * 8 + row).row[column];
      }
      mine.result[matrix] = static_cast<unsigned>(pair[0]) | static_cast<unsigned>(pair[1]) << 16;
    }
  }
}

float half_of(unsigned word, int half) { return std::bit_cast<float>((half == 0 ? word << 16 : word & 0xffff0000u)); }
// The 13 lowest bits do not reach the multiplier.
float tf32_of(unsigned word) { return std::bit_cast<float>(word & 0xffffe000u); }

// c [16][8] += a [16][inner] b [inner][8]
template <int inner>
void multiply(const float (&a)[16][inner], const float (&b)[inner][8], void* const* lanes) {
  for (int lane = 0; lane < warp_lanes; ++lane) {
    const Multiply& mine = *static_cast<const Multiply*>(lanes[lane]);
    for (int i = 0; i < 4; ++i) {
      const int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
      for (int k = 0; k < inner; ++k) mine.c[i] += a[row][k] * b[k][column];
    }
  }
}

void execute_bf16(unsigned, void* const* lanes) {
  float a[16][16], b[16][8];
  for (int lane = 0; lane < warp_lanes; ++lane) {
    const Multiply& mine = *static_cast<const Multiply*>(lanes[lane]);
    const int g = lane / 4, t = lane % 4;
    for (int half = 0; half < 2; ++half) {
      for (int i = 0; i < 4; ++i) a[g + i % 2 * 8][t * 2 + i / 2 * 8 + half] = half_of(mine.a[i], half);
      for (int i = 0; i < 2; ++i) b[t * 2 + i * 8 + half][g] = half_of(mine.b[i], half);
    }
  }
  multiply(a, b, lanes);
}

void execute_tf32(unsigned, void* const* lanes) {
  float a[16][8], b[8][8];
  for (int lane = 0; lane < warp_lanes; ++lane) {
    const Multiply& mine = *static_cast<const Multiply*>(lanes[lane]);
    const int g = lane / 4, t = lane % 4;
    for (int i = 0; i < 4; ++i) a[g + i % 2 * 8][t + i / 2 * 4] = tf32_of(mine.a[i]);
    for (int i = 0; i < 2; ++i) b[t + i * 4][g] = tf32_of(mine.b[i]);
  }
  multiply(a, b, lanes);
}

}  // namespace

void load_matrix(unsigned (&result)[4], const void* shared_row, bool transposed, Place place, const void* code) {
  require_aligned(shared_row, 16, place);
  const Call worker;
  if (watching) worker->watcher()->access(shared_row, 16, Access::read, code);
  LoadMatrix lane{result, static_cast<const std::uint16_t*>(shared_row), transposed};
  worker->collective(~0u, execute_load, &lane, place);
}

void mma_bf16(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2], Place place) {
  Multiply lane{c, a, b};
  Call()->collective(~0u, execute_bf16, &lane, place);
}

void mma_tf32(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2], Place place) {
  Multiply lane{c, a, b};
  Call()->collective(~0u, execute_tf32, &lane, place);
}

}  // namespace preceptor::kernels::emulator
