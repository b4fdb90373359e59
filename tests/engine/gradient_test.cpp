// The gradient of every op against central differences, for every input and parameter and every channel block.
#include "tests/engine/gradient_check.h"

namespace preceptor {
namespace {

using test::GradientCheck;
using test::grid_values;
using Inputs = std::vector<Tensor>;

constexpr int images = 2, height = 6, width = 5;

// Prints the ratio that a passing test owes its reader.
void report(const std::string& what, double ratio) {
  std::printf("%s: largest error is %.2g of what is allowed\n", what.c_str(), ratio);
}

// Keeps `distance` from zero, where ReLU has its kink.
std::vector<float> away_from_zero(std::size_t count, unsigned seed, float distance) {
  std::vector<float> values = grid_values(count, seed);
  for (float& value : values) value += value < 0 ? -distance : distance;
  return values;
}

// Blocks of 16, 8 and 1 channels (3 is a multiple of no block).
class OpGradient : public testing::TestWithParam<int> {
 protected:
  int channels = GetParam();
  Shape shape{images, channels, height, width};
};
INSTANTIATE_TEST_SUITE_P(Channels, OpGradient, testing::Values(16, 8, 3, 1));

TEST_P(OpGradient, Convolution) {
  struct Geometry {
    int out, kernel_height, kernel_width, stride, padding;
  };
  double worst = 0;
  for (const Geometry& g : {Geometry{16, 3, 3, 1, 1}, Geometry{8, 3, 3, 2, 1}, Geometry{5, 1, 1, 2, 0},
                            Geometry{16, 1, 1, 1, 0}, Geometry{8, 3, 2, 1, 0}})
    for (bool with_bias : {false, true}) {
      SCOPED_TRACE(message(g.out, " channels, kernel ", g.kernel_height, "x", g.kernel_width, ", stride ", g.stride,
                           with_bias ? ", bias" : ""));
      GradientCheck check(1);
      check.add_input(shape);
      const Parameter weight =
          check.add_parameter("weight", {g.out, channels, g.kernel_height, g.kernel_width}, ParameterKind::convolution);
      const Parameter bias = check.add_parameter("bias", {g.out}, ParameterKind::plain);
      const auto forward = [&](const Inputs& inputs) {
        return convolution(inputs[0], weight, with_bias ? &bias : nullptr, {g.stride, g.padding});
      };
      if (!with_bias) check.parameters().freeze("bias");
      const int out_height = (height + 2 * g.padding - g.kernel_height) / g.stride + 1;
      const int out_width = (width + 2 * g.padding - g.kernel_width) / g.stride + 1;
      check.make_weights({images, g.out, out_height, out_width});
      const double terms = std::max(channels * g.kernel_height * g.kernel_width, images * out_height * out_width);
      worst = std::max(worst, check.run(forward, check.multilinear_magnitude(forward), terms, 0.25));
    }
  report("convolution", worst);
}

TEST_P(OpGradient, Linear) {
  GradientCheck check(2);
  check.add_input({5, channels});
  const Parameter weight = check.add_parameter("weight", {7, channels}, ParameterKind::plain);
  const Parameter bias = check.add_parameter("bias", {7}, ParameterKind::plain);
  const auto forward = [&](const Inputs& inputs) { return linear(inputs[0], weight, bias); };
  check.make_weights({5, 7});
  report("linear", check.run(forward, check.multilinear_magnitude(forward), channels + 1, 0.25));
}

TEST_P(OpGradient, BatchNorm) {
  double worst = 0;
  for (int form = 0; form < 16; ++form) {
    const bool with_relu = form & 1, with_residual = form & 2, gamma_frozen = form & 4, beta_frozen = form & 8;
    SCOPED_TRACE(message(with_relu ? "relu " : "", with_residual ? "residual " : "",
                         gamma_frozen ? "gamma frozen " : "", beta_frozen ? "beta frozen" : ""));
    GradientCheck check(3);
    // Away from zero by enough that no value after gamma and beta changes its sign: gamma is in [0.75, 1.25] and
    // beta in [-1/8, 1/8], a normalized x at least 0.5 in magnitude, and a residual at least 3.
    check.add_input(shape, away_from_zero(shape.elements(), 31, 1));
    if (with_residual) check.add_input(shape, away_from_zero(shape.elements(), 32, 3));
    BatchNormParameters p;
    p.gamma = check.add_parameter("gamma", {channels}, ParameterKind::plain, 1, 0.25f);
    p.beta = check.add_parameter("beta", {channels}, ParameterKind::plain, 0, 0.125f);
    p.running_mean = check.add_parameter("running_mean", {channels}, ParameterKind::buffer);
    p.running_variance = check.add_parameter("running_variance", {channels}, ParameterKind::buffer, 1.5f);
    if (gamma_frozen) check.parameters().freeze("gamma");
    if (beta_frozen) check.parameters().freeze("beta");
    check.make_weights(shape);
    // y = gamma (x - mean) / deviation + beta + residual; the terms of the mean are as large as |x| on average.
    const std::vector<float> x = check.input(0);
    const std::vector<float> residual = with_residual ? check.input(1) : std::vector<float>(x.size());
    double magnitude = 0;
    for (int c = 0; c < channels; ++c) {
      constexpr std::size_t plane = height * width;
      double sum = 0, absolute = 0, square = 0;
      const auto for_channel = [&](const auto& visit) {
        for (std::size_t n = 0; n < images; ++n)
          for (std::size_t i = 0; i < plane; ++i)
            visit((n * static_cast<std::size_t>(channels) + static_cast<std::size_t>(c)) * plane + i);
      };
      for_channel([&](std::size_t i) {
        const double value = static_cast<double>(x[i]);
        sum += value;
        absolute += std::abs(value);
        square += value * value;
      });
      constexpr double count = images * plane;
      const double deviation = std::sqrt(square / count - sum / count * (sum / count) + 1e-5);
      for_channel([&](std::size_t i) {
        magnitude += std::abs(check.weight(i)) *
                     (1.25 * 2 * (std::abs(static_cast<double>(x[i])) + absolute / count) / deviation + 0.125 +
                      std::abs(static_cast<double>(residual[i])));
      });
    }
    const auto forward = [&](const Inputs& inputs) {
      return batch_norm(inputs[0], p, true, with_relu, with_residual ? inputs[1] : Tensor());
    };
    worst = std::max(worst, check.run(forward, magnitude, images * height * width, 0x1p-4));
  }
  report("batch_norm", worst);
}

// An op of one map whose results are not sums: comparisons and sums of two.
double check_map_op(const Shape& in, const Shape& out, const std::vector<float>& values, double terms,
                    const GradientCheck::Forward& forward) {
  GradientCheck check(4);
  check.add_input(in, values);
  check.make_weights(out);
  return check.run(forward, check.multilinear_magnitude(forward), terms, 0x1p-5);
}

TEST_P(OpGradient, Relu) {
  const auto forward = [](const Inputs& inputs) { return relu(inputs[0]); };
  report("relu", check_map_op(shape, shape, away_from_zero(shape.elements(), 41, 0.125f), 1, forward));
}

TEST_P(OpGradient, Add) {
  GradientCheck check(5);
  check.add_input(shape);
  check.add_input(shape);
  const auto forward = [](const Inputs& inputs) { return add(add(inputs[0], inputs[1]), inputs[0]); };
  check.make_weights(shape);
  report("add", check.run(forward, check.multilinear_magnitude(forward), 3, 0.25));
}

// The step does not move between the two points of a difference, so the same values fall.
TEST_P(OpGradient, Dropout) {
  double worst = 0;
  for (const float probability : {0.0f, 0.4f}) {
    GradientCheck check(5);
    check.add_input(shape);
    check.make_weights(shape);
    const auto forward = [&](const Inputs& inputs) {
      return dropout_into(inputs[0], probability, 3, check.context().empty(shape));
    };
    worst = std::max(worst, check.run(forward, check.multilinear_magnitude(forward), 1, 0x1p-5));
  }
  report("dropout", worst);
}

// Pieces that an op made and that were copied, joined and used twice: as a part and in the whole.
TEST_P(OpGradient, JoinedChannels) {
  GradientCheck check(51);
  check.add_input(shape);
  check.add_input(shape);
  const Parameter weight = check.add_parameter("weight", {channels, channels, 3, 3}, ParameterKind::convolution);
  const auto forward = [&](const Inputs& inputs) {
    const Tensor whole = check.context().empty({images, 3 * channels, height, width});
    const Tensor first = copy_into(inputs[0], whole.channels(0, channels));
    const Tensor second = copy_into(convolution(first, weight, nullptr, {1, 1}), whole.channels(channels, channels));
    const Tensor third = copy_into(inputs[1], whole.channels(2 * channels, channels));
    const Tensor joined = join_channels(join_channels(first, second), third);
    return add(joined, joined);
  };
  check.make_weights({images, 3 * channels, height, width});
  report("joined channels", check.run(forward, check.multilinear_magnitude(forward), 9 * channels, 0.25));
}

TEST_P(OpGradient, MaxPool) {
  // Values of a plane are 1/4 apart and the step is 1/32, so that no maximum changes its place.
  std::vector<float> values(shape.elements());
  std::mt19937 generator(6);
  for (std::size_t plane = 0; plane < values.size(); plane += height * width) {
    for (std::size_t i = 0; i < height * width; ++i) values[plane + i] = 0.25f * (static_cast<float>(i) + 1);
    std::shuffle(values.begin() + static_cast<std::ptrdiff_t>(plane),
                 values.begin() + static_cast<std::ptrdiff_t>(plane) + height * width, generator);
  }
  const auto overlapping = [](const Inputs& inputs) { return max_pool(inputs[0], 3, 2, 1); };
  const auto apart = [](const Inputs& inputs) { return max_pool(inputs[0], 2, 2, 0); };
  report("max_pool", std::max(check_map_op(shape, {images, channels, 3, 3}, values, 1, overlapping),
                              check_map_op(shape, {images, channels, 3, 2}, values, 1, apart)));
}

TEST_P(OpGradient, AveragePool) {
  double worst = 0;
  for (bool count_padding : {true, false}) {
    const auto forward = [&](const Inputs& inputs) { return average_pool(inputs[0], 3, 2, 1, count_padding); };
    worst =
        std::max(worst, check_map_op(shape, {images, channels, 3, 3}, grid_values(shape.elements(), 71), 9, forward));
  }
  report("average_pool", worst);
}

TEST_P(OpGradient, GlobalAveragePool) {
  const auto forward = [](const Inputs& inputs) { return global_average_pool(inputs[0]); };
  report("global_average_pool",
         check_map_op(shape, {images, channels}, grid_values(shape.elements(), 81), height * width, forward));
}

TEST_P(OpGradient, AttentionTransfer) {
  GradientCheck check(9);
  check.add_input(shape, grid_values(shape.elements(), 91));
  const Shape wider{images, 24, height, width};
  const Tensor teacher = check.constant(wider, grid_values(wider.elements(), 92));
  const auto forward = [&](const Inputs& inputs) { return attention_transfer(inputs[0], teacher, 50); };
  // The attentions have norm 1, so the sum over positions of (|a| + |b|)^2 is at most 4.
  report("attention_transfer", check.run(forward, 50.0 * 4 / (height * width), 24, 0x1p-6));
}

class LossGradient : public testing::Test {
 protected:
  static constexpr int rows = 6, classes = 9;
  const Shape shape{rows, classes};
  GradientCheck check{10};
  // In [-2, 2], the student's logits.
  void SetUp() override { check.add_input(shape, grid_values(shape.elements(), 101, 2)); }
  // A logit z changes a term by at most |z|, and without logits a term is at most log(classes).
  static constexpr double term = 2 * 2 + 2.2;
};

TEST_F(LossGradient, SoftmaxCrossEntropyWithUnknownLabels) {
  const Tensor labels = check.constant({rows}, {0, 8, NAN, 3, 3, NAN});
  const auto forward = [&](const Inputs& inputs) { return softmax_cross_entropy(inputs[0], labels, 0.75f); };
  report("softmax_cross_entropy", check.run(forward, 0.75 * term, classes, 0x1p-5));
}

TEST_F(LossGradient, SoftmaxCrossEntropyOfSharesOfRows) {
  const Tensor labels = check.constant({rows}, {0, 8, NAN, 3, 3, 1});
  const Tensor shares = check.constant({rows}, {0.75f, 0.5f, 1, 0.625f, 0, 1});
  const auto forward = [&](const Inputs& inputs) { return softmax_cross_entropy(inputs[0], labels, 0.75f, shares); };
  report("softmax_cross_entropy of shares", check.run(forward, 0.75 * term, classes, 0x1p-5));
  EXPECT_THROW(softmax_cross_entropy(check.constant(shape, std::vector<float>(shape.elements())), labels, 1,
                                     check.constant({rows - 1}, std::vector<float>(rows - 1))),
               Error);
}

TEST_F(LossGradient, BinaryCrossEntropyWithUnknownTargets) {
  std::vector<float> targets(shape.elements());
  for (std::size_t i = 0; i < targets.size(); ++i) targets[i] = i % 4 == 1 ? NAN : i % 3 ? 0.0f : 1.0f;
  const Tensor known = check.constant(shape, targets);
  const auto forward = [&](const Inputs& inputs) { return binary_cross_entropy(inputs[0], known, 0.75f); };
  report("binary_cross_entropy", check.run(forward, 0.75 * term, 1, 0x1p-5));
}

TEST_F(LossGradient, SoftenedKl) {
  const Tensor teacher = check.constant(shape, grid_values(shape.elements(), 111, 2));
  for (float temperature : {1.0f, 4.0f}) {
    SCOPED_TRACE(temperature);
    const auto forward = [&](const Inputs& inputs) { return softened_kl(inputs[0], teacher, temperature, 0.75f); };
    // Computed in double, so only the results are rounded; T^2 KL is at most T^2 times twice the largest logit divided
    // by T.
    report("softened_kl", check.run(forward, 0.75 * static_cast<double>(temperature) * 4, 1, 0x1p-5));
  }
}

TEST_F(LossGradient, SoftenedBinaryKlWithUnknownTargets) {
  const Tensor teacher = check.constant(shape, grid_values(shape.elements(), 121, 2));
  std::vector<float> targets(shape.elements());
  for (std::size_t i = 0; i < targets.size(); ++i) targets[i] = i % 4 == 1 ? NAN : 0.0f;
  const Tensor known = check.constant(shape, targets);
  for (bool masked : {true, false}) {
    SCOPED_TRACE(masked);
    const auto forward = [&](const Inputs& inputs) {
      return softened_binary_kl(inputs[0], teacher, masked ? known : Tensor(), 4, 0.75f);
    };
    report("softened_binary_kl", check.run(forward, 0.75 * 4 * 4, 1, 0x1p-5));
  }
}

TEST(FrozenConvolution, PassesTheGradientThrough) {
  GradientCheck check(13);
  check.add_input({images, 8, height, width});
  const Parameter weight = check.add_parameter("weight", {16, 8, 3, 3}, ParameterKind::convolution);
  check.parameters().freeze("weight");
  const auto forward = [&](const Inputs& inputs) { return convolution(inputs[0], weight, nullptr, {1, 1}); };
  check.make_weights({images, 16, height, width});
  report("frozen convolution", check.run(forward, check.multilinear_magnitude(forward), 8 * 9, 0.25));
  EXPECT_TRUE(check.parameters().gradients().empty());
}

}  // namespace
}  // namespace preceptor
