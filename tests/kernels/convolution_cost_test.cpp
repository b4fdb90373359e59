// The cost of a convolution as its arguments state it, and the workspace of one whose depth is divided.
#include <gtest/gtest.h>

#include "kernels/convolution/convolution.h"

namespace preceptor::test {
namespace {

using namespace kernels;

TEST(ConvolutionCost, CountsTwoOperationsPerMultiplyAdd) {
  ConvolutionForward<float> arguments{};
  arguments.x = {nullptr, 2, 3, 8, 8, 1, 3};
  arguments.y = {nullptr, 2, 16, 4, 4, 16, 16};
  arguments.geometry = {3, 3, 2, 1};
  EXPECT_EQ(cost(arguments).operations, 2.0 * 2 * 16 * 4 * 4 * 3 * 9);
  EXPECT_EQ(cost(arguments).bytes, 4.0 * (2 * 3 * 64 + 2 * 16 * 16 + 16 * 27));
}

// Slices of whole steps of 64 bytes, at least 128 deep, as many as make 264 tiles; a float for every result of each.
TEST(ConvolutionWorkspace, HoldsPartialResultsWhereTilesAreFew) {
  const Device device = emulated_device(1);
  const auto map = [](int images, int channels, int side) {
    return FeatureMap<bfloat16>{nullptr, images, channels, side, side, channels, channels};
  };
  const auto forward = [&](int images, int in, int out, int side, const ConvolutionGeometry& geometry,
                           ChannelStatistics* statistics = nullptr) {
    ConvolutionForward<bfloat16> a{};
    const FeatureMap<bfloat16> x = map(images, in, side),
                               y = map(images, out, geometry.out_size(side, geometry.kernel_height));
    a.x = x, a.y = y, a.geometry = geometry, a.statistics = statistics;
    return workspace_bytes(a, device);
  };
  const auto data_gradient = [&](int images, int in, int out, int side, const ConvolutionGeometry& geometry) {
    const FeatureMap<bfloat16> x = map(images, in, side),
                               y = map(images, out, geometry.out_size(side, geometry.kernel_height));
    return workspace_bytes(
        ConvolutionDataGradient<bfloat16>{.d_y = y, .weight = nullptr, .d_x = x, .geometry = geometry}, device);
  };
  const ConvolutionGeometry one{1, 1, 1, 0}, three{3, 3, 1, 1}, strided{3, 3, 2, 1};
  constexpr std::size_t word = sizeof(float);
  // DenseNet-121's last block at 256 pixels, batch 24: 48 tiles, 5 slices of 7 steps at most; 12 tiles, 9 slices.
  EXPECT_EQ(forward(24, 1024, 128, 8, one), 5 * 1536 * 128 * word);
  EXPECT_EQ(forward(24, 128, 32, 8, three), 9 * 1536 * 32 * word);
  // Its statistics come in 24 tiles of 64 pixels.
  ChannelStatistics statistics{};
  EXPECT_EQ(forward(24, 1024, 128, 8, one, &statistics), (5 * 1536 + 24 * 2) * 128 * word);
  // 37 channels are kept as 40; a depth of 255 is not two slices.
  EXPECT_EQ(forward(1, 512, 37, 7, one), 4 * 49 * 40 * word);
  EXPECT_EQ(forward(1, 255, 37, 7, one), 0u);
  // 132 tiles are doubled, 133 are not.
  EXPECT_EQ(forward(132, 256, 64, 8, one), 2 * 132 * 64 * 64 * word);
  EXPECT_EQ(forward(133, 256, 64, 8, one), 0u);
  // The data gradient sums over output channels; with stride it has four grids.
  EXPECT_EQ(data_gradient(1, 64, 512, 7, three), 36 * 49 * 64 * word);
  EXPECT_EQ(data_gradient(1, 64, 512, 8, strided), 0u);
  EXPECT_EQ(forward(1, 64, 512, 8, strided), 4 * 16 * 512 * word);
}

}  // namespace
}  // namespace preceptor::test
