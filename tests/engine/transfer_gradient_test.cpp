// The gradients of the ops that transfer methods are made of, against central differences; each is computed in double
// or is a sum of products, and rounded once.
#include <cstring>

#include "tests/engine/gradient_check.h"

namespace preceptor {
namespace {

using test::GradientCheck;
using test::grid_values;
using Inputs = std::vector<Tensor>;

void report(const std::string& what, double ratio) {
  std::printf("%s: largest error is %.2g of what is allowed\n", what.c_str(), ratio);
}

// Blocks of 8 and 1 channels.
class TransferOpGradient : public testing::TestWithParam<int> {
 protected:
  Shape maps{2, GetParam(), 3, 4};
};
INSTANTIATE_TEST_SUITE_P(Channels, TransferOpGradient, testing::Values(8, 3));

// Every value of a group of unit length is at most 1.
TEST_P(TransferOpGradient, L2NormalizeMaps) {
  GradientCheck check(31);
  check.add_input(maps);
  check.make_weights(maps);
  for (bool center : {false, true}) {
    const auto forward = [&](const Inputs& in) { return l2_normalize_maps(in[0], {.center = center, .scale = 2}); };
    report("normalize_maps", check.run(forward, 2.0 * static_cast<double>(maps.elements()), 1, 0x1p-6));
  }
}

TEST_P(TransferOpGradient, GramMatrix) {
  GradientCheck check(32);
  const Shape other{maps[0], 5, maps[2], maps[3]};
  check.add_input(maps);
  check.add_input(other);
  check.make_weights({maps[0], maps[1] * other[1]});
  const auto forward = [&](const Inputs& in) { return gram_matrix(in[0], in[1], 0.5f); };
  report("map_products", check.run(forward, check.multilinear_magnitude(forward), 12, 0.25));
}

TEST_P(TransferOpGradient, RowsOfMaps) {
  GradientCheck check(33);
  check.add_input(maps);
  check.make_weights({maps[0], maps[0]});
  const auto forward = [&](const Inputs& in) {
    const Tensor rows = as_rows(in[0]);
    return matmul_nt(rows, rows);
  };
  report("as_rows, product", check.run(forward, check.multilinear_magnitude(forward), 96, 0x1p-4));
}

TEST_P(TransferOpGradient, ResizedMaps) {
  for (ResizeRule rule : {ResizeRule::linear, ResizeRule::nearest, ResizeRule::mean}) {
    GradientCheck check(37);
    check.add_input(maps);
    check.make_weights({maps[0], maps[1], 2, 6});
    const Resizer resizer(check.context(), maps[2], maps[3], 2, 6, rule);
    const auto forward = [&](const Inputs& in) { return resizer(in[0]); };
    report("resize", check.run(forward, check.multilinear_magnitude(forward), 12, 0.25));
  }
}

TEST_P(TransferOpGradient, LeakyRelu) {
  GradientCheck check(38);
  // Values of the grid are multiples of a power of two; none within a step of 0.
  std::vector<float> values = grid_values(maps.elements(), 381);
  for (float& value : values) value += value < 0 ? -0.5f : 0.5f;
  check.add_input(maps, values);
  check.make_weights(maps);
  const auto forward = [&](const Inputs& in) { return leaky_relu(in[0], 0.125f); };
  report("leaky_relu", check.run(forward, check.multilinear_magnitude(forward), 1, 0.25));
}

TEST_P(TransferOpGradient, AttentionFusion) {
  GradientCheck check(39);
  check.add_input(maps);
  check.add_input(maps);
  check.add_input({maps[0], 2, maps[2], maps[3]});
  check.make_weights(maps);
  const auto forward = [&](const Inputs& in) { return attention_fusion(in[0], in[1], in[2]); };
  // Two terms of a sum are at most 1 each.
  report("attention_fusion", check.run(forward, 2.0 * static_cast<double>(maps.elements()), 2 * maps[1], 0x1p-6));
}

TEST_P(TransferOpGradient, PooledFeaturesAsMaps) {
  GradientCheck check(40);
  check.add_input({3, maps[1]});
  const auto forward = [&](const Inputs& in) {
    return pointwise_loss(PointwiseLossKind::square, as_map(in[0]), Tensor(), 1);
  };
  report("as_map", check.run(forward, 3.0 * maps[1], 3 * maps[1], 0x1p-4));
}

TEST_P(TransferOpGradient, L2NormLoss) {
  GradientCheck check(34);
  check.add_input(maps);
  const Tensor teacher = check.constant(maps, grid_values(maps.elements(), 341));
  const auto forward = [&](const Inputs& in) { return l2_norm_loss(in[0], teacher, 1); };
  // The norm of at most 2 in every element.
  report("l2_norm_loss", check.run(forward, 2 * std::sqrt(static_cast<double>(maps.elements())), 12, 0x1p-4));
}

TEST_P(TransferOpGradient, GaussianLikelihood) {
  GradientCheck check(35);
  check.add_input(maps);
  const Parameter raw = check.add_parameter("raw", {maps[1]}, ParameterKind::plain);
  const Tensor target = check.constant(maps, grid_values(maps.elements(), 351));
  const auto forward = [&](const Inputs& in) { return gaussian_likelihood(in[0], target, raw, 1); };
  // v is from log(1 + 1/e) = 0.31 to 1.32: (2^2 / 0.31 + 1.2) / 2 at most.
  report("gaussian_likelihood", check.run(forward, 7.1, 1, 0x1p-6));
}

class TransferMatrixGradient : public testing::Test {
 protected:
  static constexpr int rows = 5, columns = 7;
  const Shape shape{rows, columns};
  GradientCheck check{36};
  void SetUp() override { check.add_input(shape, grid_values(shape.elements(), 361, 2)); }
};

TEST_F(TransferMatrixGradient, L2NormalizeRowsAndColumns) {
  check.make_weights(shape);
  for (bool by_rows : {true, false}) {
    const auto forward = [&](const Inputs& in) {
      return by_rows ? l2_normalize_rows(in[0], {.center = true}) : l2_normalize_columns(in[0]);
    };
    report("normalize", check.run(forward, rows * columns, 1, 0x1p-5));
  }
}

TEST_F(TransferMatrixGradient, TemperatureSoftmax) {
  check.make_weights(shape);
  for (bool independent : {true, false}) {
    const auto forward = [&](const Inputs& in) { return temperature_softmax(in[0], 0.5f, independent); };
    report("probabilities", check.run(forward, rows * columns, 1, 0x1p-6));
  }
}

TEST_F(TransferMatrixGradient, DecoupledKl) {
  const Tensor teacher = check.constant(shape, grid_values(shape.elements(), 371, 2));
  const Tensor labels = check.constant({rows}, {0, 6, NAN, 3, 3});
  const auto forward = [&](const Inputs& in) { return decoupled_kl(in[0], teacher, labels, 2, 1, 3, 0.75f); };
  // Each divergence is at most twice the largest difference of logits, 4, by T.
  report("decoupled_kl", check.run(forward, 0.75 * 2 * 8 * (1 + 3), 1, 0x1p-5));
}

TEST_F(TransferMatrixGradient, NceWithABank) {
  Parameters banks(check.context());
  const Parameter bank = banks.add("bank", {9, columns}, ParameterKind::buffer),
                  constant = banks.add("constant", {1}, ParameterKind::buffer);
  StateDict state = banks.state();
  state.at("bank").values = grid_values(9 * columns, 391);
  state.at("constant").values = {30};
  banks.load(state);
  const auto whole = [&](const std::vector<int>& values) {
    std::vector<float> bits(values.size());
    std::memcpy(bits.data(), values.data(), values.size() * sizeof(int));
    return check.constant({static_cast<int>(values.size())}, bits);
  };
  const NegativeSource source{whole({0, 1, 2, 3, 4, 5, 6, 7, 8}), whole({0, 1, 2, 3, 4, 5, 6, 7, 8}),
                              whole({1, 1, 1, 1, 1, 1, 1, 1, 1})};
  const Tensor positions = whole({0, 8, 3, 3, 5});
  const auto* at = static_cast<const std::int32_t*>(static_cast<const void*>(positions.data()));
  const auto forward = [&](const Inputs& in) {
    return nce_loss(in[0], bank, draw_candidates(check.context(), at, rows, source, 6), constant, 2, 4);
  };
  // A candidate's loss is at most a score of 7 and the logarithms of the constant and of the noise.
  report("contrast_loss", check.run(forward, 4.0 * 7 * (7 + 4 + 1), 7 * columns, 0x1p-4));
}

TEST_F(TransferMatrixGradient, RelationsOfRows) {
  const Tensor other = check.constant(shape, grid_values(shape.elements(), 381, 2));
  for (Relation relation : {Relation::distances, Relation::angles}) {
    const auto forward = [&](const Inputs& in) {
      return relational_loss(relation, squared_distances(in[0]), squared_distances(other), 4);
    };
    // Huber's loss of a difference of at most 2 of cosines, or of distances by their mean.
    report("relation_loss", check.run(forward, 4 * 2, 4, 0x1p-6));
  }
}

}  // namespace
}  // namespace preceptor
