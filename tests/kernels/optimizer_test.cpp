// Optimizer updates on every device against torch's formulas, element by element; the gradient norm; bits; bytes.
#include "kernels/optimizer/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>

#include "kernels/optimizer/reference.h"
#include "tests/support/compare.h"
#include "tests/support/variants.h"

namespace preceptor::test {
namespace {

using namespace kernels;
using reference::UpdatedElement;
using reference::UpdateSettings;

// An array that begins `offset` values behind an aligned address. What lies before it must keep its values.
template <class T>
class OffsetArray {
 public:
  OffsetArray(const Device& device, int offset, const std::vector<float>& values)
      : offset_(offset), buffer_(device, padded(offset, values)) {}

  T* data() const { return buffer_.data() + offset_; }
  std::vector<T> host() const {
    const std::vector<T> all = buffer_.host();
    EXPECT_TRUE(same_bits(std::vector<T>(all.begin(), all.begin() + offset_), padded(offset_, {}))) << "written before";
    return {all.begin() + offset_, all.end()};
  }

 private:
  static std::vector<T> padded(int offset, const std::vector<float>& values) {
    std::vector<T> result(static_cast<std::size_t>(offset), static_cast<T>(77.0f));
    for (float value : values) result.push_back(static_cast<T>(value));
    return result;
  }

  int offset_;
  DeviceBuffer<T> buffer_;
};

// One parameter on the device, and what it held before the update. Every array may begin anywhere.
struct Segment {
  Segment(Random& random, const Device& device, int count, Kind kind, bool zero_state)
      : old_value(random.values(count)),
        gradients(random.values(count, kind)),
        old_first(random.values(count)),
        old_second(random.values(count)),
        origins(random.values(count)),
        offset(random.coin() ? 0 : random.integer(1, 5)),
        value(device, offset, old_value),
        gradient(device, offset, gradients),
        first(device, random.coin() ? offset : random.integer(0, 5), zero_state ? zeros(count) : old_first),
        second(device, offset, zero_state ? zeros(count) : squares(old_second)),
        rounded(device, random.coin() ? offset : random.integer(0, 5), zeros(count)),
        origin(device, random.coin() ? offset : random.integer(0, 5), origins) {
    if (zero_state)
      old_first = old_second = zeros(count);
    else
      old_second = squares(old_second);
  }
  static std::vector<float> zeros(int count) { return std::vector<float>(static_cast<std::size_t>(count), 0.0f); }
  static std::vector<float> squares(std::vector<float> values) {
    for (float& v : values) v *= v;
    return values;
  }

  std::vector<float> old_value, gradients, old_first, old_second, origins;
  int offset;
  OffsetArray<float> value, gradient, first, second;
  OffsetArray<bfloat16> rounded;
  OffsetArray<float> origin;
};

// What of the state a rule has, and the parameters of awkward sizes with it.
enum class State { none, momentum, adam };

struct Parameters {
  Parameters(Random& random, const Device& device, const std::vector<int>& counts, State state, Kind kind,
             bool zero_state = false, std::int64_t start = 0) {
    for (int count : counts) {
      segments.push_back(std::make_unique<Segment>(random, device, count, kind, zero_state));
      const Segment& s = *segments.back();
      const bool with_rounded = random.coin(), with_origin = random.coin();
      table.push_back({.value = s.value.data(),
                       .gradient = s.gradient.data(),
                       .first = state == State::none ? nullptr : s.first.data(),
                       .second = state == State::adam ? s.second.data() : nullptr,
                       .rounded = with_rounded ? s.rounded.data() : nullptr,
                       .origin = with_origin ? s.origin.data() : nullptr,
                       .count = count,
                       .first_chunk = chunks,
                       .start = start,
                       .learning_rate_scale = static_cast<float>(random.uniform(0.5, 2)),
                       .weight_decay = static_cast<float>(random.uniform(0, 0.1))});
      chunks += update_chunks(count);
      elements += count;
      if (with_rounded) rounded_elements += count;
      if (with_origin) origin_elements += count;
    }
    on_device = std::make_unique<DeviceBuffer<UpdateSegment>>(device, table);
  }

  Update update(const StepState* state, const float* scale, UpdateRule rule) const {
    return {.segments = on_device->data(),
            .segment_count = static_cast<int>(table.size()),
            .chunks = chunks,
            .elements = elements,
            .rounded_elements = rounded_elements,
            .origin_elements = origin_elements,
            .state = state,
            .gradient_scale = scale,
            .rule = rule,
            .momentum = 0.9f,
            .nesterov = false,
            .beta1 = 0.9f,
            .beta2 = 0.999f,
            .epsilon = 1e-8f,
            .clip_value = 0};
  }
  GradientNorm norm(float max_norm, float* results) const {
    return {.segments = on_device->data(),
            .segment_count = static_cast<int>(table.size()),
            .chunks = chunks,
            .elements = elements,
            .max_norm = max_norm,
            .norm = results,
            .scale = results + 1,
            .workspace = nullptr};
  }

  std::vector<std::unique_ptr<Segment>> segments;
  std::vector<UpdateSegment> table;
  std::unique_ptr<DeviceBuffer<UpdateSegment>> on_device;
  std::int64_t chunks = 0, elements = 0, rounded_elements = 0, origin_elements = 0;
};

// Around vectors, warps, blocks and chunks.
const std::vector<int> awkward_counts{1, 31, 32, 33, 127, 128, 129, 5003, 61, 8191, 8192, 3, 8193, 20483, 2, 16384};

UpdateSettings<double> settings_of(const Update& a, const UpdateSegment& s, const StepState& state, float scale) {
  const auto wide = [](float value) { return static_cast<double>(value); };
  return {a.rule,
          wide(state.learning_rate) * wide(s.learning_rate_scale),
          wide(s.weight_decay),
          s.first != nullptr,
          wide(a.momentum),
          a.nesterov,
          wide(a.beta1),
          wide(a.beta2),
          wide(a.epsilon),
          wide(scale),
          wide(a.clip_value),
          state.step + 1 - s.start};
}

// How far a float evaluation of the formulas may be from exact: every sum by its terms, carried through to the value.
UpdatedElement<double> allowed_errors(const UpdateSettings<double>& s, const UpdatedElement<double>& before,
                                      const UpdatedElement<double>& after, double raw) {
  const double first = std::abs(before.first), value = std::abs(before.value);
  const double excess = value + std::abs(before.origin);
  double gradient = std::abs(raw * s.gradient_scale);
  if (s.clip_value > 0) gradient = std::min(gradient, s.clip_value);
  if (s.rule != UpdateRule::adamw) gradient += s.weight_decay * excess;
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
  const double shrunk = s.rule == UpdateRule::adamw ? s.learning_rate * s.weight_decay * excess : 0;
  return {allowed(2, value + 2 * shrunk + 2 * step), allowed(2, mean), allowed(2, 2 * square)};
}

void check_update(const Parameters& p, const Update& a, const StepState& state, float scale, const Device& device,
                  Comparison& values, Comparison& states) {
  execute_on(a, device);
  for (std::size_t s = 0; s < p.table.size(); ++s) {
    const Segment& segment = *p.segments[s];
    const UpdateSettings<double> settings = settings_of(a, p.table[s], state, scale);
    const auto value = segment.value.host(), first = segment.first.host(), second = segment.second.host();
    for (std::size_t i = 0; i < value.size(); ++i) {
      const UpdatedElement<double> old{
          static_cast<double>(segment.old_value[i]), static_cast<double>(segment.old_first[i]),
          static_cast<double>(segment.old_second[i]), p.table[s].origin ? static_cast<double>(segment.origins[i]) : 0};
      const double gradient = static_cast<double>(segment.gradients[i]);
      const auto expected = reference::update(settings, old, gradient);
      const auto error = allowed_errors(settings, old, expected, gradient);
      values.check(static_cast<double>(value[i]), expected.value, error.value, i);
      states.check(static_cast<double>(first[i]), expected.first, error.first, i);
      states.check(static_cast<double>(second[i]), expected.second, error.second, i);
    }
    const auto expected_rounded = p.table[s].rounded ? value : Segment::zeros(static_cast<int>(value.size()));
    EXPECT_TRUE(same_bits(segment.rounded.host(), stored<bfloat16>(expected_rounded))) << s;
    EXPECT_TRUE(same_bits(segment.gradient.host(), segment.gradients)) << s;
  }
}

class Optimizer : public DeviceTest {
 protected:
  std::string label(const char* what) const { return name_of(device().kind) + ", " + what; }
};

TEST_P(Optimizer, SgdMatchesTheReference) {
  Random random("sgd");
  Comparison values(label("sgd, value")), states(label("sgd, momentum"));
  for (Kind kind : {Kind::normal, Kind::tiny, Kind::constant, Kind::one_hot})
    for (std::int64_t step : {0, 1, 1000})
      for (bool with_buffer : {false, true})
        for (float clip_value : {0.0f, 0.5f}) {
          if (watched(device()) && kind != Kind::normal && random.coin()) continue;
          const Parameters p(random, device(), awkward_counts, with_buffer ? State::momentum : State::none, kind, false,
                             random.coin() ? step : 0);
          const StepState state{0.1f, step, 0};
          const DeviceBuffer<StepState> on_device(device(), {state});
          const DeviceBuffer<float> scale(device(), {0.3f});
          const bool scaled = random.coin();
          Update a = p.update(on_device.data(), scaled ? scale.data() : nullptr, UpdateRule::sgd);
          a.nesterov = random.coin();
          a.clip_value = clip_value;
          check_update(p, a, state, scaled ? 0.3f : 1.0f, device(), values, states);
        }
}

TEST_P(Optimizer, AdamMatchesTheReference) {
  Random random("adam");
  Comparison values(label("adam and adamw, value")), states(label("adam and adamw, moments"));
  for (Kind kind : {Kind::normal, Kind::tiny, Kind::constant, Kind::one_hot})
    for (std::int64_t step : {0, 1, 1000, 1000000})
      for (UpdateRule rule : {UpdateRule::adam, UpdateRule::adamw})
        for (float clip_value : {0.0f, 0.5f}) {
          if (watched(device()) && kind != Kind::normal && random.coin()) continue;
          const std::int64_t start = random.coin() ? step : 0;
          const Parameters p(random, device(), awkward_counts, State::adam, kind, step == start, start);
          const StepState state{0.01f, step, 0};
          const DeviceBuffer<StepState> on_device(device(), {state});
          const DeviceBuffer<float> scale(device(), {0.3f});
          const bool scaled = random.coin();
          Update a = p.update(on_device.data(), scaled ? scale.data() : nullptr, rule);
          a.clip_value = clip_value;
          check_update(p, a, state, scaled ? 0.3f : 1.0f, device(), values, states);
        }
}

// More segments than a warp finds its own among in one look, and in two; most of them one element long.
TEST_P(Optimizer, AnyNumberOfSegments) {
  Random random("many segments");
  Comparison values(label("many segments, value")), states(label("many segments, momentum"));
  for (int count : {1, 2, 32, 33, 65, 1023, 1025, 1100}) {
    std::vector<int> counts;
    for (int i = 0; i < count; ++i) counts.push_back(random.integer(0, 30) == 0 ? random.integer(2, 20000) : 1);
    if (count > 100)
      for (int& n : counts) n = std::min(n, 9000);
    const Parameters p(random, device(), counts, State::momentum, Kind::normal);
    const StepState state{0.1f, 3, 0};
    const DeviceBuffer<StepState> on_device(device(), {state});
    check_update(p, p.update(on_device.data(), nullptr, UpdateRule::sgd), state, 1, device(), values, states);
  }
}

// One step by hand: torch.optim on value 1, gradient 0.5. The momentum of the first step is the gradient, whatever was
// in its memory.
TEST_P(Optimizer, FirstStepsByHand) {
  const DeviceBuffer<StepState> state(device(), {{0.1f, 0, 0}});
  const auto after = [&](UpdateRule rule, float old_first) {
    const DeviceBuffer<float> value(device(), {1}), gradient(device(), {0.5f}), first(device(), {old_first});
    const DeviceBuffer<float> second(device(), {0});
    const DeviceBuffer<UpdateSegment> segment(
        device(), {{value.data(), gradient.data(), first.data(), second.data(), nullptr, nullptr, 1, 0, 0, 1, 0}});
    execute_on(Update{segment.data(), 1, 1, 1, 0, 0, state.data(), nullptr, rule, 0.9f, true, 0.9f, 0.999f, 1e-8f, 0},
               device());
    return std::pair{value.host()[0], first.host()[0]};
  };
  for (float old_first : {77.0f, std::numeric_limits<float>::quiet_NaN()}) {
    const auto [value, first] = after(UpdateRule::sgd, old_first);
    EXPECT_FLOAT_EQ(value, 1 - 0.1f * 0.95f);  // nesterov: gradient + 0.9 buffer, and the buffer is the gradient
    EXPECT_FLOAT_EQ(first, 0.5f);
  }
  EXPECT_FLOAT_EQ(after(UpdateRule::adam, 0).first, 0.9f);  // the first step of Adam is the learning rate
}

TEST_P(Optimizer, NormAndScale) {
  Random random("gradient norm");
  Comparison norms(label("gradient norm"));
  const std::vector<int> many(600, 1);  // more partial sums than a block has threads
  for (const auto& counts : {awkward_counts, std::vector<int>{1}, many})
    for (Kind kind : {Kind::normal, Kind::tiny, Kind::constant, Kind::one_hot, Kind::huge}) {
      if (counts == many && kind != Kind::normal) continue;
      const Parameters p(random, device(), counts, State::none, kind);
      double square = 0;
      for (const auto& segment : p.segments)
        for (float value : segment->gradients) square += static_cast<double>(value) * static_cast<double>(value);
      for (float largest : {0.5f, 1e20f}) {
        const DeviceBuffer<float> results(device(), {-1, -1});
        execute_with_workspace(p.norm(largest, results.data()), device());
        const auto actual = results.host();
        // Summed in double, rounded once to float.
        norms.check(static_cast<double>(actual[0]), std::sqrt(square), allowed(0, std::sqrt(square), 2), 0);
        const double ratio = std::min(1.0, static_cast<double>(largest) / (std::sqrt(square) + 1e-6));
        norms.check(static_cast<double>(actual[1]), ratio, allowed(0, ratio, 2), 1);
      }
    }
}

TEST_P(Optimizer, NotANumberIsNotClippedAway) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const DeviceBuffer<StepState> state(device(), {{0.1f, 0, 0}});
  for (std::size_t at : {0u, 7u, 8u}) {  // in a group of 16 bytes, and behind the last
    std::vector<float> gradients(9, 1.0f);
    gradients[at] = nan;
    const DeviceBuffer<float> value(device(), std::vector<float>(9, 1.0f)), gradient(device(), gradients);
    const DeviceBuffer<float> results(device(), {0, 0});
    const DeviceBuffer<bfloat16> rounded(device(), std::vector<bfloat16>(9));
    const DeviceBuffer<UpdateSegment> segment(
        device(), {{value.data(), gradient.data(), nullptr, nullptr, rounded.data(), nullptr, 9, 0, 0, 1, 0}});
    execute_with_workspace(GradientNorm{segment.data(), 1, 1, 9, 1.0f, results.data(), results.data() + 1, nullptr},
                           device());
    EXPECT_TRUE(std::isnan(results.host()[0]) && std::isnan(results.host()[1]));
    execute_on(Update{segment.data(), 1, 1, 9, 9, 0, state.data(), nullptr, UpdateRule::sgd, 0, false, 0, 0, 0, 0.5f},
               device());
    for (std::size_t i = 0; i < 9; ++i) {
      EXPECT_EQ(std::isnan(value.host()[i]), i == at);
      EXPECT_EQ(std::isnan(static_cast<float>(rounded.host()[i])), i == at);
    }
  }
}

TEST_P(Optimizer, AdvanceCountsSteps) {
  const DeviceBuffer<StepState> state(device(), {{0.1f, 41, 7}});
  execute_on(AdvanceStep{state.data()}, device());
  EXPECT_EQ(state.host()[0].step, 42);
  EXPECT_EQ(state.host()[0].seed, 7u);
}

TEST_P(Optimizer, TheSameBitsInAnyOrder) {
  for (UpdateRule rule : {UpdateRule::sgd, UpdateRule::adamw}) {
    std::vector<std::vector<float>> first;
    for (const Device& variant : five_variants(device())) {
      Random random("optimizer bits");
      const Parameters p(random, device(), awkward_counts, rule == UpdateRule::sgd ? State::momentum : State::adam,
                         Kind::normal);
      const DeviceBuffer<StepState> state(device(), {{0.1f, 3, 0}});
      const DeviceBuffer<float> norm(device(), {0, 0});
      execute_with_workspace(p.norm(1, norm.data()), variant);
      execute_on(p.update(state.data(), norm.data() + 1, rule), variant);
      std::vector<std::vector<float>> now{norm.host()};
      for (const auto& s : p.segments) now.insert(now.end(), {s->value.host(), s->first.host(), s->second.host()});
      if (first.empty()) first = now;
      for (std::size_t i = 0; i < now.size(); ++i) EXPECT_TRUE(same_bits(now[i], first[i])) << i;
    }
  }
}

// What a warp moves is what cost() says: finding a segment is a few percent beside a chunk.
TEST_P(Optimizer, MovesWhatCostSays) {
  if (device().kind != DeviceKind::emulated || !emulator::counters_available())
    GTEST_SKIP() << "the emulated device counts accesses where it watches them";
  Random random("optimizer counters");
  constexpr int count = 65536;
  const DeviceBuffer<float> value(device(), random.values(count)), gradient(device(), random.values(count));
  const DeviceBuffer<float> first(device(), random.values(count)), results(device(), {0, 0});
  const DeviceBuffer<float> origin(device(), random.values(count));
  const DeviceBuffer<float> second(device(), Segment::squares(random.values(count)));
  const DeviceBuffer<bfloat16> rounded(device(), std::vector<bfloat16>(count));
  const DeviceBuffer<StepState> state(device(), {{0.1f, 3, 0}});
  for (int parts : {1, 8}) {  // all in one segment, or in eight of a chunk each
    for (State kept : {State::none, State::momentum, State::adam}) {
      std::vector<UpdateSegment> table;
      const std::int64_t length = count / parts;
      for (int i = 0; i < parts; ++i) {
        const std::int64_t at = i * length;
        table.push_back({value.data() + at, gradient.data() + at, kept == State::none ? nullptr : first.data() + at,
                         kept == State::adam ? second.data() + at : nullptr, rounded.data() + at, origin.data() + at,
                         length, i * update_chunks(length), 0, 1, 0.01f});
      }
      const DeviceBuffer<UpdateSegment> segments(device(), table);
      const auto chunks = parts * update_chunks(length);
      const UpdateRule rule = kept == State::adam ? UpdateRule::adam : UpdateRule::sgd;
      const float momentum = kept == State::none ? 0.0f : 0.9f;
      const std::string what = kept == State::none ? "sgd" : kept == State::momentum ? "sgd, momentum" : "adam";
      const std::string text = what + ", " + std::to_string(parts) + " segments";
      expect_moves_what_cost_says(Update{segments.data(), parts, chunks, count, count, count, state.data(), nullptr,
                                         rule, momentum, false, 0.9f, 0.999f, 1e-8f, 0},
                                  device(), text);
      if (kept == State::none)
        expect_moves_what_cost_says(
            GradientNorm{segments.data(), parts, chunks, count, 1, results.data(), results.data() + 1, nullptr},
            device(), "gradient norm, " + std::to_string(parts) + " segments");
    }
  }
}

INSTANTIATE_ON_ALL_DEVICES(Optimizer);

}  // namespace
}  // namespace preceptor::test
