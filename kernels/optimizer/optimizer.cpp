// Optimiser updates on the cpu: one pass over all parameters, cut into equal pieces for the threads.
#include "kernels/optimizer/optimizer.h"

#include <algorithm>
#include <cmath>

#include "kernels/device/lanes.h"

namespace preceptor::kernels {
namespace {

// Elements per piece of work. Pieces do not depend on the number of threads, so neither do sums over them.
constexpr std::int64_t piece = 1 << 14;

// Calls visit(segment, begin, end, piece number) for every piece, in parallel.
template <class Visit>
void for_each_piece(const UpdateSegment* segments, int count, const Visit& visit) {
  std::int64_t pieces = 0;
  for (int s = 0; s < count; ++s) pieces += (segments[s].count + piece - 1) / piece;
#pragma omp parallel for schedule(static) if (pieces > 1)
  for (std::int64_t number = 0; number < pieces; ++number) {
    std::int64_t local = number;
    int s = 0;
    for (std::int64_t here; local >= (here = (segments[s].count + piece - 1) / piece); ++s) local -= here;
    visit(segments[s], local * piece, std::min((local + 1) * piece, segments[s].count), number);
  }
}

// The gradient as the rules see it: scaled by the norm's clip, clamped, with L2 decay where the rule wants it.
struct Gradient {
  float scale, limit, decay;
  Gradient(const Update& a, const UpdateSegment& segment)
      : scale(a.gradient_scale ? *a.gradient_scale : 1.0f),
        limit(a.clip_value > 0 ? a.clip_value : INFINITY),
        decay(a.rule == UpdateRule::adamw ? 0.0f : segment.weight_decay) {}
  float operator()(float gradient, float value) const {
    return std::max(-limit, std::min(limit, gradient * scale)) + decay * value;
  }
};

// Mapping: one read-modify-write pass. Bytes: 12 per parameter plain, 20 with momentum. The momentum buffer starts at
// 0, which makes the first step's buffer the gradient, as in torch.
void sgd(const Update& a, const UpdateSegment& s, std::int64_t begin, std::int64_t end) {
  const Gradient gradient(a, s);
  const float rate = a.state->learning_rate * s.learning_rate_scale, momentum = a.momentum;
  float* __restrict value = s.value;
  const float* __restrict d = s.gradient;
  float* __restrict buffer = s.first;
  if (!buffer) {
    for (std::int64_t i = begin; i < end; ++i) value[i] -= rate * gradient(d[i], value[i]);
  } else if (a.nesterov) {
    for (std::int64_t i = begin; i < end; ++i) {
      const float g = gradient(d[i], value[i]);
      buffer[i] = momentum * buffer[i] + g;
      value[i] -= rate * (g + momentum * buffer[i]);
    }
  } else {
    for (std::int64_t i = begin; i < end; ++i) {
      buffer[i] = momentum * buffer[i] + gradient(d[i], value[i]);
      value[i] -= rate * buffer[i];
    }
  }
}

// Mapping: one read-modify-write pass. Bytes: 28 per parameter. Kingma and Ba 2015; AdamW's decay acts on the
// parameter (Loshchilov and Hutter 2019). Bias corrections in double: 1 - beta^t loses digits for small t in float.
void adam(const Update& a, const UpdateSegment& s, std::int64_t begin, std::int64_t end) {
  const Gradient gradient(a, s);
  const auto step = static_cast<double>(a.state->step + 1);
  const double rate = static_cast<double>(a.state->learning_rate) * static_cast<double>(s.learning_rate_scale);
  const auto step_size = static_cast<float>(rate / (1 - std::pow(static_cast<double>(a.beta1), step)));
  const auto correction = static_cast<float>(1 / std::sqrt(1 - std::pow(static_cast<double>(a.beta2), step)));
  const auto shrink =
      a.rule == UpdateRule::adamw ? static_cast<float>(1 - rate * static_cast<double>(s.weight_decay)) : 1.0f;
  const float beta1 = a.beta1, beta2 = a.beta2, epsilon = a.epsilon;
  float* __restrict value = s.value;
  const float* __restrict d = s.gradient;
  float* __restrict first = s.first;
  float* __restrict second = s.second;
  for (std::int64_t i = begin; i < end; ++i) {
    const float g = gradient(d[i], value[i]);
    first[i] += (1 - beta1) * (g - first[i]);
    second[i] = beta2 * second[i] + (1 - beta2) * g * g;
    value[i] = shrink * value[i] - step_size * first[i] / (std::sqrt(second[i]) * correction + epsilon);
  }
}

}  // namespace

Cost cost(const Update& a) {
  const auto elements = static_cast<double>(a.elements);
  if (a.rule != UpdateRule::sgd) return {28 * elements, 15 * elements};
  return a.momentum != 0 ? Cost{20 * elements, 6 * elements} : Cost{12 * elements, 4 * elements};
}

void run_on(Cpu, const Update& a) {
  for_each_piece(a.segments, a.segment_count,
                 [&](const UpdateSegment& segment, std::int64_t begin, std::int64_t end, std::int64_t) {
                   a.rule == UpdateRule::sgd ? sgd(a, segment, begin, end) : adam(a, segment, begin, end);
                 });
}

Cost cost(const GradientNorm& a) {
  const auto elements = static_cast<double>(a.elements);
  return {4 * elements, 2 * elements};
}

// Mapping: a partial sum per piece, added in order: the same bits for any number of threads.
void run_on(Cpu, const GradientNorm& a) {
  const std::int64_t pieces = a.elements / piece + a.segment_count;  // at most this many
  double* partial = scratch<double>(static_cast<std::size_t>(pieces));
  std::fill_n(partial, pieces, 0.0);
  for_each_piece(a.segments, a.segment_count,
                 [partial](const UpdateSegment& segment, std::int64_t begin, std::int64_t end, std::int64_t number) {
                   double sums[16] = {};
                   for (std::int64_t i = begin; i < end; ++i) {
                     const double g = static_cast<double>(segment.gradient[i]);
                     sums[(i - begin) & 15] += g * g;
                   }
                   for (double sum : sums) partial[number] += sum;
                 });
  double total = 0;
  for (std::int64_t i = 0; i < pieces; ++i) total += partial[i];
  *a.norm = static_cast<float>(std::sqrt(total));
  *a.scale = std::min(1.0f, a.max_norm / (*a.norm + 1e-6f));
}

Cost cost(const AdvanceStep&) { return {16, 1}; }

void run_on(Cpu, const AdvanceStep& a) { a.state->step += 1; }

}  // namespace preceptor::kernels
