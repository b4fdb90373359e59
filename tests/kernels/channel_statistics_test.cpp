// Statistics of a map's channels on every device: against the reference, and as what a batch norm takes in place of the
// map.
#include <gtest/gtest.h>

#include "kernels/batch_norm/batch_norm.h"
#include "tests/kernels/batch_norm_layer.h"

namespace preceptor::test {
namespace {

using namespace kernels;

class BatchNormChannelStatistics : public BatchNormTest {};

// Whoever finds the statistics, a batch norm makes the same of them to the bit, with y or without; but for what
// rounding took from the mean, where compilers may fuse the last of a cpu's doubles into what follows, or not.
TEST_P(BatchNormChannelStatistics, GivenAreAsGoodAsItsOwn) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    const auto check = [&](Random& random, const LayerShape& shape, Kind kind) {
      Layer<T> layer(random, device(), shape, random.values(shape.shape.elements(), kind));
      const bool relu = random.coin(), with_residual = random.coin();
      const auto results = [&] {
        return std::vector{layer.mean.host(),   layer.inverse.host(),      layer.scale.host(),
                           layer.offset.host(), layer.running_mean.host(), layer.running_variance.host()};
      };
      const auto rounding_errors_match = [&](const std::vector<float>& expected) {
        const auto found = to_double(layer.rounding_errors.host()), mean = to_double(layer.mean.host());
        const auto inverse = to_double(layer.inverse.host());
        EXPECT_TRUE(on_cpu() || same_bits(layer.rounding_errors.host(), expected));
        for (std::size_t c = 0; c < mean.size(); ++c)
          EXPECT_NEAR(found[c], static_cast<double>(expected[c]), 0x1p-50 * (std::abs(mean[c]) + 1 / inverse[c]));
      };
      const auto running_mean = layer.running_mean.host(), running_variance = layer.running_variance.host();
      const auto again = [&] {
        for (auto* buffer : {&layer.mean, &layer.inverse, &layer.scale, &layer.offset, &layer.rounding_errors})
          buffer->set(std::vector<float>(buffer->host().size(), std::nanf("")));
        layer.running_mean.set(running_mean);
        layer.running_variance.set(running_variance);
        layer.y.set(std::vector<float>(shape.shape.elements()));
      };
      layer.run(layer.forward(with_residual, relu));
      const auto y = layer.y.memory();
      const auto expected = results();
      const auto rounding_errors = layer.rounding_errors.host();
      again();
      const auto untouched = layer.y.memory();
      const DeviceBuffer<ChannelStatistics> statistics(device(), std::vector<ChannelStatistics>(expected[0].size()));
      layer.run(FindStatistics<T>{layer.x.map(), statistics.data(), nullptr});
      BatchNormForward<T> given = layer.forward(with_residual, relu);
      given.statistics = statistics.data();
      EXPECT_EQ(workspace_bytes(given, device()), 0u);
      given.y = {};
      layer.run(given);
      const auto alone = results();
      rounding_errors_match(rounding_errors);
      EXPECT_TRUE(same_bits(layer.y.memory(), untouched));
      again();
      given.y = layer.y.map();
      layer.run(given);
      EXPECT_TRUE(same_bits(layer.y.memory(), y));
      const auto both = results();
      rounding_errors_match(rounding_errors);
      for (std::size_t i = 0; i < expected.size(); ++i) {
        EXPECT_TRUE(same_bits(alone[i], expected[i])) << i;
        EXPECT_TRUE(same_bits(both[i], expected[i])) << i;
      }
    };
    for_layers<T>("batch norm moments", 2, true, check);
    Random random("batch norm moments of many blocks");
    if (on_cpu())  // channel blocks that divide among the threads, or not
      for (int blocks : {1, 3, 17})
        check(random, {{9, 16 * blocks, 21, 13}, channel_blocked(16 * blocks, 16, false)}, Kind::normal);
  });
}

TEST_P(BatchNormChannelStatistics, MatchTheReference) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Comparison means(label<T>("means")), squares(label<T>("squared deviations"));
    for_layers<T>("batch norm find moments", 2, true, [&](Random& random, const LayerShape& shape, Kind kind) {
      Layer<T> layer(random, device(), shape, random.values(shape.shape.elements(), kind));
      const DeviceBuffer<ChannelStatistics> statistics(device(), std::vector<ChannelStatistics>(shape.shape.channels));
      layer.run(FindStatistics<T>{layer.x.map(), statistics.data(), nullptr});
      const auto expected = reference::batch_statistics(layer.sizes, layer.x.plain());
      const double count = layer.sizes.values_per_channel();
      const auto found = statistics.host();
      for (std::size_t c = 0; c < found.size(); ++c) {
        const double squared = expected.variance[c] * count;
        const double of_reference = 0x1p-53 * count * std::abs(expected.mean[c]);  // which sums in double
        means.check(found[c].mean, expected.mean[c],
                    allowed(count, mean_terms * std::sqrt(expected.variance[c])) + of_reference, c);
        squares.check(found[c].m2, squared,
                      allowed(count, variance_terms * squared) + count * of_reference * of_reference, c);
      }
    });
  });
}

INSTANTIATE_ON_ALL_DEVICES(BatchNormChannelStatistics);

}  // namespace
}  // namespace preceptor::test
