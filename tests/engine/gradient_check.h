// Checks recorded gradients against central differences of the forward pass, with a derived tolerance.
#pragma once

#include <algorithm>
#include <functional>
#include <limits>

#include "engine/ops.h"
#include "tests/engine/support.h"

namespace preceptor::test {

// The scalar L = sum(weights * y) of an op's result y (a loss op: the sum of its rows), as a function of watched inputs
// and parameters. Values lie on a grid and directions are +-1 in every element, so both points of a difference are
// exact and |L(v + h d) - L(v - h d)| / 2h differs from the derivative by
//   truncation: its h^2 part is measured, as the change when h is halved;
//   rounding: at most eps (8 + sqrt(n)) magnitude / h, where `magnitude` is the sum of |weights * term| over all terms
//   of all results and n is the longest sum of one result; and as much of the stored derivatives, which are sums too.
class GradientCheck {
 public:
  using Forward = std::function<Tensor(const std::vector<Tensor>& inputs)>;

  explicit GradientCheck(unsigned seed) : seed_(seed) {}

  Context& context() { return *context_; }
  Parameters& parameters() { return parameters_; }

  Tensor constant(const Shape& shape, const std::vector<float>& values) {
    return tensor_of(*context_, shape, values, Lifetime::persistent);
  }
  void add_input(const Shape& shape, const std::vector<float>& values) { inputs_.push_back(constant(shape, values)); }
  void add_input(const Shape& shape) { add_input(shape, grid_values(shape.elements(), next_seed())); }
  Parameter add_parameter(const std::string& name, const Shape& shape, ParameterKind kind, float offset = 0,
                          float limit = 1) {
    const Parameter parameter = parameters_.add(name, shape, kind);
    state_ = parameters_.state();
    std::vector<float> values = grid_values(shape.elements(), next_seed(), limit);
    for (float& value : values) value += offset;
    values_[name] = values;
    for (auto& [key, tensor] : state_) tensor.values = values_.at(key);
    parameters_.load(state_);
    return parameter;
  }
  const std::vector<float>& value(const std::string& parameter) const { return state_.at(parameter).values; }
  std::vector<float> input(std::size_t i) const { return inputs_[i].to_host(); }
  double weight(std::size_t i) const { return static_cast<double>(weights_[i]); }

  // Weights of the results: after the inputs are there, before a magnitude is made from them.
  void make_weights(const Shape& result) { weights_ = grid_values(result.elements(), next_seed()); }

  // sum of |weights * terms| of an op that is linear in each of its arguments: its value for absolute values.
  double multilinear_magnitude(const Forward& forward) {
    const Tape::Pause pause(context_->tape());
    std::vector<Tensor> inputs;
    for (const Tensor& tensor : inputs_) inputs.push_back(constant(tensor.shape(), absolute(tensor.to_host())));
    StateDict state = state_;
    for (auto& [name, tensor] : state) tensor.values = absolute(tensor.values);
    parameters_.load(state);
    const std::vector<float> results = forward(inputs).to_host();
    parameters_.load(state_);
    double sum = 0;
    for (std::size_t i = 0; i < results.size(); ++i) sum += std::abs(weight(i)) * static_cast<double>(results[i]);
    return sum;
  }

  // step: h, a power of two of at least 2^-9. Returns the largest ratio of error to what is allowed.
  double run(const Forward& forward, double magnitude, double terms, double step) {
    if (parameters_.count() > 0) parameters_.allocate_gradients();
    const std::vector<std::vector<float>> gradients = recorded_gradients(forward);
    double worst = 0;
    const double epsilon = static_cast<double>(std::numeric_limits<float>::epsilon());
    for (std::size_t variable = 0; variable < gradients.size(); ++variable)
      for (int repeat = 0; repeat < 2; ++repeat) {
        const std::vector<float> direction = signs(gradients[variable].size());
        double expected = 0, absolute_sum = 0, square = 0;
        for (std::size_t i = 0; i < direction.size(); ++i) {
          const double term = static_cast<double>(gradients[variable][i]) * static_cast<double>(direction[i]);
          expected += term;
          absolute_sum += std::abs(term);
          square += term * term;
        }
        const double whole = difference(forward, variable, direction, step);
        const double half = difference(forward, variable, direction, step / 2);
        const double rounding = epsilon * (8 + std::sqrt(terms)) * (magnitude / (step / 2) + absolute_sum);
        const double allowed = std::abs(whole - half) + rounding;
        EXPECT_LE(std::abs(half - expected), allowed)
            << name_of(variable) << ": recorded " << expected << ", differences " << whole << " and " << half;
        // What is allowed must be far below the size of the derivative, or nothing is tested.
        EXPECT_LE(allowed, 0.05 * std::sqrt(square)) << name_of(variable) << ": nothing would be noticed";
        worst = std::max(worst, std::abs(half - expected) / allowed);
      }
    return worst;
  }

 private:
  unsigned next_seed() { return seed_ = seed_ * 1664525u + 1013904223u; }

  static std::vector<float> absolute(std::vector<float> values) {
    for (float& value : values) value = std::abs(value);
    return values;
  }
  std::vector<float> signs(std::size_t count) {
    std::mt19937 generator(next_seed());
    std::vector<float> result(count);
    for (float& value : result) value = generator() % 2 ? 1.0f : -1.0f;
    return result;
  }
  std::vector<std::string> trained() const {
    std::vector<std::string> names;
    for (const Parameter& parameter : parameters_.all())
      if (parameter.watched()) names.push_back(parameter.name());
    return names;
  }
  std::string name_of(std::size_t variable) const {
    return variable < inputs_.size() ? message("input ", variable) : trained()[variable - inputs_.size()];
  }

  double scalar(const Tensor& y) const {
    const std::vector<float> results = y.to_host();
    double sum = 0;
    for (std::size_t i = 0; i < results.size(); ++i)
      sum += (weights_.empty() ? 1 : weight(i)) * static_cast<double>(results[i]);
    return sum;
  }

  // By input, then by parameter. Twice: with the derivative by y held by nobody else, which lets ops work in place,
  // and with it held by this function. The bits have to be the same, and what is held has to stay as it is.
  std::vector<std::vector<float>> recorded_gradients(const Forward& forward) {
    std::vector<std::vector<float>> gradients[2];
    for (int held = 0; held < 2; ++held) {
      Tape& tape = context_->tape();
      for (Tensor& input : inputs_) tape.watch(input);
      Tensor weights;
      {
        const Tensor y = forward(inputs_);
        if (!weights_.empty()) {
          weights = tensor_of(*context_, y.shape(), weights_);
          tape.record_loss([&tape, target = y.shape_only(), derivative = weights](const Tensor&) {
            tape.accumulate(target, derivative);
          });
          if (!held) weights = Tensor();
        }
      }
      tape.backward();
      if (weights.defined()) {
        EXPECT_EQ(weights.to_host(), weights_) << "a derivative was written to that others hold";
      }
      for (Tensor& input : inputs_) {
        const Tensor gradient = tape.gradient(input);
        EXPECT_TRUE(gradient.defined());
        gradients[held].push_back(gradient.defined() ? gradient.to_host()
                                                     : std::vector<float>(input.shape().elements()));
        input.set_slot(-1);
      }
      tape.clear();
      const StateDict by_name = parameters_.gradients();
      for (const std::string& name : trained()) gradients[held].push_back(by_name.at(name).values);
    }
    EXPECT_EQ(context_->pool(Lifetime::step).live(), 0u);
    for (std::size_t variable = 0; variable < gradients[0].size(); ++variable)
      EXPECT_EQ(bits(gradients[0][variable]), bits(gradients[1][variable])) << name_of(variable);
    return gradients[0];
  }

  double difference(const Forward& forward, std::size_t variable, const std::vector<float>& direction, double step) {
    const Tape::Pause pause(context_->tape());
    const bool is_input = variable < inputs_.size();
    const std::string name = is_input ? "" : name_of(variable);
    const std::vector<float> start = is_input ? inputs_[variable].to_host() : state_.at(name).values;
    const auto set = [&](const std::vector<float>& values) {
      if (is_input) return inputs_[variable].from_host(values);
      StateDict state = state_;
      state.at(name).values = values;
      parameters_.load(state);
    };
    double scalars[2];
    for (int side = 0; side < 2; ++side) {
      std::vector<float> moved = start;
      for (std::size_t i = 0; i < moved.size(); ++i)
        moved[i] += (side ? 1.0f : -1.0f) * static_cast<float>(step) * direction[i];
      set(moved);
      scalars[side] = scalar(forward(inputs_));
    }
    set(start);
    return (scalars[1] - scalars[0]) / (2 * step);
  }

  unsigned seed_;
  std::unique_ptr<Context> context_ = Context::on_cpu(1, 0);
  Parameters parameters_{*context_};
  StateDict state_;
  std::map<std::string, std::vector<float>> values_;
  std::vector<Tensor> inputs_;
  std::vector<float> weights_;  // empty: a loss op
};

}  // namespace preceptor::test
