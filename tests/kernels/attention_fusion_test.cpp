// The fusion of two maps and its derivatives against their reference on every device: any channels, orders of threads.
#include "kernels/attention_fusion/attention_fusion.h"

#include <gtest/gtest.h>

#include "kernels/attention_fusion/reference.h"
#include "tests/kernels/losses.h"
#include "tests/support/feature_maps.h"
#include "tests/support/gradient_check.h"

namespace preceptor::test {
namespace {

using kernels::reference::attention_fusion;
using kernels::reference::attention_fusion_backward;

std::vector<double> absolute(std::vector<double> values) {
  for (double& value : values) value = std::abs(value);
  return values;
}

TEST(AttentionFusionReference, GradientsMatchFiniteDifferences) {
  Random random("fusion gradient");
  const auto x = to_double(random.values(2 * 3 * 4)), y = to_double(random.values(2 * 3 * 4)),
             attention = to_double(random.values(2 * 2 * 4)), d_out = to_double(random.values(2 * 3 * 4));
  const auto gradients = attention_fusion_backward(3, 4, x, y, attention, d_out);
  check_gradient(x, gradients.d_x,
                 [&](const auto& at) { return dot(d_out, attention_fusion(3, 4, at, y, attention)); });
  check_gradient(y, gradients.d_y,
                 [&](const auto& at) { return dot(d_out, attention_fusion(3, 4, x, at, attention)); });
  check_gradient(attention, gradients.d_attention,
                 [&](const auto& at) { return dot(d_out, attention_fusion(3, 4, x, y, at)); });
}

template <class T>
struct Problem {
  MapShape shape, of_attention;
  DeviceMap<T> x, y, attention, d_out, out, d_x, d_y, d_attention;

  Problem(Random& random, const kernels::Device& device, const MapShape& s)
      : shape(s),
        of_attention{s.images, 2, s.height, s.width},
        x(device, s, layout(device, s.channels)),
        y(device, s, layout(device, s.channels)),
        attention(device, of_attention, layout(device, 2)),
        d_out(device, s, layout(device, s.channels)),
        out(device, s, layout(device, s.channels)),
        d_x(device, s, layout(device, s.channels)),
        d_y(device, s, layout(device, s.channels)),
        d_attention(device, of_attention, layout(device, 2)) {
    for (DeviceMap<T>* map : {&x, &y, &d_out}) map->set(random.values(s.elements()));
    attention.set(random.values(of_attention.elements(), Kind::normal, 2));
  }
  static MapLayout layout(const kernels::Device& device, int channels) {
    return device.kind == kernels::DeviceKind::cpu ? channel_blocked(channels, channels % 8 == 0 ? 8 : 1, false)
                                                   : channels_last(channels);
  }
  kernels::AttentionFusion<T> forward() const { return {x.map(), y.map(), attention.map(), out.map()}; }
  kernels::AttentionFusionBackward<T> backward() const {
    return {x.map(), y.map(), attention.map(), d_out.map(), d_x.map(), d_y.map(), d_attention.map()};
  }
};

class AttentionFusion : public DeviceTest {};

// A sigmoid has 4 roundings, a product and a sum one each.
TEST_P(AttentionFusion, MatchesTheReference) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("fusion");
    const std::string label = "fusion, " + name_of(device().kind) + ", " + name_of_storage<T>();
    Comparison values(label), maps(label + ", d_x, d_y"), of_attention(label + ", d_attention");
    for (const auto& [images, channels, height, width] :
         {std::tuple{2, 16, 5, 7}, {1, 1, 1, 1}, {3, 33, 3, 3}, {2, 136, 4, 1}}) {
      Problem<T> problem(random, device(), {images, channels, height, width});
      execute_on(problem.forward(), device());
      execute_on(problem.backward(), device());
      const int plane = height * width;
      const auto x = problem.x.plain(), y = problem.y.plain(), attention = problem.attention.plain(),
                 d_out = problem.d_out.plain();
      const auto expected = attention_fusion(channels, plane, x, y, attention);
      const auto size = attention_fusion(channels, plane, absolute(x), absolute(y), attention);
      const auto out = problem.out.plain();
      for (std::size_t i = 0; i < out.size(); ++i)
        values.check(out[i], expected[i], with_storage<T>(allowed(2, size[i], 6), expected[i]), i);
      const auto gradients = attention_fusion_backward(channels, plane, x, y, attention, d_out);
      const auto sizes =
          attention_fusion_backward(channels, plane, absolute(x), absolute(y), attention, absolute(d_out));
      const auto check = [](Comparison& comparison, const auto& found, const auto& wanted, const auto& terms,
                            int count) {
        for (std::size_t i = 0; i < found.size(); ++i)
          comparison.check(found[i], wanted[i], with_storage<T>(allowed(count, std::abs(terms[i]), 10), wanted[i]), i);
      };
      check(maps, problem.d_x.plain(), gradients.d_x, sizes.d_x, 1);
      check(maps, problem.d_y.plain(), gradients.d_y, sizes.d_y, 1);
      check(of_attention, problem.d_attention.plain(), gradients.d_attention, sizes.d_attention, channels);
      for (const DeviceMap<T>* map : {&problem.out, &problem.d_x, &problem.d_y, &problem.d_attention})
        EXPECT_TRUE(map->neighbors_untouched());
    }
  });
}

TEST_P(AttentionFusion, TheSameBitsInAnyOrder) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("fusion bits");
    const Problem<T> problem(random, device(), {2, 40, 3, 5});
    std::vector<T> first;
    for (const kernels::Device& variant : five_variants(device())) {
      execute_on(problem.forward(), variant);
      execute_on(problem.backward(), variant);
      std::vector<T> all = problem.out.memory();
      for (const DeviceMap<T>* map : {&problem.d_x, &problem.d_y, &problem.d_attention}) {
        const std::vector<T> more = map->memory();
        all.insert(all.end(), more.begin(), more.end());
      }
      if (first.empty()) first = all;
      EXPECT_TRUE(same_bits(all, first));
    }
  });
}

TEST_P(AttentionFusion, MovesWhatCostSays) {
  if (device().kind != kernels::DeviceKind::emulated || !kernels::emulator::counters_available())
    GTEST_SKIP() << "the emulated device counts accesses where it watches them";
  for_storage_types(device(), [&](auto type) {
    Random random("fusion counters");
    const Problem<decltype(type)> problem(random, device(), {2, 128, 6, 6});
    expect_moves_what_cost_says(problem.forward(), device(), problem.shape.text());
    expect_moves_what_cost_says(problem.backward(), device(), problem.shape.text() + ", backward");
  });
}

INSTANTIATE_ON_ALL_DEVICES(AttentionFusion);

}  // namespace
}  // namespace preceptor::test
