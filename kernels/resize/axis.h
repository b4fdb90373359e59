// The rules by which maps are resized, and the weights that follow from them along one axis.
#pragma once

#include <vector>

namespace preceptor::kernels {

enum class ResizeRule {
  linear,   // where the axis grows, linear interpolation; where it shrinks, a triangle that covers two outputs, so that
            // nothing is skipped: the rule of Pillow and of torchvision's antialiased resize
  nearest,  // input i from / to, rounded down: torch's interpolate(mode="nearest")
  mean,     // mean of inputs i from / to, rounded down, to (i + 1) from / to, rounded up: torch's adaptive_avg_pool2d
};

// How one axis is resized: output i is the sum of weight[i taps + j] times input first[i] + j, for j < taps. Weights
// outside the input are 0, the others of an output add up to 1.
struct Axis {
  int taps;
  std::vector<int> first;     // [to] first + taps is at most `from`
  std::vector<float> weight;  // [to, taps]

  Axis(int from, int to, ResizeRule rule = ResizeRule::linear);  // both at least 1
  // The derivative of an axis from `from` inputs: what gives d_x from d_y.
  Axis transposed(int from) const;

 private:
  Axis() = default;
};

}  // namespace preceptor::kernels
