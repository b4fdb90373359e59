// The five losses through their ops against torch's values in double precision (tests/golden).
#include "engine/files/checkpoint.h"
#include "engine/ops.h"
#include "tests/engine/support.h"

namespace preceptor {
namespace {

class GoldenLosses : public testing::Test {
 protected:
  using Op = std::function<Tensor(const Tensor& student)>;

  const PlainTensor& stored(const std::string& key) const { return golden.tensors.at(key); }
  Tensor load(const std::string& key) { return test::tensor_of(*context, stored(key).shape, stored(key).values); }
  // The targets, or zeros where the case has none, with NaN for what is not known.
  Tensor masked(const std::string& name) {
    PlainTensor targets{stored(name + "/known").shape, {}};
    const auto found = golden.tensors.find(name + "/targets");
    targets.values.resize(targets.shape.elements());
    if (found != golden.tensors.end()) targets.values = found->second.values;
    for (std::size_t i = 0; i < targets.values.size(); ++i)
      if (stored(name + "/known").values[i] == 0) targets.values[i] = NAN;
    return test::tensor_of(*context, targets.shape, targets.values);
  }

  // All kernels sum in double and round a handful of float operations per element: 8 eps of the largest value.
  static constexpr double tolerance = 1e-6;

  void check(const std::string& name, const Op& op) {
    SCOPED_TRACE(name);
    Tensor student = load(name + "/student");
    context->tape().watch(student);
    double loss = 0;
    for (float row : op(student).to_host()) loss += static_cast<double>(row);
    context->tape().backward();
    const std::vector<float> gradient = context->tape().gradient(student).to_host();
    context->tape().clear();

    const double expected = static_cast<double>(stored(name + "/loss").values[0]);
    const std::vector<float>& expected_gradient = stored(name + "/gradient").values;
    double largest = 0, difference = 0;
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      largest = std::max(largest, std::abs(static_cast<double>(expected_gradient[i])));
      difference =
          std::max(difference, std::abs(static_cast<double>(gradient[i]) - static_cast<double>(expected_gradient[i])));
    }
    const double loss_error = std::abs(loss / expected - 1), gradient_error = difference / largest;
    EXPECT_LE(loss_error, tolerance);
    EXPECT_LE(gradient_error, tolerance);
    worst = std::max({worst, loss_error, gradient_error});
    ++checked;
  }
  void finish(const char* what, int cases) {
    EXPECT_EQ(checked, cases);
    std::printf("%s: largest relative error %.2g\n", what, worst);
  }

  std::unique_ptr<Context> context = Context::on_cpu(1, 0);
  Checkpoint golden = load_safetensors(std::string(PRECEPTOR_SOURCE_DIR) + "/tests/golden/losses.safetensors");
  double worst = 0;
  int checked = 0;
};

TEST_F(GoldenLosses, SoftmaxCrossEntropy) {
  for (const char* name : {"plain", "two", "wide", "extreme"}) {
    const std::string key = std::string("cross_entropy/") + name;
    check(key, [&](const Tensor& student) { return softmax_cross_entropy(student, load(key + "/labels")); });
  }
  finish("softmax_cross_entropy", 4);
}

TEST_F(GoldenLosses, BinaryCrossEntropy) {
  for (const char* name : {"plain", "masked", "extreme"}) {
    const std::string key = std::string("binary_cross_entropy/") + name;
    check(key, [&](const Tensor& student) { return binary_cross_entropy(student, masked(key)); });
  }
  finish("binary_cross_entropy", 3);
}

TEST_F(GoldenLosses, SoftenedKl) {
  for (const char* name : {"t1", "t4", "two", "wide", "extreme"}) {
    const std::string key = std::string("softened_kl/") + name;
    const float temperature = stored(key + "/temperature").values[0];
    check(key, [&](const Tensor& student) { return softened_kl(student, load(key + "/teacher"), temperature); });
  }
  finish("softened_kl", 5);
}

TEST_F(GoldenLosses, SoftenedBinaryKl) {
  for (const char* name : {"t1", "t4", "masked", "extreme"}) {
    const std::string key = std::string("softened_binary_kl/") + name;
    const float temperature = stored(key + "/temperature").values[0];
    check(key, [&](const Tensor& student) {
      return softened_binary_kl(student, load(key + "/teacher"), masked(key), temperature);
    });
  }
  // If every label is known, the targets may be left out.
  check("softened_binary_kl/t4", [&](const Tensor& student) {
    return softened_binary_kl(student, load("softened_binary_kl/t4/teacher"), Tensor(), 4);
  });
  finish("softened_binary_kl", 5);
}

TEST_F(GoldenLosses, AttentionTransfer) {
  for (const char* name : {"equal", "wider_teacher", "one_channel"}) {
    const std::string key = std::string("attention_transfer/") + name;
    check(key, [&](const Tensor& student) { return attention_transfer(student, load(key + "/teacher")); });
  }
  finish("attention_transfer", 3);
}

}  // namespace
}  // namespace preceptor
