// Normalization of a value before residual and ReLU, and the rounding of its statistics: the same on all devices.
#pragma once

#include <cmath>

#include "kernels/device/bfloat16.h"

namespace preceptor::kernels {

// Every kernel that needs this value gets it from here: a gradient's recomputed mask has to have the forward pass's
// bits, in whatever loop it stands. So the multiply-add is written out.
ON_ANY_DEVICE inline float bn_apply(float x, float mean, float scale, float offset) {
#if defined(__CUDACC__) || defined(FP_FAST_FMAF)
  return fmaf(x - mean, scale, offset);
#else
  return (x - mean) * scale + offset;
#endif
}

enum class Mask { none, given, recomputed };  // how the ReLU masks a gradient: by y, or by y's recomputed sign

// A double as a float, and what that took from it.
struct Rounded {
  float value, rounding;
  ON_ANY_DEVICE explicit Rounded(double exact)
      : value(static_cast<float>(exact)), rounding(static_cast<float>(exact - static_cast<double>(value))) {}
};

}  // namespace preceptor::kernels
