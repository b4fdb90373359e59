// From stored images to the network's input: random flip and shift, normalisation, device layout, in one pass.
#pragma once

#include "kernels/device/device.h"
#include "kernels/device/feature_map.h"
#include "kernels/optimizer/optimizer.h"

namespace preceptor::kernels {

// out(image, channel, y, x) = (pixel / 255 - mean[channel]) / deviation[channel], of the image flipped left-right with
// probability one half if `flip`, and shifted by whole pixels in [-shift, shift] in x and y; what comes in from outside
// repeats the border. Random numbers: Philox4x32-10 with key state->seed and counter (state->step, image), so they
// depend on nothing else. With state == nullptr nothing is random: evaluation.
struct Augment {
  static constexpr const char* name = "augment";
  const std::uint8_t* images;  // [images, height, width, channels]
  FeatureMap<float> out;       // [images, channels, height, width]
  const StepState* state;
  float mean[3];       // by channel, of pixel / 255
  float deviation[3];  // > 0
  bool flip;
  int shift;  // pixels, < height and width
};
Cost cost(const Augment& arguments);
void run_on(Cpu, const Augment& arguments);

}  // namespace preceptor::kernels
