// Softened KL written five times, each version with one idea more than the one before: the ladder of ../README.md.
#pragma once

#include "kernels/softened_kl/softened_kl.h"

namespace preceptor::kernels::versions {

// Versions 1 to 4 know one temperature for all rows and no labels; 4 only rows that fit on chip.
void naive(Cuda, const SoftenedKl<float>& arguments);
void naive(Emulated, const SoftenedKl<float>& arguments);
void block_per_row(Cuda, const SoftenedKl<float>& arguments);
void block_per_row(Emulated, const SoftenedKl<float>& arguments);
void online(Cuda, const SoftenedKl<float>& arguments);
void online(Emulated, const SoftenedKl<float>& arguments);
void staged(Cuda, const SoftenedKl<float>& arguments);
void staged(Emulated, const SoftenedKl<float>& arguments);

constexpr int first_version = 1, last_version = 5;

// Version 5 is the family's own kernel: blocks shared by short rows, long rows of any length, labels in the same
// launch. Gpu is Cuda or Emulated.
template <class Gpu>
void run_version(int version, Gpu gpu, const SoftenedKl<float>& arguments) {
  constexpr void (*versions[])(Gpu, const SoftenedKl<float>&) = {naive, block_per_row, online, staged, run_on};
  if (version < first_version || version > last_version)
    throw Error(ErrorKind::usage, "softened_kl: there is no version " + std::to_string(version));
  versions[version - 1](gpu, arguments);
}

}  // namespace preceptor::kernels::versions
