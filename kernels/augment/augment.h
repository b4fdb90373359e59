// From stored images to the network's input: random changes of place and of grey values, normalization, device layout,
// in one pass.
#pragma once

#include "kernels/device/family.h"
#include "kernels/device/feature_map.h"
#include "kernels/device/step_state.h"

namespace preceptor::kernels {

// out(image, channel, y, x) = (pixel / 255 - mean[channel]) / deviation[channel], of the image
// 1. flipped left-right with probability one half if `flip`,
// 2. shifted by whole pixels in [-shift, shift] in x and y,
// 3. rotated about its center by an angle in [-rotate, rotate], counter-clockwise above 0,
// 4. scaled about its center by a factor in [1 - scale, 1 + scale],
// 5. replaced by a window of [1 - crop, 1] of its height and width at any place inside, enlarged to the whole;
// then of its normalized values
// 6. contrast * (value + brightness / deviation[channel]), contrast in [1 - contrast, 1 + contrast], brightness in
//    [-brightness, brightness]: the mean of the data keeps its place,
// 7. plus noise of this deviation (of pixel / 255), independent for every value, nearly normal: a sum of four bytes,
// 8. 0, the data's mean, in a square of `cutout` pixels whose center is any pixel.
// Pixels from outside repeat the border of the stored image. Between pixels (3 to 5) values are bilinear; an
// image with neither has none. Random numbers: Philox4x32-10 with key state->seed and counter (state->step, image +
// 2^32 i), i counting the draws of an image, so they depend on nothing else. With state == nullptr nothing is random:
// evaluation. T is float or bfloat16 (cpu: float); out is channel-blocked on the cpu, channels-last
// on cuda and emulated.
template <class T>
struct Augment {
  static constexpr const char* name = "augment";
  const std::uint8_t* images;  // [images, height, width, channels]; with `rows` any number of them
  FeatureMap<T> out;           // [images, channels, height, width], 1 to 3 channels
  const StepState* state;
  float mean[3];       // by channel, of pixel / 255
  float deviation[3];  // > 0
  bool flip;
  int shift;         // pixels, < height and width
  float rotate;      // degrees, 0 to 180
  float scale;       // 0 to 0.9
  float crop;        // 0 to 0.9
  float brightness;  // 0 to 1
  float contrast;    // 0 to 1
  float noise;       // 0 to 1
  int cutout;        // pixels, 0 or more
  // [images] in device memory: which of `images` each image of the batch is, where a whole data set stays on the
  // device; nullptr: they are the batch. The random numbers are of the place in the batch all the same.
  const std::int32_t* rows = nullptr;

  bool between_pixels() const { return state && (rotate > 0 || scale > 0 || crop > 0); }

  Cost cost() const {
    const double values = count_of(out.elements()), pixels = count_of(out.images, out.plane());
    double operations = between_pixels() ? 8 * values + 40 * pixels : 2 * values;
    if (state && noise > 0) operations += 3 * values + 80 * pixels;
    return {values * (sizeof(T) + 1), operations};
  }
};
KERNEL_FAMILY_OF_T(Augment);

}  // namespace preceptor::kernels
