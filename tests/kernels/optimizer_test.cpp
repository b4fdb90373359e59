// Optimiser updates against torch's formulas, element by element; the gradient norm; bitwise repeats.
#include "kernels/optimizer/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/optimizer/reference.h"
#include "tests/support/compare.h"
#include "tests/support/devices.h"
#include "tests/support/shapes.h"

namespace preceptor::test {
namespace {

using namespace kernels;
using reference::UpdatedElement;
using reference::UpdateSettings;

// Parameters of awkward sizes, with gradients and state.
struct Parameters {
  Parameters(Random& random, const std::vector<int>& counts, bool with_first, bool with_second, Kind kind) {
    for (int count : counts) {
      values.push_back(random.values(count));
      gradients.push_back(random.values(count, kind));
      first.push_back(random.values(count));
      second.push_back(random.values(count));
      for (float& value : second.back()) value *= value;
    }
    for (std::size_t i = 0; i < counts.size(); ++i)
      segments.push_back({values[i].data(), gradients[i].data(), with_first ? first[i].data() : nullptr,
                          with_second ? second[i].data() : nullptr, counts[i],
                          static_cast<float>(random.uniform(0.5, 2)), static_cast<float>(random.uniform(0, 0.1))});
  }
  int count() const { return static_cast<int>(segments.size()); }
  std::int64_t elements() const {
    std::int64_t total = 0;
    for (const UpdateSegment& segment : segments) total += segment.count;
    return total;
  }

  std::vector<std::vector<float>> values, gradients, first, second;
  std::vector<UpdateSegment> segments;
};

const std::vector<int> awkward_counts{1, 31, 32, 33, 127, 128, 129, 5003, 61, 40009};

Update arguments(const Parameters& p, const StepState& state, const float* scale, UpdateRule rule) {
  return {p.segments.data(), p.count(), p.elements(), &state, scale, rule, 0.9f, false, 0.9f, 0.999f, 1e-8f, 0};
}

UpdateSettings<double> settings_of(const Update& a, const UpdateSegment& s) {
  const auto wide = [](float value) { return static_cast<double>(value); };
  return {a.rule,
          wide(a.state->learning_rate) * wide(s.learning_rate_scale),
          wide(s.weight_decay),
          s.first != nullptr,
          wide(a.momentum),
          a.nesterov,
          wide(a.beta1),
          wide(a.beta2),
          wide(a.epsilon),
          a.gradient_scale ? wide(*a.gradient_scale) : 1.0,
          wide(a.clip_value),
          a.state->step + 1};
}

// How far a float evaluation of the formulas may be from exact: every sum by its terms, carried through to the value.
UpdatedElement<double> allowed_errors(const UpdateSettings<double>& s, const UpdatedElement<double>& before,
                                      const UpdatedElement<double>& after, double raw) {
  const double first = std::abs(before.first), value = std::abs(before.value);
  double gradient = std::abs(raw * s.gradient_scale);
  if (s.clip_value > 0) gradient = std::min(gradient, s.clip_value);
  if (s.rule != UpdateRule::adamw) gradient += s.weight_decay * value;
  if (s.rule == UpdateRule::sgd) {
    const double buffer = (s.step == 1 || !s.with_buffer ? 0 : s.momentum * first) + gradient;
    return {allowed(2, value + s.learning_rate * (gradient + buffer)), allowed(2, buffer), 0};
  }
  const double mean = s.beta1 * first + 2 * (1 - s.beta1) * (first + gradient);
  const double square = s.beta2 * before.second + (1 - s.beta2) * gradient * gradient;
  const double correction1 = 1 - std::pow(s.beta1, static_cast<double>(s.step));
  const double correction2 = 1 - std::pow(s.beta2, static_cast<double>(s.step));
  const double deviation = std::sqrt(after.second / correction2) + s.epsilon;
  // d(1 / sqrt(v)) = dv / (2 v) / sqrt(v)
  const double relative = after.second > 0 ? 0.5 * square / after.second : 0;
  const double step = s.learning_rate / correction1 / deviation * (mean + std::abs(after.first) * (1 + 2 * relative));
  return {allowed(2, value + 2 * step), allowed(2, mean), allowed(2, 2 * square)};
}

void check_update(Parameters& p, const Update& a, Comparison& values, Comparison& states) {
  const Parameters before = p;
  execute(a);
  for (std::size_t s = 0; s < p.segments.size(); ++s) {
    const UpdateSettings<double> settings = settings_of(a, p.segments[s]);
    for (std::size_t i = 0; i < p.values[s].size(); ++i) {
      const UpdatedElement<double> old{static_cast<double>(before.values[s][i]),
                                       static_cast<double>(before.first[s][i]),
                                       static_cast<double>(before.second[s][i])};
      const double gradient = static_cast<double>(p.gradients[s][i]);
      const auto expected = reference::update(settings, old, gradient);
      const auto error = allowed_errors(settings, old, expected, gradient);
      values.check(static_cast<double>(p.values[s][i]), expected.value, error.value, i);
      states.check(static_cast<double>(p.first[s][i]), expected.first, error.first, i);
      states.check(static_cast<double>(p.second[s][i]), expected.second, error.second, i);
    }
  }
}

TEST(Optimizer, SgdMatchesTheReference) {
  Random random("sgd");
  Comparison values("sgd, value"), states("sgd, momentum");
  for (Kind kind : {Kind::normal, Kind::tiny, Kind::constant, Kind::one_hot})
    for (std::int64_t step : {0, 1, 1000})
      for (bool with_buffer : {false, true})
        for (float clip_value : {0.0f, 0.5f}) {
          Parameters p(random, awkward_counts, with_buffer, false, kind);
          const StepState state{0.1f, step, 0};
          const float scale = 0.3f;
          Update a = arguments(p, state, random.coin() ? &scale : nullptr, UpdateRule::sgd);
          a.nesterov = random.coin();
          a.clip_value = clip_value;
          check_update(p, a, values, states);
        }
}

TEST(Optimizer, AdamMatchesTheReference) {
  Random random("adam");
  Comparison values("adam and adamw, value"), states("adam and adamw, moments");
  for (Kind kind : {Kind::normal, Kind::tiny, Kind::constant, Kind::one_hot})
    for (std::int64_t step : {0, 1, 1000, 1000000})
      for (UpdateRule rule : {UpdateRule::adam, UpdateRule::adamw})
        for (float clip_value : {0.0f, 0.5f}) {
          Parameters p(random, awkward_counts, true, true, kind);
          if (step == 0)
            for (auto* moments : {&p.first, &p.second})
              for (auto& memory : *moments) std::fill(memory.begin(), memory.end(), 0.0f);
          const StepState state{0.01f, step, 0};
          const float scale = 0.3f;
          Update a = arguments(p, state, random.coin() ? &scale : nullptr, rule);
          a.clip_value = clip_value;
          check_update(p, a, values, states);
        }
}

// One step by hand: torch.optim on value 1, gradient 0.5.
TEST(Optimizer, FirstStepsByHand) {
  const StepState state{0.1f, 0, 0};
  float value = 1, gradient = 0.5f, first = 77, second = 0;
  const UpdateSegment segment{&value, &gradient, &first, &second, 1, 1, 0};
  Update a{&segment, 1, 1, &state, nullptr, UpdateRule::sgd, 0.9f, true, 0.9f, 0.999f, 1e-8f, 0};
  execute(a);
  EXPECT_FLOAT_EQ(value, 1 - 0.1f * 0.95f);  // nesterov: gradient + 0.9 buffer, and the buffer is the gradient
  EXPECT_FLOAT_EQ(first, 0.5f);
  value = 1, first = 0;
  a.rule = UpdateRule::adam;
  execute(a);
  EXPECT_FLOAT_EQ(value, 0.9f);  // the first step of Adam is the learning rate
}

TEST(Optimizer, NormAndScale) {
  Random random("gradient norm");
  Comparison norms("gradient norm");
  for (Kind kind : {Kind::normal, Kind::tiny, Kind::constant, Kind::one_hot, Kind::huge}) {
    const Parameters p(random, awkward_counts, false, false, kind);
    double square = 0;
    for (const auto& gradient : p.gradients)
      for (float value : gradient) square += static_cast<double>(value) * static_cast<double>(value);
    for (float largest : {0.5f, 1e20f}) {
      float norm = 0, scale = 0;
      execute(GradientNorm{p.segments.data(), p.count(), p.elements(), largest, &norm, &scale});
      // Summed in double, rounded once to float.
      norms.check(static_cast<double>(norm), std::sqrt(square), allowed(0, std::sqrt(square), 2), 0);
      const double ratio = std::min(1.0, static_cast<double>(largest) / (std::sqrt(square) + 1e-6));
      norms.check(static_cast<double>(scale), ratio, allowed(0, ratio, 2), 1);
    }
  }
}

TEST(Optimizer, NotANumberIsNotClippedAway) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  float value = 1, gradient = nan, norm = 0, scale = 0;
  const UpdateSegment segment{&value, &gradient, nullptr, nullptr, 1, 1, 0};
  execute(GradientNorm{&segment, 1, 1, 1.0f, &norm, &scale});
  EXPECT_TRUE(std::isnan(norm) && std::isnan(scale));
  const StepState state{0.1f, 0, 0};
  execute(Update{&segment, 1, 1, &state, nullptr, UpdateRule::sgd, 0, false, 0, 0, 0, 0.5f});
  EXPECT_TRUE(std::isnan(value));
}

TEST(Optimizer, AdvanceCountsSteps) {
  StepState state{0.1f, 41, 7};
  execute(AdvanceStep{&state});
  EXPECT_EQ(state.step, 42);
  EXPECT_EQ(state.seed, 7u);
}

TEST(Optimizer, TheSameBitsWhateverTheThreads) {
  for (UpdateRule rule : {UpdateRule::sgd, UpdateRule::adamw}) {
    std::vector<std::vector<float>> first;
    for (int threads : {1, 2, 2, 3}) {
      Random random("optimizer bits");
      Parameters p(random, awkward_counts, true, rule == UpdateRule::adamw, Kind::normal);
      const StepState state{0.1f, 3, 0};
      std::vector<float> norm(2);
      execute(GradientNorm{p.segments.data(), p.count(), p.elements(), 1.0f, &norm[0], &norm[1]}, threads);
      execute(arguments(p, state, &norm[1], rule), threads);
      std::vector<std::vector<float>> now{norm};
      for (const auto* part : {&p.values, &p.first, &p.second}) now.insert(now.end(), part->begin(), part->end());
      if (first.empty()) first = now;
      for (std::size_t i = 0; i < now.size(); ++i) EXPECT_TRUE(same_bits(now[i], first[i])) << threads << " " << i;
    }
  }
}

}  // namespace
}  // namespace preceptor::test
