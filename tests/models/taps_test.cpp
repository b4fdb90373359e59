// Taps of every architecture: what is listed can be read, has the shape that is foretold, and changes nothing.
#include "models/taps.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "models/registry.h"
#include "tests/models/statistics.h"

namespace preceptor {
namespace {

constexpr int images = 2, height = 32, width = 48;

class TapsTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    network = make_model(*context, {.name = GetParam(), .in_channels = 3, .outputs = 5});
    test::initialize_with_statistics(*network, 3);
    network->parameters().allocate_gradients();
    input = context->empty({images, 3, height, width}, Lifetime::persistent);
    std::vector<float> values(input.shape().elements());
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::sin(0.37f * static_cast<float>(i));
    input.from_host(values);
    for (const Tap& tap : network->taps(height, width)) names.push_back(tap.name);
  }
  // The logits of a forward pass; what was recorded is forgotten.
  std::vector<float> logits(Mode mode, const std::vector<std::string>& taps) {
    const std::vector<float> values = network->forward(input, mode, taps).logits.to_host();
    context->tape().clear();
    return values;
  }

  std::unique_ptr<Context> context = Context::on_cpu(2, 0);
  std::unique_ptr<Network> network;
  Tensor input;
  std::vector<std::string> names;
};

TEST_P(TapsTest, HaveTheShapesThatAreForetold) {
  for (const Mode mode : {Mode::train, Mode::inference}) {
    const Features features = network->forward(input, mode, names);
    context->tape().clear();
    ASSERT_EQ(features.taps.size(), names.size());
    for (const Tap& tap : network->taps(height, width)) {
      std::vector<int> expected = {images};
      expected.insert(expected.end(), tap.shape.sizes().begin(), tap.shape.sizes().end());
      EXPECT_EQ(features.taps.at(tap.name).shape(), Shape(expected)) << tap.name;
    }
  }
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size()) << "a name is there twice";
  EXPECT_EQ(context->pool(Lifetime::step).live(), 0u) << "a tap outlives the features";
}

TEST_P(TapsTest, ChangeNoBitOfTheLogits) {
  for (const Mode mode : {Mode::train, Mode::inference}) {
    const std::vector<float> untapped = logits(mode, {});
    EXPECT_EQ(logits(mode, names), untapped) << "all at once";
    for (const Tap& tap : network->taps(height, width)) {
      if (!tap.before_relu && !tap.ends_stage) continue;
      EXPECT_EQ(logits(mode, {tap.name}), untapped) << tap.name;
    }
  }
}

TEST_P(TapsTest, HoldWhatTheirNamesSay) {
  const Features features = network->forward(input, Mode::inference, names);
  const std::vector<float> last = features.taps.at("last").to_host(), pooled = features.taps.at("avgpool").to_host();
  const std::size_t plane = last.size() / pooled.size();
  for (std::size_t i = 0; i < pooled.size(); ++i) {
    double sum = 0;
    for (std::size_t j = 0; j < plane; ++j) sum += static_cast<double>(last[i * plane + j]);
    EXPECT_NEAR(static_cast<double>(pooled[i]), sum / static_cast<double>(plane), 1e-5);
  }
  const auto positive = [](std::vector<float> values) {
    for (float& value : values) value = std::max(value, 0.0f);
    return values;
  };
  // Stages of residual and plain networks end with a ReLU, and can be tapped on both sides of it.
  std::vector<std::string> ends, before;
  for (const Tap& tap : network->taps(height, width)) {
    if (tap.ends_stage) ends.push_back(tap.name);
    if (tap.before_relu) before.push_back(tap.name);
  }
  ASSERT_EQ(ends.size(), before.size());
  for (std::size_t i = 0; i < ends.size(); ++i) {
    if (ends[i] == before[i]) continue;  // DenseNet's, which the next layer normalizes first
    EXPECT_EQ(features.taps.at(ends[i]).to_host(), positive(features.taps.at(before[i]).to_host())) << ends[i];
  }
}

TEST_P(TapsTest, RefuseAWrongNameWithTheRightOnes) {
  try {
    network->forward(input, Mode::inference, {"last", "layer9"});
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    const std::string text = error.what();
    EXPECT_NE(text.find(GetParam() + " has no tap layer9; it has "), std::string::npos) << text;
    EXPECT_NE(text.find(names.front()), std::string::npos) << text;
    EXPECT_NE(text.find("last, avgpool"), std::string::npos) << text;
    EXPECT_LT(text.size(), 500u) << text;
  }
}

std::string parameter_name(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}
INSTANTIATE_TEST_SUITE_P(Models, TapsTest, testing::Values("resnet8", "resnet50", "densenet16", "cbr-tiny"),
                         parameter_name);

TEST(Taps, OfDenseNetAreFoundWithoutTheirPrefix) {
  const auto context = Context::on_cpu(1, 0);
  const auto network = make_model(*context, {.name = "densenet121", .in_channels = 3, .outputs = 5});
  // The hint of the experiment code that docs/methods.md names.
  EXPECT_EQ(network->tap("denseblock4.denselayer16.conv2", 64, 64).shape, (Shape{32, 2, 2}));
  EXPECT_EQ(network->tap("features.denseblock4", 64, 64).shape, (Shape{1024, 2, 2}));
}

}  // namespace
}  // namespace preceptor
