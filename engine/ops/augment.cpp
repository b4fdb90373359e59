// Network inputs from stored bytes.
#include "kernels/augment/augment.h"

#include <algorithm>

#include "engine/ops.h"

namespace preceptor {
namespace {

void require_range(const char* what, float value, float most) {
  require(value >= 0 && value <= most, "augment: ", what, " of ", value, " is not from 0 to ", most);
}

}  // namespace

Tensor augment(Context& context, const std::uint8_t* images, const Shape& shape, const AugmentOptions& options) {
  require(shape.rank() == 4 && shape[1] >= 1 && shape[1] <= 3, "augment: ", shape,
          " is no batch of images of 1 to 3 channels");
  const auto channels = static_cast<std::size_t>(shape[1]);
  require(options.mean.size() == channels && options.deviation.size() == channels, "augment: ", channels,
          " channels, but ", options.mean.size(), " means and ", options.deviation.size(), " deviations");
  require(options.shift >= 0 && options.shift < shape[2] && options.shift < shape[3], "augment: a shift of ",
          options.shift, " pixels does not fit images of ", shape);
  require_range("a rotation", options.rotate, 180);
  require_range("a scale", options.scale, 0.9f);
  require_range("a crop", options.crop, 0.9f);
  require_range("a brightness", options.brightness, 1);
  require_range("a contrast", options.contrast, 1);
  require_range("noise", options.noise, 1);
  require(options.cutout >= 0, "augment: a square of ", options.cutout, " pixels cannot be cut out");
  for (std::size_t c = 0; c < channels; ++c)
    require(options.deviation[c] > 0, "augment: the deviation of channel ", c, " is not positive");
  const Tensor out = context.empty(shape);
  context.run(out.storage(), [&]<class T>(T) {
    kernels::Augment<T> arguments{.images = images,
                                  .out = out.map<T>(),
                                  .state = options.random ? context.step_state() : nullptr,
                                  .mean = {},
                                  .deviation = {1, 1, 1},
                                  .flip = options.flip,
                                  .shift = options.shift,
                                  .rotate = options.rotate,
                                  .scale = options.scale,
                                  .crop = options.crop,
                                  .brightness = options.brightness,
                                  .contrast = options.contrast,
                                  .noise = options.noise,
                                  .cutout = options.cutout,
                                  .rows = options.rows};
    std::ranges::copy(options.mean, arguments.mean);
    std::ranges::copy(options.deviation, arguments.deviation);
    return arguments;
  });
  return out;
}

Tensor augment_from_host(Context& context, std::span<const std::uint8_t> images, const Shape& shape,
                         const AugmentOptions& options) {
  require(images.size() == shape.elements(), "augment: ", images.size(), " bytes for images of ", shape);
  const std::shared_ptr<Buffer> staged = context.scratch(images.size());
  context.copy(staged->data(), images.data(), images.size());
  const Tensor out = augment(context, static_cast<const std::uint8_t*>(staged->data()), shape, options);
  context.stream().synchronize();
  return out;
}

}  // namespace preceptor
