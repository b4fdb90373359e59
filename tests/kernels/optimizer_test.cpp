// Optimizer updates on every device against torch's formulas, element by element; the gradient norm; bits; bytes.
#include "kernels/optimizer/optimizer.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/kernels/optimizer_problem.h"

namespace preceptor::test {
namespace {

using namespace kernels;
using namespace optimizer;

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
  for (std::size_t at : {0u, 7u, 8u}) {  // in a group of 16 bytes, and after the last
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

// A warp moves the bytes that cost() states: finding a segment is a few percent beside a chunk.
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
