// Parameters for optimizer updates, on any device and at any address, and the comparison with the reference.
#pragma once

#include <cmath>
#include <memory>

#include "kernels/optimizer/optimizer.h"
#include "kernels/optimizer/reference.h"
#include "tests/support/compare.h"
#include "tests/support/variants.h"

namespace preceptor::test::optimizer {

using namespace kernels;
using reference::UpdatedElement;
using reference::UpdateSettings;

// An array that begins `offset` values after an aligned address. The values before it must stay as they are.
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

// One parameter on the device, and its values before the update. Every array may begin anywhere.
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

// The optimizer state that a rule keeps.
enum class State { none, momentum, adam };

// Parameters of the given sizes with their state, and the arguments of the launches over them.
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
inline const std::vector<int> awkward_counts{1,  31,   32,   33, 127,  128,   129, 5003,
                                             61, 8191, 8192, 3,  8193, 20483, 2,   16384};

inline UpdateSettings<double> settings_of(const Update& a, const UpdateSegment& s, const StepState& state,
                                          float scale) {
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
inline UpdatedElement<double> allowed_errors(const UpdateSettings<double>& s, const UpdatedElement<double>& before,
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

inline void check_update(const Parameters& p, const Update& a, const StepState& state, float scale,
                         const Device& device, Comparison& values, Comparison& states) {
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

}  // namespace preceptor::test::optimizer
