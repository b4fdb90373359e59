// Number formats converted to float.
#include "engine/files/element_type.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "engine/files/check.h"
#include "kernels/device/bfloat16.h"

namespace preceptor {
namespace {

float half_to_float(std::uint16_t half) {
  const std::uint32_t exponent = (half >> 10) & 31u, mantissa = half & 1023u;
  float magnitude;
  if (exponent == 31)
    magnitude = mantissa ? NAN : INFINITY;
  else if (exponent == 0)
    magnitude = std::ldexp(static_cast<float>(mantissa), -24);
  else
    magnitude = std::ldexp(static_cast<float>(mantissa + 1024u), static_cast<int>(exponent) - 25);
  return (half & 0x8000u) ? -magnitude : magnitude;
}

template <class Element, class Convert>
void convert(const char* bytes, std::size_t count, float* target, const Convert& to_float) {
  for (std::size_t i = 0; i < count; ++i) {
    Element element;
    std::memcpy(&element, bytes + i * sizeof element, sizeof element);
    target[i] = to_float(element);
  }
}

}  // namespace

std::optional<ElementFormat> element_format(const std::string& name) {
  if (name == "F64") return ElementFormat{ElementType::f64, 8};
  if (name == "F32") return ElementFormat{ElementType::f32, 4};
  if (name == "F16") return ElementFormat{ElementType::f16, 2};
  if (name == "BF16") return ElementFormat{ElementType::bf16, 2};
  if (name == "BOOL" || name == "I8" || name == "U8") return ElementFormat{ElementType::whole_number, 1};
  if (name == "I16" || name == "U16") return ElementFormat{ElementType::whole_number, 2};
  if (name == "I32" || name == "U32") return ElementFormat{ElementType::whole_number, 4};
  if (name == "I64" || name == "U64") return ElementFormat{ElementType::whole_number, 8};
  return std::nullopt;
}

void to_floats(ElementType type, const char* bytes, std::size_t count, float* target) {
  static_assert(std::endian::native == std::endian::little, "stored numbers are little-endian");
  switch (type) {
    case ElementType::f64:
      return convert<double>(bytes, count, target, [](double value) { return static_cast<float>(value); });
    case ElementType::f32:
      if (count > 0) std::memcpy(target, bytes, count * sizeof(float));
      return;
    case ElementType::f16:
      return convert<std::uint16_t>(bytes, count, target, half_to_float);
    case ElementType::bf16:
      return convert<std::uint16_t>(bytes, count, target, [](std::uint16_t value) {
        return std::bit_cast<float>(static_cast<std::uint32_t>(value) << 16);
      });
    case ElementType::whole_number:
      break;
  }
  fail(ErrorKind::internal, "whole numbers are not converted to float");
}

void to_bfloat16(std::span<const float> values, std::uint16_t* target) {
  std::transform(values.begin(), values.end(), target, [](float value) { return kernels::bfloat16(value).bits; });
}

}  // namespace preceptor
