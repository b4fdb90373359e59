// The loss on the label of a row of logits: the same in every mapping of rows onto threads.
#pragma once

#include "kernels/device/gpu.h"

namespace preceptor::kernels {

constexpr float log2_e = 1.4426950408889634f;
// Below every logit, and finite: the difference of two of them is no NaN.
constexpr float no_logit = -3e38f;

// weight * -log softmax(logits)[label] and its derivatives. `others` is the sum of exp(logit - maximum) over all
// classes but the label.
struct LabelLoss {
  float loss = 0;
  float label_gradient = 0;  // the derivative by the label's logit
  float factor = 0;          // that by another class's is factor * exp(logit - maximum)

  LabelLoss() = default;
  __device__ LabelLoss(float weight, float maximum, float label, float others) {
    const float below = label - maximum;
    const float sum = others + exp2f(below * log2_e);
    factor = weight / sum;
    // As p - 1 it would have no digits in a confident row.
    label_gradient = -factor * others;
    // For the same reason log1p where the label is the best class; elsewhere the loss is above log 2.
    loss = weight * (below < 0 ? logf(sum) - below : log1pf(others));
  }
};

}  // namespace preceptor::kernels
