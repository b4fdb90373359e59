// Whole training steps of students under teachers: every device against the cpu, replay against eager, and any order
// of threads.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "engine/optimizer.h"
#include "engine/train_step.h"
#include "models/registry.h"
#include "models/transfer/method.h"
#include "tests/support/variants.h"

namespace preceptor {
namespace {

using test::all_devices;
using test::name_of;
using test::watched;

constexpr int images = 4, side = 16, classes = 5;

// A student that learns from labels, logits and attention maps of a teacher of its own kind: augmentation, both forward
// passes, the losses, the backward pass, clipping and Adam.
class Training {
 public:
  Training(const kernels::Device& device, const std::string& model, bool replay,
           Precision precision = Precision::float32)
      : context_(device, 11, precision), images_(context_.pool(Lifetime::persistent), shape_.elements()) {
    const NetworkOptions options{.name = model, .in_channels = 3, .outputs = classes};
    student_ = make_model(context_, options);
    student_->initialize(1);
    teacher_ = make_model(context_, options);
    teacher_->initialize(2);
    teacher_->fold();
    optimizer_.emplace(student_->parameters(), OptimizerOptions{.clip_value = 0.5f, .clip_norm = 2.0f});
    context_.set_learning_rate(1e-3f);
    labels_ = context_.empty({images}, Lifetime::persistent);
    losses_ = context_.empty({3, images}, Lifetime::persistent);
    step_.emplace(
        context_, [this] { body(); }, replay);
  }

  // One step on images that its number decides; the sum of its losses.
  double step(unsigned number) {
    std::mt19937 generator(number);
    std::vector<std::uint8_t> pixels(shape_.elements());
    for (std::uint8_t& pixel : pixels) pixel = static_cast<std::uint8_t>(generator() >> 24);
    context_.run(kernels::Copy{images_.data(), pixels.data(), pixels.size()});
    labels_.from_host({0, 1, static_cast<float>(number % classes), 4});
    (*step_)();
    double sum = 0;
    for (float loss : losses_.to_host()) sum += static_cast<double>(loss);
    return sum;
  }
  StateDict state() const { return student_->parameters().state(); }
  void load(const StateDict& state) { student_->parameters().load(state); }
  StateDict gradients() const { return student_->parameters().gradients(); }  // of the last step
  std::size_t peak() { return context_.pool(Lifetime::step).peak(); }         // bytes

 private:
  void body() {
    AugmentOptions options{.mean = {0.5f, 0.5f, 0.5f}, .deviation = {0.25f, 0.25f, 0.25f}, .random = true};
    options.flip = true;
    options.shift = 2;
    const auto* pixels = static_cast<const std::uint8_t*>(images_.data());
    const std::vector<std::string> taps = {student_->taps(side, side).end()[-3].name};  // before "last" and "avgpool"
    const Features student = student_->forward(augment(context_, pixels, shape_, options), Mode::train, taps);
    const Features teacher = teacher_->forward(augment(context_, pixels, shape_, options), Mode::inference, taps);
    keep(softmax_cross_entropy(student.logits, labels_, 0.5f), 0);
    keep(softened_kl(student.logits, teacher.logits, 4, 0.5f), 1);
    keep(attention_transfer(student.taps.at(taps[0]), teacher.taps.at(taps[0]), 10), 2);
    context_.tape().backward();
    optimizer_->step();
  }
  void keep(const Tensor& loss, int row) {
    context_.run(kernels::Copy{losses_.data() + row * images, loss.data(), images * sizeof(float)});
  }

  const Shape shape_{images, 3, side, side};
  Context context_;
  Buffer images_;
  std::unique_ptr<Network> student_, teacher_;
  std::optional<Optimizer> optimizer_;
  Tensor labels_, losses_;
  std::optional<TrainStep> step_;
};

std::vector<double> losses_of(Training& run, int steps) {
  std::vector<double> losses;
  for (int i = 0; i < steps; ++i) losses.push_back(run.step(static_cast<unsigned>(i)));
  return losses;
}

void expect_same_bits(const StateDict& a, const StateDict& b) {
  for (const auto& [name, tensor] : a)
    EXPECT_EQ(std::memcmp(tensor.values.data(), b.at(name).values.data(), tensor.values.size() * sizeof(float)), 0)
        << name;
}

class DeviceStep : public test::DeviceTest {
 protected:
  // A step takes seconds where every access is watched; the first test makes one there.
  void skip_where_watched() const {
    if (watched(device())) GTEST_SKIP() << "several steps, each of seconds where every access is watched";
  }
};

// Two devices round differently, and training amplifies it: how much is measured on the cpu. Before every step of four
// runs each weight moves by a random part of eps (8 + sqrt(n)) of itself, what rounding may do to sums of n terms, n
// the longest sum of the network. As a product of two factors has the error of both, twice the largest difference to
// the undisturbed run is allowed, and the rounding of the loss itself.
TEST_P(DeviceStep, LossesAgreeWithTheCpu) {
  for (const char* model : {"resnet8", "densenet16"}) {
    const int count = watched(device()) ? 1 : 20;
    constexpr double longest_sum = images * side * side;
    const double size = static_cast<double>(std::numeric_limits<float>::epsilon()) * (8 + std::sqrt(longest_sum));
    Training undisturbed(kernels::cpu_device(2), model, false);
    const std::vector<double> expected = losses_of(undisturbed, count);
    std::vector<double> allowed;
    for (double loss : expected) allowed.push_back(size * loss);
    for (unsigned seed = 1; seed <= 4; ++seed) {
      Training disturbed(kernels::cpu_device(2), model, false);
      std::mt19937 generator(seed);
      std::uniform_real_distribution<double> part(-1, 1);
      for (int i = 0; i < count; ++i) {
        StateDict state = disturbed.state();
        for (auto& [name, tensor] : state)
          for (float& value : tensor.values)
            value = static_cast<float>(static_cast<double>(value) * (1 + size * part(generator)));
        disturbed.load(state);
        const double difference = std::abs(disturbed.step(static_cast<unsigned>(i)) - expected[i]);
        allowed[i] = std::max(allowed[i], size * expected[i] + 2 * difference);
      }
    }
    Training run(device(), model, true);
    const std::vector<double> losses = losses_of(run, count);
    double worst = 0;
    for (int i = 0; i < count; ++i) {
      EXPECT_LE(std::abs(losses[i] - expected[i]), allowed[i]) << model << ", step " << i;
      EXPECT_LE(allowed[i], 0.05 * expected[i]) << "nothing would be noticed";
      worst = std::max(worst, std::abs(losses[i] - expected[i]) / allowed[i]);
    }
    std::printf("%s: losses %.4f to %.4f, largest difference is %.2g of what is allowed, at most %.1g of the loss\n",
                model, expected.front(), expected.back(), worst, allowed.back() / expected.back());
    if (count > 1) {
      EXPECT_LT(losses.back(), losses.front());
    }
  }
}

TEST_P(DeviceStep, ReplayEqualsEagerBitForBit) {
  skip_where_watched();
  if (IsSkipped()) return;
  for (const char* model : {"resnet8", "densenet16"}) {
    Training replayed(device(), model, true), eager(device(), model, false);
    EXPECT_EQ(losses_of(replayed, 5), losses_of(eager, 5)) << model;
    expect_same_bits(replayed.state(), eager.state());
  }
}

TEST_P(DeviceStep, TheSameBitsInAnyOrder) {
  skip_where_watched();
  if (IsSkipped()) return;
  for (const char* model : {"resnet8", "densenet16"}) {
    std::optional<StateDict> first;
    for (const kernels::Device& variant : test::five_variants(device())) {
      Training run(variant, model, false);
      losses_of(run, 2);
      if (!first) first = run.state();
      expect_same_bits(run.state(), *first);
    }
  }
}

// A step with every weight off by a random part of `size` of itself while it computes; the update goes to the weights
// as they were. This is what rounding does to a network that keeps float masters.
double disturbed_step(Training& run, unsigned number, double size, std::mt19937& generator) {
  std::uniform_real_distribution<double> part(-1, 1);
  const StateDict before = run.state();
  StateDict moved = before;
  for (auto& [name, tensor] : moved)
    for (float& value : tensor.values)
      value = static_cast<float>(static_cast<double>(value) * (1 + size * part(generator)));
  run.load(moved);
  const double loss = run.step(number);
  StateDict after = run.state();
  for (auto& [name, tensor] : after)
    for (std::size_t i = 0; i < tensor.values.size(); ++i)
      tensor.values[i] -= moved.at(name).values[i] - before.at(name).values[i];
  run.load(after);
  return loss;
}

// |a - b| / |b|, of all numbers together.
template <class Numbers>
double distance(const Numbers& a, const Numbers& b) {
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    difference += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
    norm += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(difference / norm);
}

// Steps in less than float precision.
class RoundedStep : public DeviceStep {
 protected:
  void SetUp() override {
    DeviceStep::SetUp();
    if (!IsSkipped() && on_cpu()) GTEST_SKIP() << "the cpu computes with floats only";
  }

  // Losses of `steps` steps, and the gradients of the first, against floats on the cpu. A value is rounded on its way
  // through a layer. bfloat16: three times, as weight, as output of the convolution and after the batch norm, each time
  // by at most 2^-8 of itself. tf32: twice, as weight and as input of the convolution, by at most 2^-11. So every
  // weight of four float runs is perturbed by a random part of that size; twice the largest resulting difference is
  // allowed, because the gradient is rounded on its way back too.
  void expect_agreement_with_float(const std::string& model, int steps, Precision precision) const {
    const double size = precision == Precision::bfloat16 ? 3 * 0x1p-8 : 2 * 0x1p-11;
    Training floats(kernels::cpu_device(2), model, false), run(device(), model, true, precision);
    std::vector<double> expected = {floats.step(0)}, actual = {run.step(0)};
    const StateDict gradients = floats.gradients(), rounded = run.gradients();
    for (int i = 1; i < steps; ++i) {
      expected.push_back(floats.step(static_cast<unsigned>(i)));
      actual.push_back(run.step(static_cast<unsigned>(i)));
    }
    double allowed = 0;
    std::map<std::string, double> allowed_gradient;
    for (unsigned seed = 1; seed <= 4; ++seed) {
      Training disturbed(kernels::cpu_device(2), model, false);
      std::mt19937 generator(seed);
      std::vector<double> losses = {disturbed_step(disturbed, 0, size, generator)};
      for (const auto& [name, gradient] : disturbed.gradients())
        allowed_gradient[name] =
            std::max(allowed_gradient[name], 2 * distance(gradient.values, gradients.at(name).values));
      while (losses.size() < expected.size())
        losses.push_back(disturbed_step(disturbed, static_cast<unsigned>(losses.size()), size, generator));
      allowed = std::max(allowed, 2 * distance(losses, expected));
    }
    double worst = 0;
    for (const auto& [name, gradient] : gradients) {
      // The batch norms after it take out whatever it scales by: a gradient of 0, of which rounding is what is left.
      if (model == "densenet16" && name == "features.norm0.weight") continue;
      const double ratio = distance(rounded.at(name).values, gradient.values) / allowed_gradient[name];
      EXPECT_LE(ratio, 1) << model << ", gradient of " << name;
      worst = std::max(worst, ratio);
    }
    EXPECT_LE(distance(actual, expected), allowed) << model;
    EXPECT_LE(allowed, 0.02) << "nothing would be noticed";
    std::printf(
        "%s: losses %.4f to %.4f, in floats to %.4f; they differ by %.2g of %.2g, gradients by %.2g of what is "
        "allowed\n",
        model.c_str(), actual.front(), actual.back(), expected.back(), distance(actual, expected), allowed, worst);
    if (steps > 1) {
      EXPECT_LT(actual.back(), actual.front());
    }
  }
  void expect_replay_equals_eager(Precision precision) const {
    Training replayed(device(), "resnet8", true, precision), eager(device(), "resnet8", false, precision);
    EXPECT_EQ(losses_of(replayed, 4), losses_of(eager, 4));
    expect_same_bits(replayed.state(), eager.state());
  }
};
class Bfloat16Step : public RoundedStep {};
class Tf32Step : public RoundedStep {};

TEST_P(Bfloat16Step, AgreesWithFloat) {
  if (IsSkipped()) return;
  for (const char* model : {"resnet8", "densenet16", "cbr-tiny"})
    expect_agreement_with_float(model, 1, Precision::bfloat16);
}
TEST_P(Tf32Step, AgreesWithFloat) {
  if (IsSkipped()) return;
  for (const char* model : {"resnet8", "densenet16", "cbr-tiny"})
    expect_agreement_with_float(model, 1, Precision::tf32);
}

TEST_P(Bfloat16Step, LearnsAsFloatsDo) {
  skip_where_watched();
  if (IsSkipped()) return;
  expect_agreement_with_float("resnet8", 30, Precision::bfloat16);
}
TEST_P(Tf32Step, LearnsAsFloatsDo) {
  skip_where_watched();
  if (IsSkipped()) return;
  expect_agreement_with_float("resnet8", 30, Precision::tf32);
}

TEST_P(Bfloat16Step, ReplayEqualsEagerBitForBit) {
  skip_where_watched();
  if (IsSkipped()) return;
  expect_replay_equals_eager(Precision::bfloat16);
}
TEST_P(Tf32Step, ReplayEqualsEagerBitForBit) {
  skip_where_watched();
  if (IsSkipped()) return;
  expect_replay_equals_eager(Precision::tf32);
}
// Its products are others than those of floats.
TEST_P(Tf32Step, IsNoFloatStep) {
  skip_where_watched();
  if (IsSkipped()) return;
  Training floats(device(), "resnet8", false), rounded(device(), "resnet8", false, Precision::tf32);
  EXPECT_NE(floats.step(0), rounded.step(0));
}

// All but what has one size in both: statistics (two doubles) and statistics (six floats) of every batch norm's
// channel, with what a pool adds to an allocation, 128 bytes at most; logits, and the partial sums of convolutions. Of
// those DenseNet-16's first 3x3 layers keep most at once: 16 channels in 4 shares of a depth of 576, on a GPU.
TEST_P(Bfloat16Step, HalvesTheMemoryOfAStep) {
  if (IsSkipped()) return;
  const double partial_sums = 4.0 * images * side * side * 16 * sizeof(float);
  for (const auto& [model, of_sums] : {std::pair{"resnet8", 0.0}, {"densenet16", partial_sums}}) {
    Training floats(device(), model, false), halves(device(), model, false, Precision::bfloat16);
    floats.step(0);
    halves.step(0);
    double stays = of_sums;
    for (const auto& [name, tensor] : floats.state())
      if (name.ends_with("running_mean"))
        stays += static_cast<double>(tensor.values.size() * (sizeof(kernels::ChannelStatistics) + 6 * sizeof(float)) +
                                     2 * 128);
    EXPECT_LE(static_cast<double>(halves.peak()) - stays, 0.55 * (static_cast<double>(floats.peak()) - stays)) << model;
  }
}

INSTANTIATE_ON_ALL_DEVICES(DeviceStep);
INSTANTIATE_ON_ALL_DEVICES(Bfloat16Step);
INSTANTIATE_ON_ALL_DEVICES(Tf32Step);

}  // namespace
}  // namespace preceptor
