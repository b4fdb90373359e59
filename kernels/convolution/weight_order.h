// The order of a convolution's weights in device memory.
#pragma once

#include "kernels/device/bfloat16.h"
#include "kernels/device/device.h"
#include "kernels/device/feature_map.h"

namespace preceptor::kernels {

// Convolution weights in the device's order [out / out_block][in / in_block][height][width][in_block][out_block].
// Blocks of 1 and 1 give the plain order (out, in, height, width) that checkpoints hold.
struct WeightOrder {
  int out_channels, in_channels, height, width;
  int out_block, in_block;

  ON_ANY_DEVICE std::size_t elements() const {
    return static_cast<std::size_t>(out_channels) * in_channels * height * width;
  }
  ON_ANY_DEVICE std::size_t offset(int out, int in, int y, int x) const {
    const std::size_t blocks = static_cast<std::size_t>(out / out_block) * (in_channels / in_block) + in / in_block;
    return (((blocks * height + y) * width + x) * in_block + in % in_block) * out_block + out % out_block;
  }
};

// The order in which this device wants the weights of such a layer. cpu: out_block and in_block are the device's
// channel blocks; all input channels form one block where they are no multiple of it (images of 1 or 3 channels). cuda
// and emulated: [out][height][width][in], channels-last as the maps.
WeightOrder device_weight_order(const Device& device, int out_channels, int in_channels, int height, int width);

}  // namespace preceptor::kernels
