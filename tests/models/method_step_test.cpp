// Training steps with every transfer method at once: each device against the cpu, replay against eager, any thread
// order, and weights that change between replays.
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

// Weights that give the terms sizes between a thousandth and ten times the labels' loss.
const std::vector<std::string> all_methods = {
    "kd:weight=0.5",
    "dkd:weight=0.1",
    "lskd:weight=1",
    "dist:weight=0.1",
    "ls",
    "tfkd",
    "dml",
    "at:weight=10",
    "at:reading=paper",
    "at:reading=author,weight=0.01",
    "fitnet:weight=1",
    "ab:weight=0.1",
    "nst:weight=5",
    "fsp:weight=0.1",
    "sp:weight=3",
    "pkt:weight=1000",
    "rkd:distance=1,angle=2",
    "cc:weight=1",
    "vid:weight=0.1",
    "ofd:weight=0.1",
    "ft:weight=5",
    "reviewkd:warmup=0,weight=0.1",
    "crd:negatives=21,dimension=24",
};

TEST(MethodStep, HasEveryMethod) {
  for (const MethodKind& kind : method_kinds())
    EXPECT_TRUE(std::any_of(all_methods.begin(), all_methods.end(), [&](const std::string& text) {
      return text.substr(0, text.find(':')) == kind.name;
    })) << kind.name;
}

class Training {
 public:
  Training(const kernels::Device& device, bool replay, const std::vector<std::string>& texts = all_methods,
           Precision precision = Precision::float32)
      : context_(device, 11, precision) {
    const auto network = [&](const char* name, std::uint64_t seed) {
      auto made = make_model(context_, {.name = name, .in_channels = 3, .outputs = classes});
      made->initialize(seed);
      return made;
    };
    student_ = network("resnet8", 1);
    teacher_ = network("resnet8", 2);
    teacher_->fold();
    std::vector<Parameters*> learning = {&student_->parameters()};
    for (const std::string& text : texts) {
      const MethodSettings settings = parse_method(text);
      const MethodSetup setup{.context = &context_,
                              .student = student_.get(),
                              .teacher = teacher_.get(),
                              .height = side,
                              .width = side,
                              .teacher_height = side,
                              .teacher_width = side,
                              .images = static_cast<int>(all_classes_.size()),
                              .classes = &all_classes_};
      methods_.push_back(kind_of(settings).make(setup, settings));
      learning.push_back(&methods_.back()->parameters());
    }
    optimizer_.emplace(learning, OptimizerOptions{});
    context_.set_learning_rate(1e-3f);
    input_ = context_.empty({images, 3, side, side}, Lifetime::persistent);
    labels_ = context_.empty({images}, Lifetime::persistent);
    positions_ = context_.empty({images}, Lifetime::persistent);
    factor_ = context_.empty({1}, Lifetime::persistent);
    set_factor(1);
    losses_ = context_.zeros({static_cast<int>(methods_.size() + 1) * most_terms * images}, Lifetime::persistent);
    step_.emplace(
        context_, [this] { body(); }, replay);
  }

  // One step on images that its number decides; the loss of the labels, then of every method.
  std::vector<double> step(unsigned number) {
    std::mt19937 generator(number);
    std::uniform_real_distribution<float> uniform(-2, 2);
    std::vector<float> pixels(input_.shape().elements());
    for (float& pixel : pixels) pixel = uniform(generator);
    input_.from_host(pixels);
    labels_.from_host({0, 1, static_cast<float>(number % classes), 4});
    // One image twice; whole numbers in the memory of floats.
    const std::int32_t rows[images] = {3, static_cast<std::int32_t>(number % 7), 5, 3};
    std::vector<float> bits(images);
    std::memcpy(bits.data(), rows, sizeof rows);
    positions_.from_host(bits);
    (*step_)();
    const std::vector<float> terms = losses_.to_host();
    std::vector<double> sums(methods_.size() + 1);
    for (std::size_t i = 0; i < terms.size(); ++i) sums[i / (most_terms * images)] += static_cast<double>(terms[i]);
    return sums;
  }
  // Every map and every output of a network is 0 then.
  void kill(bool student) {
    Network& network = student ? *student_ : *teacher_;
    StateDict dead = network.parameters().state();
    for (auto& [name, tensor] : dead)
      if (!name.ends_with("running_var")) std::fill(tensor.values.begin(), tensor.values.end(), 0.0f);
    network.parameters().load(dead);
    network.fold();
  }
  // From the next step on every term is walked over alone before the step's own walk.
  void look_at_terms() { looks_ = true; }
  // The factor of the methods' terms in the gradient.
  void set_factor(float factor) { factor_.from_host({factor}); }

  // The student and what the methods learn.
  StateDict state() const {
    StateDict all = student_->parameters().state();
    for (const auto& method : methods_) all.merge(method->parameters().state());
    return all;
  }
  void disturb(double size, std::mt19937& generator) {
    std::uniform_real_distribution<double> part(-1, 1);
    StateDict moved = student_->parameters().state();
    for (auto& [name, tensor] : moved)
      for (float& value : tensor.values)
        value = static_cast<float>(static_cast<double>(value) * (1 + size * part(generator)));
    student_->parameters().load(moved);
  }

 private:
  static constexpr int most_terms = 12;

  void body() {
    std::vector<std::string> student_taps, teacher_taps;
    for (const auto& method : methods_) {
      student_taps.insert(student_taps.end(), method->student_taps().begin(), method->student_taps().end());
      teacher_taps.insert(teacher_taps.end(), method->teacher_taps().begin(), method->teacher_taps().end());
    }
    const Features student = student_->forward(input_, Mode::train, student_taps);
    const Features teacher = teacher_->forward(input_, Mode::inference, teacher_taps);
    Tape& tape = context_.tape();
    std::vector<std::size_t> ends = {tape.size()};
    keep({softmax_cross_entropy(student.logits, labels_)}, 0);
    ends.push_back(tape.size());
    {
      const auto* positions = static_cast<const std::int32_t*>(static_cast<const void*>(positions_.data()));
      const Tape::Scaled scaled(tape, factor_.data());
      for (std::size_t i = 0; i < methods_.size(); ++i) {
        keep(methods_[i]->losses({student, teacher, labels_, positions, {teacher.logits}}), i + 1);
        ends.push_back(tape.size());
      }
    }
    for (std::size_t i = 1; i < ends.size() && looks_; ++i) tape.backward_only(ends[i - 1], ends[i]);
    tape.backward();
    optimizer_->step();
  }
  void keep(const std::vector<Tensor>& terms, std::size_t method) {
    ASSERT_LE(terms.size(), static_cast<std::size_t>(most_terms));
    for (std::size_t i = 0; i < terms.size(); ++i)
      context_.run(
          kernels::Copy{losses_.data() + (method * most_terms + i) * images, terms[i].data(), images * sizeof(float)});
  }

  mutable Context context_;
  std::unique_ptr<Network> student_, teacher_;
  std::vector<std::unique_ptr<TransferMethod>> methods_;
  std::optional<Optimizer> optimizer_;
  std::vector<float> all_classes_ = {0, 1, 2, 3, 4, 0, 1};
  Tensor input_, labels_, positions_, factor_, losses_;
  bool looks_ = false;
  std::optional<TrainStep> step_;
};

void expect_same_bits(const StateDict& a, const StateDict& b) {
  ASSERT_EQ(a.size(), b.size());
  for (const auto& [name, tensor] : a)
    EXPECT_EQ(std::memcmp(tensor.values.data(), b.at(name).values.data(), tensor.values.size() * sizeof(float)), 0)
        << name;
}

class MethodStep : public test::DeviceTest {};

// Allowed is what device_step_test.cpp allows: twice what disturbing the weights by the rounding of sums changes on the
// cpu, and the rounding of the loss itself; here for each method's loss alone.
TEST_P(MethodStep, EveryLossAgreesWithTheCpu) {
  const int count = watched(device()) ? 1 : 2;
  const double size =
      static_cast<double>(std::numeric_limits<float>::epsilon()) * (8 + std::sqrt(double{images * side * side}));
  Training undisturbed(kernels::cpu_device(2), false);
  std::vector<std::vector<double>> expected, allowed;
  for (int i = 0; i < count; ++i) expected.push_back(undisturbed.step(static_cast<unsigned>(i)));
  for (const auto& losses : expected) {
    allowed.emplace_back();
    for (double loss : losses) allowed.back().push_back(size * std::abs(loss));
  }
  for (unsigned seed = 1; seed <= 4; ++seed) {
    Training disturbed(kernels::cpu_device(2), false);
    std::mt19937 generator(seed);
    for (int i = 0; i < count; ++i) {
      disturbed.disturb(size, generator);
      const std::vector<double> losses = disturbed.step(static_cast<unsigned>(i));
      for (std::size_t j = 0; j < losses.size(); ++j)
        allowed[i][j] =
            std::max(allowed[i][j], size * std::abs(expected[i][j]) + 2 * std::abs(losses[j] - expected[i][j]));
    }
  }
  Training run(device(), true);
  double worst = 0;
  for (int i = 0; i < count; ++i) {
    const std::vector<double> losses = run.step(static_cast<unsigned>(i));
    for (std::size_t j = 0; j < losses.size(); ++j) {
      const std::string name = j == 0 ? "labels" : all_methods[j - 1];
      EXPECT_TRUE(std::isfinite(losses[j])) << name;
      EXPECT_GT(std::abs(expected[i][j]), 1e-6) << name << " has no loss: nothing is compared";
      EXPECT_LE(std::abs(losses[j] - expected[i][j]), allowed[i][j])
          << name << ", step " << i << " of " << expected[i][j];
      EXPECT_LE(allowed[i][j], 0.05 * std::abs(expected[i][j])) << name << ": nothing would be noticed";
      worst = std::max(worst, std::abs(losses[j] - expected[i][j]) / allowed[i][j]);
    }
  }
  std::printf("%zu losses, largest difference is %.2g of what is allowed\n", expected[0].size(), worst);
}

TEST_P(MethodStep, ReplayEqualsEagerBitForBit) {
  if (watched(device())) GTEST_SKIP() << "several steps, each of seconds where every access is watched";
  Training replayed(device(), true), eager(device(), false);
  for (unsigned i = 0; i < 4; ++i) {
    // A weight that changes after the step was recorded.
    replayed.set_factor(1.0f / static_cast<float>(1 + i));
    eager.set_factor(1.0f / static_cast<float>(1 + i));
    EXPECT_EQ(replayed.step(i), eager.step(i)) << "step " << i;
  }
  expect_same_bits(replayed.state(), eager.state());
}

TEST_P(MethodStep, LooksAtSingleTermsChangeNoBit) {
  if (device().kind != kernels::DeviceKind::cpu) GTEST_SKIP() << "a walk for each of so many terms, of seconds";
  Training looked(device(), true), plain(device(), true);
  looked.look_at_terms();
  for (Training* run : {&looked, &plain}) run->set_factor(0.5f);
  for (unsigned i = 0; i < 4; ++i) EXPECT_EQ(looked.step(i), plain.step(i)) << "step " << i;
  expect_same_bits(looked.state(), plain.state());
}

TEST_P(MethodStep, TheSameBitsInAnyOrder) {
  if (watched(device())) GTEST_SKIP() << "several steps, each of seconds where every access is watched";
  std::optional<StateDict> first;
  for (const kernels::Device& variant : test::five_variants(device())) {
    Training run(variant, false);
    run.step(0);
    if (!first) first = run.state();
    expect_same_bits(run.state(), *first);
  }
}

// In bfloat16 a value is rounded three times in a layer, by 2^-8 of itself at most: see device_step_test.cpp. A loss
// itself is one of maps that are rounded, so 2^-8 of it comes on top.
TEST_P(MethodStep, EveryMethodWorksInBfloat16) {
  if (device().kind == kernels::DeviceKind::cpu) GTEST_SKIP() << "the cpu computes with floats only";
  Training floats(kernels::cpu_device(2), false), run(device(), false, all_methods, Precision::bfloat16);
  const std::vector<double> expected = floats.step(0), losses = run.step(0);
  std::vector<double> allowed;
  for (double loss : expected) allowed.push_back(0x1p-8 * std::abs(loss));
  for (unsigned seed = 1; seed <= 4; ++seed) {
    Training disturbed(kernels::cpu_device(2), false);
    std::mt19937 generator(seed);
    disturbed.disturb(3 * 0x1p-8, generator);
    const std::vector<double> moved = disturbed.step(0);
    for (std::size_t j = 0; j < moved.size(); ++j)
      allowed[j] = std::max(allowed[j], 0x1p-8 * std::abs(expected[j]) + 2 * std::abs(moved[j] - expected[j]));
  }
  double worst = 0;
  for (std::size_t j = 0; j < losses.size(); ++j) {
    const std::string name = j == 0 ? "labels" : all_methods[j - 1];
    EXPECT_LE(std::abs(losses[j] - expected[j]), allowed[j]) << name << " of " << expected[j];
    EXPECT_LE(allowed[j], 0.1 * std::abs(expected[j])) << name << ": nothing would be noticed";
    worst = std::max(worst, std::abs(losses[j] - expected[j]) / allowed[j]);
  }
  std::printf("%zu losses, largest difference is %.2g of what is allowed\n", losses.size(), worst);
  for (const auto& [name, tensor] : run.state())
    for (float value : tensor.values) ASSERT_TRUE(std::isfinite(value)) << name;
}

// Norms, distances and deviations of nothing: finite losses, and finite weights after the step.
TEST_P(MethodStep, DeadNetworksGiveNoNan) {
  for (const bool student : {true, false}) {
    Training run(device(), false);
    run.kill(student);
    const std::vector<double> losses = run.step(0);
    for (std::size_t i = 0; i < losses.size(); ++i)
      EXPECT_TRUE(std::isfinite(losses[i]))
          << (i == 0 ? "labels" : all_methods[i - 1]) << (student ? ", student" : ", teacher");
    for (const auto& [name, tensor] : run.state())
      for (float value : tensor.values)
        ASSERT_TRUE(std::isfinite(value)) << name << (student ? ", student" : ", teacher");
  }
}

INSTANTIATE_ON_ALL_DEVICES(MethodStep);

// A factor of 0 in device memory takes a method out of the gradient, and 1 leaves what no factor gives.
TEST(MethodStepFactors, WeighTheGradientAndNotTheLoss) {
  const std::vector<std::string> methods = {"kd:weight=0.5", "at:weight=10", "fitnet:weight=1"};
  const kernels::Device cpu = kernels::cpu_device(1);
  Training without(cpu, false, {}), none(cpu, false, methods), whole(cpu, false, methods), half(cpu, false, methods);
  none.set_factor(0);
  half.set_factor(0.5f);
  without.step(0);
  const std::vector<double> losses = none.step(0);
  EXPECT_EQ(losses, whole.step(0)) << "the loss is reported as it is";
  EXPECT_EQ(losses, half.step(0));
  for (const auto& [name, tensor] : without.state()) EXPECT_EQ(tensor.values, none.state().at(name).values) << name;
  EXPECT_NE(whole.state().at("fc.weight").values, none.state().at("fc.weight").values);
}

}  // namespace
}  // namespace preceptor
