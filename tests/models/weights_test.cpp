// Weights from elsewhere fitted to our networks: names, shapes, and what is refused.
#include "models/weights.h"

#include <gtest/gtest.h>

#include <cmath>

#include "models/registry.h"
#include "tests/engine/support.h"
#include "tests/support/torch_writer.h"

namespace preceptor {
namespace {

using test::bits;
using test::expect_error;

class WeightsTest : public testing::Test {
 protected:
  std::unique_ptr<Network> make(const std::string& name, int channels = 3, int outputs = 4, std::uint64_t seed = 1) {
    auto network = make_model(*context, {.name = name, .in_channels = channels, .outputs = outputs});
    network->initialize(seed);
    return network;
  }
  static NamedWeights file_of(StateDict tensors) {
    return with_torchvision_names({"w.pth", "PyTorch zip archive", "", {std::move(tensors), {}, {}}});
  }
  static StateDict with_prefix(const std::string& prefix, const StateDict& state) {
    StateDict renamed;
    for (const auto& [name, tensor] : state) renamed[prefix + name] = tensor;
    return renamed;
  }
  static void expect_same(const StateDict& a, const StateDict& b) {
    ASSERT_EQ(a.size(), b.size());
    for (const auto& [name, tensor] : a) {
      EXPECT_EQ(tensor.shape, b.at(name).shape) << name;
      EXPECT_EQ(bits(tensor.values), bits(b.at(name).values)) << name;
    }
  }

  std::unique_ptr<Context> context = Context::on_cpu(2, 0);
};

// densenet121 and resnet50 in one file each way: what torch wrote is what our checkpoint holds, bit for bit.
TEST_F(WeightsTest, EveryNetworkIsRecognizedAndRoundTripsBitForBit) {
  const test::TemporaryFolder folder;
  for (const std::string& name : model_names()) {
    if (name == "resnet101" || name == "densenet169") continue;  // the same code, and slow
    if (name.starts_with("cbr-")) continue;                      // have no weights elsewhere
    SCOPED_TRACE(name);
    const int channels = name == "resnet34" ? 1 : 3;
    const StateDict state = make(name, channels)->parameters().state();
    const auto options = recognize_network(state);
    ASSERT_TRUE(options.has_value());
    EXPECT_EQ(options->name, name);
    EXPECT_EQ(options->in_channels, channels);
    EXPECT_EQ(options->outputs, 4);
    EXPECT_EQ(options->small_stem, architecture_of(*options).small_stem_only);
    save_safetensors(folder.file("a"), state, {});
    const NamedWeights file = with_torchvision_names(load_weights(folder.file("a")));
    const auto other = make(name, channels, 4, 2);
    load_fit(*other, fit_weights(file, *other), false);
    expect_same(other->parameters().state(), state);
  }
}

TEST_F(WeightsTest, OtherNetworksAreNotRecognized) {
  StateDict state = make("resnet18")->parameters().state();
  EXPECT_FALSE(recognize_network({}).has_value());
  StateDict wide = state;
  wide.at("layer1.0.conv1.weight").shape = {128, 64, 3, 3};
  EXPECT_FALSE(recognize_network(wide).has_value());
  state.erase("layer4.1.conv1.weight");
  EXPECT_FALSE(recognize_network(state).has_value());
  EXPECT_FALSE(recognize_network({{"conv1.weight", {{3}, {1, 2, 3}}}}).has_value());
}

TEST_F(WeightsTest, PrefixesAndOldNamesAreTranslated) {
  const auto network = make("densenet121");
  const StateDict state = network->parameters().state();
  StateDict old;  // CheXNet: DataParallel, a member densenet121, names of torchvision before 0.3, a Sequential as head
  for (const auto& [name, tensor] : state) {
    std::string changed = name;
    for (const char* part : {"norm1.", "norm2.", "conv1.", "conv2."}) {
      const std::size_t layer = changed.find("denselayer"), at = changed.find(part);
      if (layer != std::string::npos && at != std::string::npos) changed.insert(at + 4, ".");
    }
    if (changed.starts_with("classifier.")) changed.insert(11, "0.");
    old["module.densenet121." + changed] = tensor;
  }
  ASSERT_TRUE(old.contains("module.densenet121.features.denseblock1.denselayer1.norm.1.weight"));
  ASSERT_TRUE(old.contains("module.densenet121.classifier.0.bias"));
  const NamedWeights file = file_of(old);
  EXPECT_EQ(recognize_network(file.file.checkpoint.tensors)->name, "densenet121");
  const auto other = make("densenet121", 3, 4, 2);
  const WeightFit fit = fit_weights(file, *other);
  EXPECT_EQ(fit.renamed.size(), state.size());
  EXPECT_TRUE(fit.matched.empty() && fit.missing.empty() && fit.unexpected.empty() && fit.reshaped.empty());
  load_fit(*other, fit, false);
  expect_same(other->parameters().state(), state);

  const WeightFit parallel = fit_weights(file_of(with_prefix("module.", state)), *other);
  EXPECT_EQ(parallel.renamed.front(), "module.classifier.bias -> classifier.bias");
  EXPECT_EQ(fit_weights(file_of(state), *other).matched.size(), state.size());
  StateDict twice = state;
  twice["module.classifier.bias"] = twice.at("classifier.bias");
  expect_error(ErrorKind::data, {"w.pth", "would both be classifier.bias"},
               [&] { fit_weights(file_of(twice), *other); });
}

TEST_F(WeightsTest, AStemForThreeChannelsIsSummed) {
  for (const char* name : {"resnet8", "densenet16"}) {
    const auto color = make(name, 3), grey = make(name, 1);
    const StateDict state = color->parameters().state();
    const WeightFit fit = fit_weights(file_of(state), *grey);
    ASSERT_EQ(fit.notes.size(), 1u);
    EXPECT_NE(fit.notes[0].find("summed"), std::string::npos);
    load_fit(*grey, fit, false);
    grey->fold();
    color->fold();
    // The same image in every channel.
    const Shape shape{2, 1, 32, 32};
    const std::vector<float> plane = test::grid_values(2 * 32 * 32, 5);
    std::vector<float> repeated;
    for (std::size_t image = 0; image < 2; ++image)
      for (int c = 0; c < 3; ++c)
        repeated.insert(repeated.end(), plane.begin() + static_cast<std::ptrdiff_t>(image * 1024),
                        plane.begin() + static_cast<std::ptrdiff_t>(image * 1024 + 1024));
    const Tensor one = context->empty(shape, Lifetime::persistent),
                 three = context->empty({2, 3, 32, 32}, Lifetime::persistent);
    one.from_host(plane);
    three.from_host(repeated);
    const std::vector<float> a = grey->forward(one, Mode::inference).logits.to_host(),
                             b = color->forward(three, Mode::inference).logits.to_host();
    for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-4f * std::abs(b[0]) + 1e-5f);
  }
}

TEST_F(WeightsTest, PartsAreRefusedUnlessTheHeadIsAnnounced) {
  const auto source = make("resnet8", 3, 7), network = make("resnet8", 3, 4, 2);
  const StateDict state = source->parameters().state(), before = network->parameters().state();
  const WeightFit fit = fit_weights(file_of(state), *network);
  EXPECT_EQ(fit.reshaped.size(), 2u);
  expect_error(ErrorKind::data,
               {"w.pth", "another architecture than resnet8", "fc.bias is [7], the network has [4]", "--new-head"},
               [&] { load_fit(*network, fit, false); });
  expect_same(network->parameters().state(), before);
  load_fit(*network, fit, true);
  const StateDict after = network->parameters().state();
  EXPECT_EQ(after.at("conv1.weight").values, state.at("conv1.weight").values);
  EXPECT_EQ(after.at("fc.weight").values, before.at("fc.weight").values);

  StateDict headless = state, incomplete = state, more = state;
  headless.erase("fc.weight");
  headless.erase("fc.bias");
  load_fit(*network, fit_weights(file_of(headless), *network), true);
  incomplete.erase("layer1.0.bn1.weight");
  expect_error(ErrorKind::data, {"missing layer1.0.bn1.weight"},
               [&] { load_fit(*network, fit_weights(file_of(incomplete), *network), true); });
  more["layer9.weight"] = {{1}, {1}};
  expect_error(ErrorKind::data, {"unexpected layer9.weight"},
               [&] { load_fit(*network, fit_weights(file_of(more), *network), true); });
  const auto same_head = make("resnet8", 3, 7, 3);
  load_fit(*same_head, fit_weights(file_of(state), *same_head), true);  // announced, so not taken even where it fits
  EXPECT_NE(same_head->parameters().state().at("fc.weight").values, state.at("fc.weight").values);
  expect_error(ErrorKind::data, {"none of its 1 tensors fits resnet8", "layer9.weight"}, [&] {
    fit_weights(file_of({{"layer9.weight", {{1}, {1}}}}), *network);
  });
}

TEST_F(WeightsTest, BrokenValuesAreRefusedAndThresholdsKept) {
  const auto network = make("resnet8");
  StateDict state = network->parameters().state();
  state["op_threshs"] = {{3}, {NAN, 0.25f, 0.1f}};
  const WeightFit fit = fit_weights(file_of(state), *network);
  EXPECT_EQ(fit.kept, (Metadata{{"op_threshs", "[null,0.25,0.1]"}}));
  EXPECT_TRUE(fit.unexpected.empty());
  load_fit(*network, fit, false);
  state.at("layer1.0.conv1.weight").values[3] = NAN;
  expect_error(ErrorKind::data, {"w.pth", "layer1.0.conv1.weight", "NaN"},
               [&] { fit_weights(file_of(state), *network); });
}

TEST_F(WeightsTest, TheFitIsDescribed) {
  const auto network = make("resnet8");
  NamedWeights file = file_of(with_prefix("module.", network->parameters().state()));
  file.file.checkpoint.skipped = {"bn1.num_batches_tracked"};
  const std::vector<std::string> lines = describe(fit_weights(file, *network));
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_NE(lines[0].find("tensors fit, 0 under their own names"), std::string::npos);
  EXPECT_NE(lines[1].find("renamed: module.bn1.bias -> bn1.bias, "), std::string::npos);
  EXPECT_EQ(lines[2], "1 of whole numbers skipped: bn1.num_batches_tracked");
}

}  // namespace
}  // namespace preceptor
