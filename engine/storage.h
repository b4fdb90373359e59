// How the values of a tensor are stored, and how precisely a run computes.
#pragma once

#include <cstddef>
#include <type_traits>

#include "kernels/device/bfloat16.h"

namespace preceptor {

enum class Storage { float32, bfloat16 };

template <class T>
inline constexpr Storage storage_of = std::is_same_v<T, kernels::bfloat16> ? Storage::bfloat16 : Storage::float32;

inline std::size_t bytes_of(Storage storage) { return storage == Storage::bfloat16 ? 2 : 4; }

inline const char* to_string(Storage storage) { return storage == Storage::bfloat16 ? "bfloat16" : "float"; }

enum class Precision {
  float32,
  tf32,      // float32 in memory; convolutions multiply operands rounded to 10 bits of mantissa
  bfloat16,  // feature maps and the convolution weights that meet them; all else is float32 (docs/precision.md)
};

}  // namespace preceptor
