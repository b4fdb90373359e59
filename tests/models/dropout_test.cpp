// Dropout in dense networks: in training only, anew in every step, the same for the same seed.
#include <gtest/gtest.h>

#include "models/registry.h"

namespace preceptor {
namespace {

constexpr int images = 2, size = 16;

class DropoutTest : public testing::Test {
 protected:
  // Logits of a fresh network on fixed images after `step` steps.
  static std::vector<float> logits(float dropout, Mode mode, std::int64_t step, std::uint64_t seed = 1, int first = 0) {
    const auto context = Context::on_cpu(2, seed);
    const auto network = make_model(
        *context, {.name = "densenet16", .in_channels = 1, .outputs = 4, .dropout = dropout, .first_dropout = first});
    network->initialize(1);
    network->fold();
    context->write_step_state({.learning_rate = 0, .step = step, .seed = seed});
    const Tensor input = context->empty({images, 1, size, size}, Lifetime::persistent);
    std::vector<float> pixels(input.shape().elements());
    for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<float>(i * 37 % 101) / 50 - 1;
    input.from_host(pixels);
    const std::vector<float> result = network->forward(input, mode).logits.to_host();
    context->tape().clear();
    return result;
  }
};

TEST_F(DropoutTest, InferenceKnowsNothingOfIt) {
  EXPECT_EQ(logits(0.5f, Mode::inference, 0), logits(0, Mode::inference, 0));
}

TEST_F(DropoutTest, TrainingDropsAnewInEveryStep) {
  const auto first = logits(0.5f, Mode::train, 0);
  EXPECT_EQ(first, logits(0.5f, Mode::train, 0));
  EXPECT_NE(first, logits(0.5f, Mode::train, 1));
  EXPECT_NE(first, logits(0.5f, Mode::train, 0, 2));
  EXPECT_NE(first, logits(0, Mode::train, 0));
  EXPECT_NE(first, logits(0.5f, Mode::train, 0, 1, 1024)) << "of a network that learns beside it";
}

TEST_F(DropoutTest, OtherNetworksRefuseIt) {
  const auto context = Context::on_cpu(1, 1);
  try {
    make_model(*context, {.name = "resnet8", .dropout = 0.5f});
    FAIL() << "dropout was accepted";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "resnet8 has no dropout; dense networks have");
  }
}

}  // namespace
}  // namespace preceptor
