// The number formats that weights are stored in, under the names of safetensors, and their conversion to float.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace preceptor {

enum class ElementType { f64, f32, f16, bf16, whole_number };

struct ElementFormat {
  ElementType type;
  std::size_t bytes;  // of one element: 1, 2, 4 or 8
};

// "F64", "F32", "F16", "BF16", and whole numbers and truth values: "I8" ... "I64", "U8" ... "U64", "BOOL".
std::optional<ElementFormat> element_format(const std::string& name);

// Converts `count` little-endian elements, which need no alignment; F64 is rounded to nearest. type must not
// be whole_number.
void to_floats(ElementType type, const char* bytes, std::size_t count, float* target);

// Rounds each value to the nearest BF16, ties to even, and stores its bits.
void to_bfloat16(std::span<const float> values, std::uint16_t* target);

}  // namespace preceptor
