// Tensors to and from the host, their order in memory, and views of channel ranges.
#include "tests/engine/support.h"

namespace preceptor {
namespace {

using test::bits;
using test::expect_error;
using test::grid_values;
using test::tensor_of;

class TensorTest : public testing::Test {
 protected:
  std::unique_ptr<Context> context = Context::on_cpu(1, 0);
};

TEST_F(TensorTest, HostRoundTripOfEveryRankAndBlock) {
  std::vector<Shape> shapes{{7}, {1}, {3, 5}, {2, 3, 4}};
  for (int channels : {1, 3, 8, 16, 24, 48})
    for (int images : {1, 3}) shapes.push_back({images, channels, 5, 3});
  for (const Shape& shape : shapes) {
    SCOPED_TRACE(message(shape));
    const std::vector<float> values = grid_values(shape.elements(), 1);
    EXPECT_EQ(tensor_of(*context, shape, values).to_host(), values);
  }
}

TEST_F(TensorTest, FeatureMapsLieInBlocksOfTheDevice) {
  for (int channels : {1, 3, 8, 16, 24, 48}) {
    SCOPED_TRACE(channels);
    const int height = 3, width = 5, block = context->device().channel_block(channels);
    EXPECT_EQ(channels % block, 0);
    const Shape shape{2, channels, height, width};
    const std::vector<float> values = grid_values(shape.elements(), 2);
    const Tensor tensor = tensor_of(*context, shape, values);
    std::size_t plain = 0;
    for (int n = 0; n < 2; ++n)
      for (int c = 0; c < channels; ++c)
        for (int y = 0; y < height; ++y)
          for (int x = 0; x < width; ++x) {
            const int at = (((n * (channels / block) + c / block) * height + y) * width + x) * block + c % block;
            ASSERT_EQ(tensor.data()[at], values[plain++]);
          }
  }
}

TEST_F(TensorTest, SpecialValuesKeepTheirBits) {
  const std::vector<float> values{NAN, INFINITY, -INFINITY, -0.0f, 1e-42f, 3e38f};
  EXPECT_EQ(bits(tensor_of(*context, {6}, values).to_host()), bits(values));
}

TEST_F(TensorTest, ChannelViewsReadAndWriteTheirRangeOnly) {
  for (int channels : {24, 48, 5}) {
    const int block = context->device().channel_block(channels);
    const Shape shape{3, channels, 2, 3};
    const std::size_t plane = 6;
    const std::vector<float> values = grid_values(shape.elements(), 3);
    for (int begin = 0; begin < channels; begin += block)
      for (int count = block; begin + count <= channels; count += block) {
        SCOPED_TRACE(message("channels ", begin, " to ", begin + count, " of ", channels));
        const Tensor whole = tensor_of(*context, shape, values);
        const Tensor view = whole.channels(begin, count);
        EXPECT_EQ(view.shape(), (Shape{3, count, 2, 3}));
        std::vector<float> part, changed = values;
        for (int n = 0; n < 3; ++n)
          for (std::size_t i = 0; i < plane * static_cast<std::size_t>(count); ++i) {
            const std::size_t at = static_cast<std::size_t>(n * channels + begin) * plane + i;
            part.push_back(values[at]);
            changed[at] = 100 + static_cast<float>(part.size());
          }
        EXPECT_EQ(view.to_host(), part);
        for (std::size_t i = 0; i < part.size(); ++i) part[i] = 101 + static_cast<float>(i);
        view.from_host(part);
        EXPECT_EQ(whole.to_host(), changed);
        EXPECT_EQ(view.to_host(), part);
      }
  }
}

TEST_F(TensorTest, ViewsOfViewsAndLifeTime) {
  const std::vector<float> values = grid_values(48 * 4, 4);
  Tensor inner;
  {
    const Tensor whole = tensor_of(*context, {1, 48, 2, 2}, values);
    inner = whole.channels(16, 32).channels(16, 16);
    EXPECT_FALSE(whole.owns_alone());
  }
  EXPECT_EQ(context->pool(Lifetime::step).live(), 1u);
  EXPECT_TRUE(inner.owns_alone());
  EXPECT_EQ(inner.to_host(), std::vector<float>(values.begin() + 32 * 4, values.end()));
  inner = Tensor();
  EXPECT_EQ(context->pool(Lifetime::step).live(), 0u);
}

TEST_F(TensorTest, WithoutValuesKeepsShapeAndSlotAlone) {
  Tensor tensor = context->empty({2, 8, 3, 3});
  tensor.set_slot(7);
  const Tensor outline = tensor.shape_only();
  EXPECT_FALSE(outline.defined());
  EXPECT_EQ(outline.shape(), tensor.shape());
  EXPECT_EQ(outline.slot(), 7);
  EXPECT_TRUE(tensor.owns_alone());
}

TEST_F(TensorTest, ZerosAreZeroInUsedMemory) {
  tensor_of(*context, {1000}, std::vector<float>(1000, 5));
  EXPECT_EQ(context->zeros({1000}).to_host(), std::vector<float>(1000, 0));
}

TEST_F(TensorTest, WrongRanksRangesAndCountsAreErrors) {
  const Tensor map = context->empty({2, 16, 3, 3});
  const int block = context->device().channel_block(16);
  expect_error(ErrorKind::usage, {"from_host", "5 values", "[2, 16, 3, 3]"},
               [&] { map.from_host(std::vector<float>(5)); });
  expect_error(ErrorKind::usage, {"no range", "[4, 4]"}, [&] { context->empty({4, 4}).channels(0, 4); });
  expect_error(ErrorKind::usage, {"no range"}, [&] { map.channels(block, 16); });
  expect_error(ErrorKind::usage, {"no range"}, [&] { map.channels(-block, block); });
  expect_error(ErrorKind::usage, {"no range"}, [&] { map.channels(0, 0); });
  expect_error(ErrorKind::usage, {"no multiples"}, [&] { map.channels(0, block / 2); });
  expect_error(ErrorKind::usage, {"no multiples"}, [&] { map.channels(block / 2, block / 2); });
}

}  // namespace
}  // namespace preceptor
