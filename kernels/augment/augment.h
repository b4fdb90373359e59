// From stored images to the network's input: random flip, shift, rotation and scale, normalisation, device layout, in
// one pass.
#pragma once

#include "kernels/device/bfloat16.h"
#include "kernels/device/device.h"
#include "kernels/device/feature_map.h"
#include "kernels/optimizer/optimizer.h"

namespace preceptor::kernels {

// out(image, channel, y, x) = (pixel / 255 - mean[channel]) / deviation[channel], of the image
// 1. flipped left-right with probability one half if `flip`,
// 2. shifted by whole pixels in [-shift, shift] in x and y,
// 3. rotated about its centre by an angle in [-rotate, rotate], counter-clockwise above 0,
// 4. scaled about its centre by a factor in [1 - scale, 1 + scale].
// What comes in from outside repeats the border of the stored image. Between pixels (3 and 4) values are bilinear; an
// image that is neither rotated nor scaled has none. Random numbers: Philox4x32-10 with key state->seed and counter
// (state->step, image), so they depend on nothing else. With state == nullptr nothing is random: evaluation. T is float
// or bfloat16 (cpu: float); out is channel-blocked on the cpu, channels-last on cuda and emulated.
template <class T>
struct Augment {
  static constexpr const char* name = "augment";
  const std::uint8_t* images;  // [images, height, width, channels]
  FeatureMap<T> out;           // [images, channels, height, width], 1 to 3 channels
  const StepState* state;
  float mean[3];       // by channel, of pixel / 255
  float deviation[3];  // > 0
  bool flip;
  int shift;     // pixels, < height and width
  float rotate;  // degrees, 0 to 180
  float scale;   // 0 to 0.9

  bool between_pixels() const { return state && (rotate > 0 || scale > 0); }
};
template <class T>
Cost cost(const Augment<T>& arguments);
void run_on(Cpu, const Augment<float>& arguments);
template <class T>
void run_on(Cuda, const Augment<T>& arguments);
template <class T>
void run_on(Emulated, const Augment<T>& arguments);

}  // namespace preceptor::kernels
