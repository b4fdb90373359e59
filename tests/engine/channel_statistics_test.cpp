// Statistics that maps keep: who finds them, who takes them over, and that batch norms believe them.
#include "engine/ops.h"
#include "tests/engine/support.h"
#include "tests/support/devices.h"

namespace preceptor {
namespace {

using kernels::ChannelStatistics;
using namespace test;

const Shape piece{3, 16, 5, 7};
constexpr int pixels = 3 * 5 * 7;

class StatisticsOf : public DeviceTest {
 protected:
  void SetUp() override {
    DeviceTest::SetUp();
    if (!IsSkipped() && !HasFatalFailure()) context = std::make_unique<Context>(device(), 0);
  }
  Tensor values(unsigned seed, const Shape& shape = piece) {
    return tensor_of(*context, shape, grid_values(shape.elements(), seed));
  }
  std::vector<ChannelStatistics> read(const Tensor& x) {
    std::vector<ChannelStatistics> result(static_cast<std::size_t>(x.shape()[1]));
    context->run(kernels::Copy{result.data(), x.statistics(), result.size() * sizeof(ChannelStatistics)});
    context->stream().synchronize();
    return result;
  }
  // Values lie within [-1, 1]; their float sums are off by less than 2^-20 for each.
  void expect_statistics_of(const Tensor& x) {
    ASSERT_NE(x.statistics(), nullptr);
    const std::vector<float> plain = x.to_host();
    const std::vector<ChannelStatistics> found = read(x);
    const std::size_t plane = static_cast<std::size_t>(x.shape()[2]) * x.shape()[3];
    for (std::size_t c = 0; c < found.size(); ++c) {
      const auto sum_of = [&](const auto& term) {
        double sum = 0;
        for (std::size_t image = 0; image < static_cast<std::size_t>(x.shape()[0]); ++image)
          for (std::size_t i = 0; i < plane; ++i)
            sum += term(static_cast<double>(plain[(image * found.size() + c) * plane + i]));
        return sum;
      };
      const double mean = sum_of([](double value) { return value; }) / pixels;
      EXPECT_NEAR(found[c].mean, mean, 0x1p-20) << c;
      EXPECT_NEAR(found[c].m2, sum_of([&](double value) { return (value - mean) * (value - mean); }), pixels * 0x1p-20)
          << c;
    }
  }
  std::unique_ptr<Context> context;
};

TEST_P(StatisticsOf, PiecesOfAWiderMapAreFoundOnceForAll) {
  Tensor maps = context->empty({3, 48, 5, 7});
  maps.keep_statistics();
  const Tensor first = copy_into(values(1), maps.channels(0, 16));
  const Tensor second = dropout_into(values(2), 0.5f, 0, maps.channels(16, 16));
  Tensor counted = values(3);
  counted.keep_statistics();
  const std::vector<ChannelStatistics> told(16, {5, 7});
  context->run(kernels::Copy{counted.statistics(), told.data(), told.size() * sizeof(ChannelStatistics)});
  const Tensor third = copy_into(counted, maps.channels(32, 16));
  expect_statistics_of(first);
  expect_statistics_of(second);
  const Tensor two = join_channels(first, second), three = join_channels(two, third);
  expect_statistics_of(two);
  EXPECT_EQ(read(three)[15].mean, read(first)[15].mean);
  EXPECT_EQ(read(three)[16].mean, read(second)[0].mean);
  EXPECT_EQ(read(three)[47].mean, 5);  // taken over from what was copied
  EXPECT_EQ(read(three.channels(16, 32))[31].m2, 7);
  EXPECT_EQ(copy_into(values(1), context->empty(piece)).statistics(), nullptr);
}

TEST_P(StatisticsOf, AreThoseOfTheValuesAlone) {
  Tensor x = values(1);
  EXPECT_EQ(x.statistics(), nullptr);
  x.keep_statistics();
  EXPECT_EQ(x.overwritten().statistics(), nullptr);
  EXPECT_EQ(x.overwritten().data(), x.data());
  EXPECT_EQ(x.shape_only().statistics(), nullptr);
  EXPECT_EQ(x.reshaped({3, 16, 35, 1}).statistics(), nullptr);
  expect_error(ErrorKind::usage, {"keep_statistics", "no feature map"}, [&] {
    Tensor matrix = context->empty({3, 4});
    matrix.keep_statistics();
  });
}

TEST_P(StatisticsOf, AConvolutionFindsThoseOfWhatItStoresWhereItIsAsked) {
  Parameters parameters(*context);
  const Parameter weight = parameters.add("weight", {16, 16, 3, 3}, ParameterKind::convolution);
  fill(parameters);
  const Tensor x = values(4);
  EXPECT_EQ(convolution(x, weight, nullptr, {.padding = 1}).statistics(), nullptr);
  const Tensor y = convolution(x, weight, nullptr, {.padding = 1, .statistics = true});
  EXPECT_EQ(y.statistics() != nullptr, context->fuses_batch_norms());
  EXPECT_EQ(context->fuses_batch_norms(), !on_cpu());
}

// A batch norm takes the statistics it is told for the map's, in either form.
TEST_P(StatisticsOf, ABatchNormReadsThemInPlaceOfTheMap) {
  Parameters parameters(*context);
  const BatchNormParameters norm = batch_norm_of(parameters, 16);
  const Parameter weight = parameters.add("weight", {16, 16, 1, 1}, ParameterKind::convolution);
  fill(parameters);
  Tensor x = values(5);
  const auto forward = [&] {
    return std::pair{batch_norm(x, norm, true, true).to_host(), batch_norm_convolution(x, norm, weight, {}).to_host()};
  };
  const auto own = forward();
  x.keep_statistics();
  Tensor copy = context->empty(piece);
  copy.keep_statistics();
  std::vector<ChannelStatistics> statistics = read(copy_into(x.overwritten(), copy));
  context->run(kernels::Copy{x.statistics(), statistics.data(), statistics.size() * sizeof(ChannelStatistics)});
  const auto told = forward();
  EXPECT_EQ(bits(told.first), bits(own.first));
  EXPECT_EQ(bits(told.second), bits(own.second));
  for (ChannelStatistics& channel : statistics) channel.mean += 1;
  context->run(kernels::Copy{x.statistics(), statistics.data(), statistics.size() * sizeof(ChannelStatistics)});
  const auto moved = forward();
  EXPECT_NE(bits(moved.first), bits(own.first));
  EXPECT_NE(bits(moved.second), bits(own.second));
}

INSTANTIATE_ON_ALL_DEVICES(StatisticsOf);

}  // namespace
}  // namespace preceptor
