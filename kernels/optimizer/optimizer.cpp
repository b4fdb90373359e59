// Updates of all parameters on the cpu: one pass over memory, the total range of elements divided evenly.
#include "kernels/optimizer/optimizer.h"

#include <omp.h>

#include <algorithm>
#include <cmath>

#include "kernels/device/cpu_loops.h"

namespace preceptor::kernels {
namespace {

std::int64_t count_elements(const UpdateSegment* segments, int segment_count) {
  std::int64_t total = 0;
  for (int i = 0; i < segment_count; ++i) total += segments[i].count;
  return total;
}

// Calls function(segment, first, last) for the parts of segments in [begin, end) of all their elements in a row.
template <class Function>
void for_range(const UpdateSegment* segments, int segment_count, std::int64_t begin, std::int64_t end,
               const Function& function) {
  std::int64_t offset = 0;
  for (int i = 0; i < segment_count && offset < end; offset += segments[i++].count) {
    const std::int64_t first = std::max(begin - offset, std::int64_t{0});
    const std::int64_t last = std::min(end - offset, segments[i].count);
    if (first < last) function(segments[i], first, last);
  }
}

// One update of a segment; what is the same for all its elements is computed once, in double.
struct Step {
  Step(const Update& a, const UpdateSegment& s)
      : gradient_scale(a.gradient_scale ? *a.gradient_scale : 1.0f),
        clip_value(a.clip_value),
        rate(static_cast<double>(a.state->learning_rate) * static_cast<double>(s.learning_rate_scale)),
        first_step(a.state->step == s.start),
        momentum(a.momentum),
        nesterov(a.nesterov),
        keep1(a.beta1),
        keep2(a.beta2),
        epsilon(a.epsilon) {
    const double beta1 = static_cast<double>(a.beta1), beta2 = static_cast<double>(a.beta2);
    const double step = static_cast<double>(a.state->step + 1 - s.start);
    add1 = static_cast<float>(1 - beta1);
    add2 = static_cast<float>(1 - beta2);
    correction1 = 1 - std::pow(beta1, step);
    inverse_root_correction2 = static_cast<float>(1 / std::sqrt(1 - std::pow(beta2, step)));
  }

  template <bool clipped>
  float gradient(float raw) const {
    const float scaled = raw * gradient_scale;
    if constexpr (!clipped) return scaled;
    // In this form a NaN stays a NaN.
    const float below = scaled > clip_value ? clip_value : scaled;
    return below < -clip_value ? -clip_value : below;
  }

  float gradient_scale, clip_value;
  double rate;
  bool first_step;
  float momentum;
  bool nesterov;
  float keep1, add1, keep2, add2, epsilon;
  double correction1;
  float inverse_root_correction2;
};

// The variants that an inner loop is compiled for.
template <bool clips, bool rounds, bool has_origin>
struct Form {
  static constexpr bool clipped = clips;

  // The value that weight decay shrinks.
  static float excess(const UpdateSegment& s, std::int64_t i) {
    return has_origin ? s.value[i] - s.origin[i] : s.value[i];
  }
  // The new value, and its rounded copy.
  static void set_value(const UpdateSegment& s, std::int64_t i, float value) {
    s.value[i] = value;
    if constexpr (rounds) s.rounded[i] = bfloat16(value);
  }
};

template <class Form>
void sgd(const Step step, const UpdateSegment& s, std::int64_t first, std::int64_t last) {
  const float rate = static_cast<float>(step.rate);
  const auto decayed = [&](std::int64_t i) {
    return step.gradient<Form::clipped>(s.gradient[i]) + s.weight_decay * Form::excess(s, i);
  };
  if (!s.first) {
#pragma omp simd
    for (std::int64_t i = first; i < last; ++i) Form::set_value(s, i, s.value[i] - rate * decayed(i));
    return;
  }
  // On the first step the buffer is the gradient, whatever the memory held.
  const auto with_buffer = [&](auto first_step) {
    const float along = step.nesterov ? 1.0f : 0.0f, by_buffer = step.nesterov ? step.momentum : 1.0f;
#pragma omp simd
    for (std::int64_t i = first; i < last; ++i) {
      const float gradient = decayed(i);
      const float buffer = first_step ? gradient : step.momentum * s.first[i] + gradient;
      s.first[i] = buffer;
      Form::set_value(s, i, s.value[i] - rate * (along * gradient + by_buffer * buffer));
    }
  };
  specialize(with_buffer, step.first_step);
}

template <class Form>
void adam(const Step step, const UpdateSegment& s, bool decoupled, std::int64_t first, std::int64_t last) {
  const float step_size = static_cast<float>(step.rate / step.correction1);
  const float shrink = decoupled ? static_cast<float>(step.rate * static_cast<double>(s.weight_decay)) : 0.0f;
  const float decay = decoupled ? 0.0f : s.weight_decay;
#pragma omp simd
  for (std::int64_t i = first; i < last; ++i) {
    const float excess = Form::excess(s, i);
    const float gradient = step.gradient<Form::clipped>(s.gradient[i]) + decay * excess;
    const float mean = s.first[i] + step.add1 * (gradient - s.first[i]);
    const float square = step.keep2 * s.second[i] + step.add2 * gradient * gradient;
    s.first[i] = mean;
    s.second[i] = square;
    const float deviation = std::sqrt(square) * step.inverse_root_correction2 + step.epsilon;
    Form::set_value(s, i, s.value[i] - shrink * excess - step_size * mean / deviation);
  }
}

void update(const Update& a, const UpdateSegment& segment, std::int64_t first, std::int64_t last) {
  const Step step(a, segment);
  const auto run = [&](auto clipped, auto rounded, auto has_origin) {
    using F = Form<clipped(), rounded(), has_origin()>;
    if (a.rule == UpdateRule::sgd)
      sgd<F>(step, segment, first, last);
    else
      adam<F>(step, segment, a.rule == UpdateRule::adamw, first, last);
  };
  specialize(run, a.clip_value > 0, segment.rounded != nullptr, segment.origin != nullptr);
}

}  // namespace

// mapping: an equal part of all elements per thread, whatever the segments' sizes; bytes: value, gradient and state
// read, value, state and rounded copy written; operations: 4 (sgd) to 16 (adam) per element.
void run_on(Cpu, const Update& a) {
  const std::int64_t total = count_elements(a.segments, a.segment_count);
#pragma omp parallel if (worth_threads(total))
  {
    const std::int64_t threads = omp_get_num_threads(), thread = omp_get_thread_num();
    for_range(
        a.segments, a.segment_count, total * thread / threads, total * (thread + 1) / threads,
        [&](const UpdateSegment& segment, std::int64_t first, std::int64_t last) { update(a, segment, first, last); });
  }
}

// mapping: 256 equal parts of all elements over threads, added in order, so the norm does not depend on the threads;
// bytes: gradients read; operations: 2 per element; hazard: squares in double, those of floats above 1e19 overflow.
void run_on(Cpu, const GradientNorm& a) {
  constexpr int parts = 256;
  double sums[parts] = {};
  const std::int64_t total = count_elements(a.segments, a.segment_count);
#pragma omp parallel for schedule(static) if (worth_threads(total))
  for (int part = 0; part < parts; ++part) {
    double sum = 0;
    for_range(a.segments, a.segment_count, total * part / parts, total * (part + 1) / parts,
              [&sum](const UpdateSegment& segment, std::int64_t first, std::int64_t last) {
                double squares = 0;
                for (std::int64_t i = first; i < last; ++i)
                  squares += static_cast<double>(segment.gradient[i]) * static_cast<double>(segment.gradient[i]);
                sum += squares;
              });
    sums[part] = sum;
  }
  double square = 0;
  for (double sum : sums) square += sum;
  const double norm = std::sqrt(square), scale = static_cast<double>(a.max_norm) / (norm + 1e-6);
  *a.norm = static_cast<float>(norm);
  *a.scale = scale > 1 ? 1.0f : static_cast<float>(scale);  // a NaN passes
}

// mapping: one thread; bytes: 16; operations: 1.
void run_on(Cpu, const AdvanceStep& a) { a.state->step += 1; }

std::size_t workspace_bytes(const GradientNorm& a, const Device& device) {
  return device.kind == DeviceKind::cpu ? 0 : static_cast<std::size_t>(a.chunks) * sizeof(double);
}

}  // namespace preceptor::kernels
