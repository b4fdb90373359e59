// The gradient of a whole ResNet-8 with distillation losses against differences along directions.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>

#include "models/registry.h"
#include "models/transfer/method.h"

namespace preceptor {
namespace {

using Values = std::vector<float>;

// A student with the loss on labels and some methods towards a teacher of the same architecture, on 4 images of 8x8.
class WholeNetworkGradient : public testing::TestWithParam<std::vector<std::string>> {
 protected:
  void SetUp() override {
    NetworkOptions options;
    options.name = "resnet8";
    options.outputs = 10;
    student = make_model(*context, options);
    student->initialize(1);
    teacher = make_model(*context, options);
    teacher->initialize(2);
    teacher->fold();
    set_norms();
    student->parameters().allocate_gradients();
    input = context->empty({images, 3, 8, 8}, Lifetime::persistent);
    input.from_host(random(input.shape().elements(), 3));
    labels = context->empty({images}, Lifetime::persistent);
    labels.from_host({1, 4, 4, 9});
    for (const std::string& text : GetParam()) add_method(text);
  }
  void add_method(const std::string& text) {
    const MethodSettings settings = parse_method(text);
    const MethodSetup setup{.context = context.get(),
                            .student = student.get(),
                            .teacher = teacher.get(),
                            .height = 8,
                            .width = 8,
                            .teacher_height = 8,
                            .teacher_width = 8,
                            .images = 4,
                            .classes = nullptr};
    methods.push_back(kind_of(settings).make(setup, settings));
    labels_weight *= label_weight(settings);
    const auto add = [](std::vector<std::string>& taps, const std::vector<std::string>& more) {
      taps.insert(taps.end(), more.begin(), more.end());
    };
    add(student_taps, methods.back()->student_taps());
    add(teacher_taps, methods.back()->teacher_taps());
  }

  static Values random(std::size_t count, unsigned seed) {
    std::mt19937 generator(seed);
    std::uniform_real_distribution<float> uniform(-1, 1);
    Values values(count);
    for (float& value : values) value = uniform(generator);
    return values;
  }

  // A difference must not step over a kink of ReLU. So every batch norm has a gamma of at most 0.3 and, where a ReLU
  // follows, a beta of about +2.5 or -2.5 by turns: normalized values of a sum and its shortcut together would have to
  // be beyond 2.4 / 0.6 = 4 to change a sign. A shortcut without batch norm has the sign of its channel or is zero.
  void set_norms() {
    state = student->parameters().state();
    for (auto& [name, tensor] : state) {
      const bool is_norm = name.find("bn") != std::string::npos || name.find("downsample.1") != std::string::npos;
      const Values noise = random(tensor.values.size(), static_cast<unsigned>(tensor.values.size()));
      if (is_norm && name.ends_with(".weight"))
        for (std::size_t i = 0; i < noise.size(); ++i) tensor.values[i] = 0.25f + 0.05f * noise[i];
      if (is_norm && name.ends_with(".bias"))
        for (std::size_t i = 0; i < noise.size(); ++i)
          tensor.values[i] = 0.1f * noise[i] + (name.find("downsample") != std::string::npos ? 0.0f
                                                : i % 2                                      ? -2.5f
                                                                                             : 2.5f);
    }
    student->parameters().load(state);
  }

  double forward() {
    const Features reference = teacher->forward(input, Mode::inference, teacher_taps);
    const Features features = student->forward(input, Mode::train, student_taps);
    double total = 0;
    const auto count = [&](const Tensor& rows) {
      for (float row : rows.to_host()) total += static_cast<double>(row);
    };
    count(softmax_cross_entropy(features.logits, labels, static_cast<float>(labels_weight)));
    for (const auto& method : methods)
      for (const Tensor& rows : method->losses({features, reference, labels, nullptr, {reference.logits}})) count(rows);
    return total;
  }
  double loss_at(const std::string& name, const Values& values) {
    const Tape::Pause pause(context->tape());
    StateDict moved = state;
    moved.at(name).values = values;
    student->parameters().load(moved);
    const double total = forward();
    student->parameters().load(state);
    return total;
  }

  // Spread of the loss when a parameter moves by a few units in the last place.
  double spread_of_loss(const std::string& name, unsigned seed) {
    const double epsilon = static_cast<double>(std::numeric_limits<float>::epsilon());
    const Values& start = state.at(name).values;
    double lowest = INFINITY, highest = -INFINITY;
    for (unsigned i = 0; i < 12; ++i) {
      Values moved = random(start.size(), seed + i);
      for (std::size_t j = 0; j < moved.size(); ++j)
        moved[j] =
            static_cast<float>(static_cast<double>(start[j]) * (1 + 4 * epsilon * static_cast<double>(moved[j])));
      const double loss = loss_at(name, moved);
      lowest = std::min(lowest, loss);
      highest = std::max(highest, loss);
    }
    return highest - lowest;
  }

  static constexpr int images = 4;
  std::unique_ptr<Context> context = Context::on_cpu(1, 0);
  std::unique_ptr<Network> student, teacher;
  std::vector<std::unique_ptr<TransferMethod>> methods;
  std::vector<std::string> student_taps, teacher_taps;
  double labels_weight = 1;
  StateDict state;
  Tensor input, labels;
};

// Rounding of the loss is measured: the spread of its values when a parameter moves by a few units in the last place.
// It bounds each end of a difference, and truncation is the change when the step is halved. The loss rounds alike
// whatever was moved, but a parameter near its end makes little of it round anew (the classifier's bias at times
// nothing), so the spread counts for no less than its median over the parameters.
TEST_P(WholeNetworkGradient, MatchesDifferencesForEveryParameter) {
  forward();
  context->tape().backward();
  const StateDict gradients = student->parameters().gradients();
  context->tape().clear();
  EXPECT_EQ(context->pool(Lifetime::step).live(), 0u);
  double worst = 0, loosest = 0;
  unsigned seed = 10;
  std::map<std::string, double> spreads;
  std::vector<double> sorted;
  for (const auto& [name, gradient] : gradients) {
    sorted.push_back(spreads[name] = spread_of_loss(name, seed));
    seed += 12;
  }
  std::sort(sorted.begin(), sorted.end());
  const double median = sorted[sorted.size() / 2];
  for (const auto& [name, gradient] : gradients) {
    SCOPED_TRACE(name);
    const Values& start = state.at(name).values;
    double scale = 0, norm = 0;
    for (std::size_t i = 0; i < start.size(); ++i) {
      scale += static_cast<double>(start[i]) * static_cast<double>(start[i]);
      norm += static_cast<double>(gradient.values[i]) * static_cast<double>(gradient.values[i]);
    }
    scale = std::sqrt(scale / static_cast<double>(start.size()));
    norm = std::sqrt(norm);
    const Values direction = random(start.size(), ++seed);
    // (loss(v + h d) - loss(v - h d)) / 2h, and the same from the recorded gradient and the steps really taken.
    const auto difference = [&](double step, double& recorded) {
      Values ends[2] = {start, start};
      for (std::size_t i = 0; i < start.size(); ++i)
        for (int side = 0; side < 2; ++side)
          ends[side][i] += static_cast<float>((side ? step : -step) * static_cast<double>(direction[i]));
      recorded = 0;
      for (std::size_t i = 0; i < start.size(); ++i)
        recorded += static_cast<double>(gradient.values[i]) *
                    (static_cast<double>(ends[1][i]) - static_cast<double>(ends[0][i])) / (2 * step);
      return (loss_at(name, ends[1]) - loss_at(name, ends[0])) / (2 * step);
    };
    const double step = scale / 64;
    double recorded = 0;
    const double whole = difference(step, recorded), half = difference(step / 2, recorded);
    const double allowed = std::abs(whole - half) + std::max(spreads.at(name), median) / (step / 2);
    EXPECT_LE(std::abs(half - recorded), allowed)
        << "recorded " << recorded << ", differences " << whole << " and " << half;
    // A direction in [-1, 1] meets a gradient of norm g with about g / sqrt(3); what is allowed must be far below.
    EXPECT_LE(allowed, 0.05 * norm) << "nothing would be noticed";
    worst = std::max(worst, std::abs(half - recorded) / allowed);
    loosest = std::max(loosest, allowed / norm);
  }
  EXPECT_EQ(gradients.size(), 9u * 3 + 2);  // convolutions with their norms, and the classifier
  std::printf("resnet8: largest error is %.2g of what is allowed, which is at most %.2g of the gradient's norm\n",
              worst, loosest);
}

// The design above: half of the channels are positive everywhere and half zero everywhere, at every stage.
TEST_P(WholeNetworkGradient, StaysAwayFromKinks) {
  const Tape::Pause pause(context->tape());
  for (const auto& [name, stage] : student->forward(input, Mode::train, {"layer1", "layer2", "layer3"}).taps) {
    const Values values = stage.to_host();
    const std::size_t plane = static_cast<std::size_t>(stage.shape()[2] * stage.shape()[3]);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::size_t channel = i / plane % static_cast<std::size_t>(stage.shape()[1]);
      if (channel % 2)
        ASSERT_EQ(values[i], 0) << "channel " << channel;
      else
        ASSERT_GT(values[i], 0.25f) << "channel " << channel;
    }
  }
}

// Weights that give the terms the size of the labels' loss. What outputs alone decide goes with at: away from kinks the
// next batch norm takes away what most biases add, and a gradient of nothing cannot be checked. Left out are
// ab, ft, whose sides of 0 are kinks everywhere, and crd, whose bank moves with every call.
INSTANTIATE_TEST_SUITE_P(
    Methods, WholeNetworkGradient,
    testing::Values(std::vector<std::string>{"kd:temperature=3,weight=0.5", "dml:weight=0.5", "at:weight=300"},
                    std::vector<std::string>{"dkd:beta=2", "lskd:weight=0.2", "ls", "tfkd", "at:weight=300"},
                    std::vector<std::string>{"dist:weight=0.01", "at:weight=300"},
                    std::vector<std::string>{"at:reading=paper,weight=1", "at:reading=author", "fitnet:weight=1",
                                             "nst:weight=5"},
                    std::vector<std::string>{"ofd:weight=0.1", "reviewkd:warmup=0,weight=0.1", "at:weight=300"},
                    std::vector<std::string>{"fsp:weight=1", "sp:weight=30", "pkt:weight=1000", "rkd", "cc:weight=1"}));

}  // namespace
}  // namespace preceptor
