// Class activation maps against what defines them: their mean over places is the logit without its bias.
#include <gtest/gtest.h>

#include <cmath>

#include "engine/files/check.h"
#include "models/class_maps.h"
#include "models/registry.h"

namespace preceptor {
namespace {

LoadedModel model_of(Context& context, const std::string& name, int size) {
  LoadedModel model;
  model.card.network = {.name = name, .in_channels = 1, .outputs = 3, .small_stem = true};
  model.card.task = Task::multi_label;
  model.card.height = model.card.width = size;
  model.card.mean = {0.5f};
  model.card.deviation = {0.25f};
  model.card.labels = {"a", "b", "c"};
  model.network = make_model(context, model.card.network);
  model.card.network = model.network->options();
  model.network->initialize(3);
  model.network->fold();
  return model;
}

std::vector<std::uint8_t> images(int count, int size) {
  std::vector<std::uint8_t> pixels;
  std::uint32_t seed = 7;
  for (int i = 0; i < count * size * size; ++i) {
    seed = seed * 1664525u + 1013904223u;
    pixels.push_back(static_cast<std::uint8_t>(seed >> 24));
  }
  return pixels;
}

class ClassMapsOf : public testing::TestWithParam<const char*> {};

TEST_P(ClassMapsOf, MeanOverPlacesIsTheLogitWithoutItsBias) {
  const auto context = Context::on_cpu(2, 0);
  const LoadedModel model = model_of(*context, GetParam(), 32);
  const std::vector<std::uint8_t> pixels = images(2, 32);
  const std::vector<float> logits = model.logits(pixels);
  const Features features = model.features(pixels, {"last"});
  const std::vector<float> last = features.taps.at("last").to_host();
  const Shape shape = features.taps.at("last").shape();
  const StateDict state = model.network->parameters().state();
  const std::string& head = model.network->head_name();
  const PlainTensor &weight = state.at(head + ".weight"), &bias = state.at(head + ".bias");
  const auto channels = static_cast<std::size_t>(shape[1]), places = static_cast<std::size_t>(shape[2] * shape[3]);
  const std::vector<ImageMaps> maps = ClassMaps(model)(pixels);
  ASSERT_EQ(maps.size(), 2u);
  for (std::size_t image = 0; image < 2; ++image)
    for (std::size_t output = 0; output < 3; ++output) {
      const PlaceMap& map = maps[image].classes[output];
      ASSERT_EQ(map.values.size(), places);
      EXPECT_EQ(maps[image].logits[output], logits[image * 3 + output]);
      double mean = 0, magnitude = 0;  // of all products, over places
      for (std::size_t place = 0; place < places; ++place) {
        double sum = 0, terms = 0;
        for (std::size_t channel = 0; channel < channels; ++channel) {
          const double product = static_cast<double>(weight.values[output * channels + channel]) *
                                 last[(image * channels + channel) * places + place];
          sum += product;
          terms += std::abs(product);
        }
        // A float sum of n products is off by at most n + 1 roundings of their magnitudes.
        EXPECT_NEAR(map.values[place], sum, static_cast<double>(channels + 1) * 0x1p-24 * terms);
        mean += sum / static_cast<double>(places);
        magnitude += terms / static_cast<double>(places);
      }
      // The network pools first: sums over places, then over channels, and the bias.
      const double bound =
          static_cast<double>(channels + places + 3) * 0x1p-24 * (magnitude + std::abs(bias.values[output]));
      EXPECT_NEAR(mean + bias.values[output], logits[image * 3 + output], bound) << GetParam();
      EXPECT_GT(std::abs(mean), bound) << "the bound would let a missing sum pass";
    }
  double squares = 0;
  for (std::size_t channel = 0; channel < channels; ++channel)
    squares += static_cast<double>(last[channel * places]) * last[channel * places];
  EXPECT_NEAR(maps[0].attention.values[0], squares / static_cast<double>(channels),
              static_cast<double>(channels + 2) * 0x1p-23 * squares / static_cast<double>(channels));
}

INSTANTIATE_TEST_SUITE_P(Networks, ClassMapsOf, testing::Values("resnet8", "densenet16", "cbr-tiny"));

TEST(ClassMaps, ShownIsThePositivePartFromZeroToOne) {
  EXPECT_EQ(shown({1, 4, {-3, 0, 1, 4}}).values, (std::vector<float>{0, 0, 0.25f, 1}));
  EXPECT_EQ(shown({1, 2, {-3, -1}}).values, (std::vector<float>{0, 0}));
}

// Centers of places keep their value: 2 places on 4 pixels stand at pixels 0.5 and 2.5.
TEST(ClassMaps, ResizedBetweenCenters) {
  EXPECT_EQ(resized(PlaceMap{1, 2, {0, 4}}, 1, 4).values, (std::vector<float>{0, 1, 3, 4}));
  EXPECT_EQ(resized(PlaceMap{2, 1, {0, 4}}, 4, 1).values, (std::vector<float>{0, 1, 3, 4}));
  EXPECT_EQ(resized(PlaceMap{1, 1, {5}}, 2, 2).values, (std::vector<float>{5, 5, 5, 5}));
  EXPECT_THROW(resized(PlaceMap{1, 1, {5}}, 0, 2), Error);
}

}  // namespace
}  // namespace preceptor
