// From stored bytes to the network's input.
#include "kernels/augment/augment.h"

#include "engine/ops.h"

namespace preceptor {

Tensor augment(Context& context, const std::uint8_t* images, const Shape& shape, const AugmentOptions& options) {
  require(shape.rank() == 4 && shape[1] >= 1 && shape[1] <= 3, "augment: ", shape,
          " is no batch of images of 1 to 3 channels");
  const auto channels = static_cast<std::size_t>(shape[1]);
  require(options.mean.size() == channels && options.deviation.size() == channels, "augment: ", channels,
          " channels, but ", options.mean.size(), " means and ", options.deviation.size(), " deviations");
  require(options.shift >= 0 && options.shift < shape[2] && options.shift < shape[3], "augment: a shift of ",
          options.shift, " pixels does not fit images of ", shape);
  require(options.rotate >= 0 && options.rotate <= 180, "augment: a rotation of ", options.rotate,
          " degrees is not from 0 to 180");
  require(options.scale >= 0 && options.scale <= 0.9f, "augment: a scale of ", options.scale, " is not from 0 to 0.9");
  const Tensor out = context.empty(shape);
  kernels::Augment<float> arguments{.images = images,
                                    .out = out.map(),
                                    .state = options.random ? context.step_state() : nullptr,
                                    .mean = {},
                                    .deviation = {1, 1, 1},
                                    .flip = options.flip,
                                    .shift = options.shift,
                                    .rotate = options.rotate,
                                    .scale = options.scale};
  for (std::size_t c = 0; c < channels; ++c) {
    require(options.deviation[c] > 0, "augment: the deviation of channel ", c, " is not positive");
    arguments.mean[c] = options.mean[c];
    arguments.deviation[c] = options.deviation[c];
  }
  context.run(arguments);
  return out;
}

Tensor augment_from_host(Context& context, std::span<const std::uint8_t> images, const Shape& shape,
                         const AugmentOptions& options) {
  require(images.size() == shape.elements(), "augment: ", images.size(), " bytes for images of ", shape);
  const std::shared_ptr<Buffer> staged = context.scratch(images.size());
  context.run(kernels::Copy{staged->data(), images.data(), images.size()});
  const Tensor out = augment(context, static_cast<const std::uint8_t*>(staged->data()), shape, options);
  context.stream().synchronize();
  return out;
}

}  // namespace preceptor
