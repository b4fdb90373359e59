// ResNet-18, ResNet-50 and DenseNet-121 against golden values made with torchvision in double precision (tests/golden).
#include <gtest/gtest.h>

#include <cmath>

#include "engine/files/checkpoint.h"
#include "models/registry.h"

namespace preceptor {
namespace {

// The formula of tests/golden/formula.py: both sides make weights and inputs from names.
float formula(const std::string& name, std::size_t i) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (unsigned char letter : name) hash = (hash ^ letter) * 0x100000001b3u;
  std::uint64_t z = hash + i + 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return static_cast<float>(static_cast<double>((z ^ (z >> 31)) >> 40) / 0x1p23 - 1);
}

// Scale and offset of a tensor's formula, as tests/golden/networks.py chooses them.
std::pair<double, double> scale_and_offset(const std::string& name, const Shape& shape, double last_gamma,
                                           bool bottleneck) {
  if (shape.rank() == 4) return {std::sqrt(6.0 / (shape[1] * shape[2] * shape[3])), 0};
  if (name == "fc.weight" || name == "classifier.weight") return {std::sqrt(3.0 / shape[1]), 0};
  if (name == "fc.bias" || name == "classifier.bias") return {0.01, 0};
  if (name.ends_with("running_var")) return {0.1, 1};
  if (!name.ends_with(".weight")) return {0.1, 0};
  const bool is_last = name.starts_with("layer") && name.ends_with(bottleneck ? "bn3.weight" : "bn2.weight");
  return is_last ? std::pair{0.1 * last_gamma, last_gamma} : std::pair{0.1, 1.0};
}

class GoldenNetwork : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string name = GetParam();
    golden = load_safetensors(std::string(PRECEPTOR_SOURCE_DIR) + "/tests/golden/" + name + ".safetensors");
    context = Context::on_cpu(2, 0);
    NetworkOptions options;
    options.name = name;
    options.outputs = 10;
    model = make_model(*context, options);
    StateDict state = model->parameters().state();
    for (auto& [key, tensor] : state) {
      const auto [scale, offset] =
          scale_and_offset(key, tensor.shape, std::stod(golden.metadata.at("last_gamma")), name == "resnet50");
      for (std::size_t i = 0; i < tensor.values.size(); ++i)
        tensor.values[i] = static_cast<float>(offset + scale * static_cast<double>(formula(key, i)));
      const auto stored = golden.tensors.find("parameter/" + key);
      if (stored != golden.tensors.end()) tensor.values = stored->second.values;
    }
    model->parameters().load(state);
    input = context->empty({4, 3, 96, 96}, Lifetime::persistent);
    std::vector<float> values(input.shape().elements());
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = formula(golden.metadata.at("images"), i);
    input.from_host(values);
  }

  // Largest difference relative to the largest reference value; prints it under `what`.
  double relative_error(const std::string& what, const std::vector<float>& got, const std::vector<float>& expected) {
    EXPECT_EQ(got.size(), expected.size()) << what;
    double difference = 0, largest = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      difference = std::max(difference, std::abs(static_cast<double>(got[i]) - static_cast<double>(expected[i])));
      largest = std::max(largest, std::abs(static_cast<double>(expected[i])));
    }
    return difference / largest;
  }

  Checkpoint golden;
  std::unique_ptr<Context> context;
  std::unique_ptr<Network> model;
  Tensor input;
};

constexpr double tolerance = 1e-4;

TEST_P(GoldenNetwork, EvaluationLogits) {
  model->fold();
  const std::vector<float> logits = model->forward(input, Mode::inference).logits.to_host();
  const double error = relative_error("logits", logits, golden.tensors.at("logits_eval").values);
  std::printf("relative error of the logits: %.2g\n", error);
  EXPECT_LE(error, tolerance);
}

TEST_P(GoldenNetwork, TrainingLogitsLossStatisticsAndGradients) {
  model->parameters().allocate_gradients();
  std::vector<float> labels;
  for (int i = 0; i < 4; ++i) labels.push_back(static_cast<float>(i * 7 % 10));
  const Tensor targets = context->empty({4});
  targets.from_host(labels);
  double loss = 0;
  {
    const Features features = model->forward(input, Mode::train);
    EXPECT_LE(relative_error("logits", features.logits.to_host(), golden.tensors.at("logits_train").values), tolerance);
    for (float row : softmax_cross_entropy(features.logits, targets).to_host()) loss += static_cast<double>(row);
  }
  EXPECT_NEAR(loss / static_cast<double>(golden.tensors.at("loss_train").values[0]), 1, tolerance);
  context->tape().backward();

  const StateDict state = model->parameters().state(), gradients = model->parameters().gradients();
  int statistics = 0, compared = 0;
  double worst = 0;
  std::string worst_name;
  for (const auto& [key, tensor] : golden.tensors) {
    if (key.starts_with("running/")) {
      EXPECT_LE(relative_error(key, state.at(key.substr(8)).values, tensor.values), tolerance) << key;
      ++statistics;
    }
    if (!key.starts_with("gradient/")) continue;
    const std::string name = key.substr(9);
    const std::vector<float>& gradient = gradients.at(name).values;
    const double largest = static_cast<double>(golden.tensors.at("gradient_max/" + name).values[0]);
    // A gradient that is what is left of larger terms has fewer digits in any program (networks.py).
    const auto conditioning = golden.tensors.find("conditioning/" + name);
    const double allowed = conditioning == golden.tensors.end()
                               ? tolerance
                               : tolerance * static_cast<double>(conditioning->second.values[0]);
    for (std::size_t j = 0; j < tensor.values.size(); ++j) {
      const std::size_t at = gradient.size() <= 128 ? j : j * 2654435761u % gradient.size();
      const double error =
          std::abs(static_cast<double>(gradient[at]) - static_cast<double>(tensor.values[j])) / largest;
      if (error / allowed > worst) worst = error / allowed, worst_name = name;
      EXPECT_LE(error, allowed) << name << " at " << at;
    }
    double square = 0;
    for (float value : gradient) square += static_cast<double>(value) * static_cast<double>(value);
    EXPECT_NEAR(std::sqrt(square) / static_cast<double>(golden.tensors.at("gradient_norm/" + name).values[0]), 1,
                allowed)
        << name;
    ++compared;
  }
  EXPECT_EQ(statistics, 4);
  EXPECT_EQ(compared, static_cast<int>(gradients.size()));
  std::printf("%d gradients, largest error is %.2g of what is allowed (%s)\n", compared, worst, worst_name.c_str());
}

INSTANTIATE_TEST_SUITE_P(Networks, GoldenNetwork, testing::Values("resnet18", "resnet50", "densenet121"));

}  // namespace
}  // namespace preceptor
