// How the values of a tensor are stored, and how precisely a run computes.
#pragma once

#include <cstddef>
#include <string>
#include <type_traits>

#include "kernels/device/bfloat16.h"

namespace preceptor {

enum class Storage { float32, bfloat16 };

template <class T>
inline constexpr Storage storage_of = std::is_same_v<T, kernels::bfloat16> ? Storage::bfloat16 : Storage::float32;

inline std::size_t bytes_of(Storage storage) { return storage == Storage::bfloat16 ? 2 : 4; }

const char* to_string(Storage storage);  // "float", "bfloat16"

enum class Precision {
  float32,
  tf32,      // float32 in memory; convolutions multiply operands rounded to 10 bits of mantissa
  bfloat16,  // feature maps and the convolution weights that meet them; all else is float32 (docs/precision.md)
};

// "float", "tf32", "bf16". Errors: usage, naming them.
Precision precision_named(const std::string& name);

}  // namespace preceptor
