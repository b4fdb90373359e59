// What the convolution's op shares with that of a batch norm before it.
#pragma once

#include "engine/ops.h"

namespace preceptor {

// What a batch norm's forward pass leaves, by channel (kernels/batch_norm/batch_norm.h).
struct BatchNormStatistics {
  Tensor values;  // [6, c]; undefined: there is no batch norm

  float* mean() const { return row(0); }
  float* rstd() const { return row(1); }
  float* scale() const { return row(2); }
  float* offset() const { return row(3); }
  float* rounding_errors() const { return row(4); }  // [2, c]

 private:
  float* row(int i) const { return values.data() + i * values.shape()[1]; }
};

// The convolution of x = relu(batch_norm(input)), or of x = input where `before` is undefined. x may be without values:
// then what the convolution reads, it computes from the input. The gradient does so in any case, and keeps no x.
Tensor convolution(const Tensor& x, const Tensor& input, const BatchNormStatistics& before, const Parameter& weight,
                   const Parameter* bias, const ConvolutionOptions& options);

}  // namespace preceptor
