// All images of a split in device memory.
#pragma once

#include <cstdint>

#include "data/dataset.h"
#include "engine/context.h"

namespace preceptor {

// Read once, in order; batches are then lists of positions, which kernels follow (AugmentOptions::rows).
class DeviceImages {
 public:
  // Errors: those of ImageSource::read; internal, if they do not fit.
  DeviceImages(Context& context, const ImageSource& images, int threads);
  const std::uint8_t* data() const { return static_cast<const std::uint8_t*>(memory_.data()); }

  // Their size.
  static std::size_t bytes_of(const ImageSource& images) {
    return static_cast<std::size_t>(images.count()) * images.image_bytes();
  }

 private:
  Buffer memory_;
};

}  // namespace preceptor
