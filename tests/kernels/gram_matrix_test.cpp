// Products of maps against their reference on every device: any channels and layouts, both derivatives.
#include "kernels/gram_matrix/gram_matrix.h"

#include <gtest/gtest.h>

#include "kernels/gram_matrix/reference.h"
#include "tests/kernels/losses.h"
#include "tests/support/feature_maps.h"
#include "tests/support/gradient_check.h"

namespace preceptor::test {
namespace {

using kernels::reference::ProductSizes;

TEST(GramMatrixReference, GradientsMatchFiniteDifferences) {
  Random random("map products gradient");
  const ProductSizes s{2, 2, 3, 4};
  const auto x = to_double(random.values(16)), y = to_double(random.values(24)), d = to_double(random.values(12));
  check_gradient(x, kernels::reference::gram_matrix_backward(s, y, d, 0.5, false),
                 [&](const auto& at) { return dot(d, kernels::reference::gram_matrix(s, at, y, 0.5)); });
  check_gradient(y, kernels::reference::gram_matrix_backward(s, x, d, 0.5, true),
                 [&](const auto& at) { return dot(d, kernels::reference::gram_matrix(s, x, at, 0.5)); });
}

template <class T>
struct Problem {
  kernels::Device device;
  ProductSizes s;
  MapShape x_shape, y_shape;
  DeviceMap<T> x, y, d_x, d_y;
  std::vector<float> d_products;
  float scale = 0.25f;

  static MapLayout layout(const kernels::Device& device, int channels) {
    return device.kind == kernels::DeviceKind::cpu ? channel_blocked(channels, channels % 8 == 0 ? 8 : 1, false)
                                                   : channels_last(channels);
  }
  Problem(Random& random, const kernels::Device& on, int images, int x_channels, int y_channels, int height, int width)
      : device(on),
        s{images, x_channels, y_channels, height * width},
        x_shape{images, x_channels, height, width},
        y_shape{images, y_channels, height, width},
        x(on, x_shape, layout(on, x_channels)),
        y(on, y_shape, layout(on, y_channels)),
        d_x(on, x_shape, layout(on, x_channels)),
        d_y(on, y_shape, layout(on, y_channels)),
        d_products(random.values(static_cast<std::size_t>(images) * x_channels * y_channels)) {
    x.set(random.values(x_shape.elements()));
    y.set(random.values(y_shape.elements()));
  }
  // Results of all three launches.
  struct Result {
    std::vector<float> products;
    std::vector<T> d_x, d_y;
  };
  Result run(const kernels::Device& on) const {
    const DeviceBuffer<float> products(on, std::vector<float>(d_products.size(), unknown)), d(on, d_products);
    execute_on(kernels::GramMatrix<T>{x.map(), y.map(), products.data(), scale}, on);
    execute_on(kernels::GramMatrixBackward<T>{y.map(), d.data(), d_x.map(), scale, false}, on);
    execute_on(kernels::GramMatrixBackward<T>{x.map(), d.data(), d_y.map(), scale, true}, on);
    return {products.host(), d_x.memory(), d_y.memory()};
  }
};

class GramMatrix : public DeviceTest {};

// A sum of products, each rounded, and the scale.
TEST_P(GramMatrix, MatchTheReference) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("map products");
    const std::string label = "map products, " + name_of(device().kind) + ", " + name_of_storage<T>();
    Comparison values(label), gradients(label + ", gradients");
    for (const auto& [images, x_channels, y_channels, height, width] :
         {std::tuple{2, 8, 16, 5, 7}, {1, 1, 3, 1, 1}, {3, 33, 5, 4, 4}, {2, 130, 70, 3, 3}, {1, 16, 16, 13, 13}}) {
      Problem<T> problem(random, device(), images, x_channels, y_channels, height, width);
      const auto result = problem.run(device());
      const auto x = problem.x.plain(), y = problem.y.plain(), d = to_double(problem.d_products);
      const auto absolute = [](std::vector<double> all) {
        for (double& value : all) value = std::abs(value);
        return all;
      };
      using kernels::reference::gram_matrix;
      using kernels::reference::gram_matrix_backward;
      const auto expected = gram_matrix(problem.s, x, y, 0.25),
                 sizes = gram_matrix(problem.s, absolute(x), absolute(y), 0.25);
      for (std::size_t i = 0; i < expected.size(); ++i)
        values.check(static_cast<double>(result.products[i]), expected[i], allowed(problem.s.plane, sizes[i]), i);
      for (bool transposed : {false, true}) {
        const auto& other = transposed ? x : y;
        const auto found = transposed ? problem.d_y.plain() : problem.d_x.plain();
        const auto gradient = gram_matrix_backward(problem.s, other, d, 0.25, transposed);
        const auto of_size = gram_matrix_backward(problem.s, absolute(other), absolute(d), 0.25, transposed);
        const double terms = transposed ? x_channels : y_channels;
        for (std::size_t i = 0; i < gradient.size(); ++i)
          gradients.check(found[i], gradient[i], with_storage<T>(allowed(terms, of_size[i]), gradient[i]), i);
      }
      EXPECT_TRUE(problem.d_x.neighbors_untouched() && problem.d_y.neighbors_untouched());
    }
  });
}

TEST_P(GramMatrix, TheSameBitsInAnyOrder) {
  for_storage_types(device(), [&](auto type) {
    Random random("map products bits");
    const Problem<decltype(type)> problem(random, device(), 2, 24, 72, 5, 5);
    const auto first = problem.run(device());
    for (const kernels::Device& variant : five_variants(device())) {
      const auto result = problem.run(variant);
      EXPECT_TRUE(same_bits(result.products, first.products));
      EXPECT_TRUE(same_bits(result.d_x, first.d_x) && same_bits(result.d_y, first.d_y));
    }
  });
}

INSTANTIATE_ON_ALL_DEVICES(GramMatrix);

}  // namespace
}  // namespace preceptor::test
