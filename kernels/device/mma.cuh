// Tensor cores by hand (sm_80): ldmatrix and mma.sync as named functions of a whole warp. Fragment layouts are those of
// the PTX manual (9.7.14, "Warp Level Matrix Instructions"); with g = lane / 4 and t = lane % 4:
//   m16n8k16 bf16: a[0] = A[g][2t..], a[1] = A[g+8][2t..], a[2] = A[g][2t+8..], a[3] = A[g+8][2t+8..] (pairs of
//   columns),
//                  b[0] = B[2t..][g], b[1] = B[2t+8..][g] (pairs of rows),
//   m16n8k8 tf32:  a[0] = A[g][t], a[1] = A[g+8][t], a[2] = A[g][t+4], a[3] = A[g+8][t+4], b[0] = B[t][g], b[1] =
//   B[t+4][g], both:          c[0..1] = C[g][2t..], c[2..3] = C[g+8][2t..].
#pragma once

#include "kernels/device/gpu.h"

namespace preceptor::kernels {

#ifdef __CUDACC__

// Four 8x8 matrices of 16-bit values from shared memory: lane i gives the address of row i % 8 of matrix i / 8, a
// multiple of 16 bytes; matrix j's row lane / 4, columns 2 (lane % 4) and the next, come back in result[j]. Transposed:
// its column.
__device__ inline void load_matrix(unsigned (&result)[4], const void* shared_row) {
  const auto address = static_cast<unsigned>(__cvta_generic_to_shared(shared_row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(result[0]), "=r"(result[1]), "=r"(result[2]), "=r"(result[3])
               : "r"(address)
               : "memory");
}
__device__ inline void load_matrix_transposed(unsigned (&result)[4], const void* shared_row) {
  const auto address = static_cast<unsigned>(__cvta_generic_to_shared(shared_row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(result[0]), "=r"(result[1]), "=r"(result[2]), "=r"(result[3])
               : "r"(address)
               : "memory");
}

// c += A B for bfloat16, A 16x16 and B 16x8, accumulated in float.
__device__ inline void mma_bf16(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, "
      "%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// c += A B for tf32 (floats of which 10 bits of mantissa count), A 16x8 and B 8x8.
__device__ inline void mma_tf32(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, "
      "%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

#else  // the same on the host: kernels/device/emulator/matrix.cpp

EMULATOR_UNWATCHED void load_matrix(unsigned (&result)[4], const void* shared_row,
                                    emulator::Place place = emulator::Place::current()) {
  emulator::load_matrix(result, shared_row, false, place, __builtin_return_address(0));
}
EMULATOR_UNWATCHED void load_matrix_transposed(unsigned (&result)[4], const void* shared_row,
                                               emulator::Place place = emulator::Place::current()) {
  emulator::load_matrix(result, shared_row, true, place, __builtin_return_address(0));
}
inline void mma_bf16(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2],
                     emulator::Place place = emulator::Place::current()) {
  emulator::mma_bf16(c, a, b, place);
}
inline void mma_tf32(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2],
                     emulator::Place place = emulator::Place::current()) {
  emulator::mma_tf32(c, a, b, place);
}

#endif

}  // namespace preceptor::kernels
