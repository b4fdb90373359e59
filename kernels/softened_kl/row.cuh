// The arithmetic of softened KL: what is done with a class, in every mapping of rows onto threads.
#pragma once

#include "kernels/cross_entropy/label_loss.cuh"
#include "kernels/device/gpu.h"

namespace preceptor::kernels {

// A class's term of the divergence sum p log(p / q), and d (T divergence) / d (student's logit).
struct Term {
  float divergence, gradient;
};

// p and q are the class's probabilities, d = log(q / p). As sum p = sum q, sum p log(p / q) = sum p (e^d - 1 - d),
// which has no negative term.
__device__ inline Term softened_term(float p, float q, float d) {
  if (fabsf(d) >= 0.5f) return {fmaf(-p, d, q - p), q - p};
  // If q is near p, both differences would lose the digits that they share; Taylor's series instead; the first
  // coefficient left out, 1 / 9!, is at most 4e-8 of the sum, less than a rounding.
  float series = 1.0f / 40320;
  series = fmaf(series, d, 1.0f / 5040);
  series = fmaf(series, d, 1.0f / 720);
  series = fmaf(series, d, 1.0f / 120);
  series = fmaf(series, d, 1.0f / 24);
  series = fmaf(series, d, 1.0f / 6);
  series = fmaf(series, d, 0.5f);
  const float excess = series * d * d;  // e^d - 1 - d
  return {p * excess, p * (d + excess)};
}

// exp(x / T) is computed as 2^(x bits).
struct Softening {
  float temperature, inverse, bits;
  __host__ __device__ explicit Softening(float t) : temperature(t), inverse(1 / t), bits(log2_e / t) {}
};

// Values of a row that all its threads need: the largest logits ...
struct Maxima {
  float student = no_logit, teacher = no_logit;
  __device__ void add(float s, float t) {
    student = fmaxf(student, s);
    teacher = fmaxf(teacher, t);
  }
};

// ... and sums of exp((logit - maximum) / T); with labels also that of exp(logit - maximum) over all classes of the
// student but the label, and the label's logit.
template <bool hard>
struct Sums {
  float student = 0, teacher = 0, others = 0, label = 0;

  __device__ void add(float s, float t, bool is_label, const Maxima& maxima, const Softening& softening) {
    student += exp2f((s - maxima.student) * softening.bits);
    teacher += exp2f((t - maxima.teacher) * softening.bits);
    if (!hard) return;
    if (is_label)
      label = s;
    else
      others += exp2f((s - maxima.student) * log2_e);
  }
  __device__ void change_maxima(const Maxima& from, const Maxima& to, const Softening& softening) {
    student *= exp2f((from.student - to.student) * softening.bits);
    teacher *= exp2f((from.teacher - to.teacher) * softening.bits);
    if (hard) others *= exp2f((from.student - to.student) * log2_e);
  }
};

// A row whose statistics are known: every class is on its own now.
template <bool hard>
class Row {
 public:
  __device__ Row(const Softening& softening, const Maxima& maxima, const Sums<hard>& sums, bool labelled, float scale,
                 float hard_scale)
      : softening_(softening),
        maxima_(maxima),
        distance_(maxima.student - maxima.teacher),
        log_ratio_(logf(sums.student / sums.teacher)),
        student_factor_(1 / sums.student),
        teacher_factor_(1 / sums.teacher),
        scale_(scale * softening.temperature) {
    if (hard && labelled) hard_ = LabelLoss(hard_scale, maxima.student, sums.label, sums.others);
  }

  // The derivative of the row's loss by the student's logit s; adds the class to the divergence.
  __device__ float gradient(float s, float t, bool is_label, float& divergence) const {
    const float q = exp2f((s - maxima_.student) * softening_.bits) * student_factor_;
    const float p = exp2f((t - maxima_.teacher) * softening_.bits) * teacher_factor_;
    // log(q / p), with the exact difference first: equal logits cost exactly nothing.
    const float d = fmaf((s - t) - distance_, softening_.inverse, -log_ratio_);
    const Term term = softened_term(p, q, d);
    divergence += term.divergence;
    float gradient = scale_ * term.gradient;
    if (hard) gradient += is_label ? hard_.label_gradient : hard_.factor * exp2f((s - maxima_.student) * log2_e);
    return gradient;
  }
  __device__ float loss(float divergence) const {
    const float soft = scale_ * softening_.temperature * divergence;
    return hard ? soft + hard_.loss : soft;
  }

 private:
  Softening softening_;
  Maxima maxima_;
  float distance_;   // distance of the maxima
  float log_ratio_;  // ratio of the sums; with distance_, the part of log(q / p) that all classes share
  float student_factor_, teacher_factor_, scale_;
  LabelLoss hard_;  // zeros without a label
};

// The same for a label that is a distribution of its own over yes and no: a softmax over the logits {z, 0}. Flipping
// both logits exchanges yes and no: the teacher always holds no for unlikely, and the derivative of what is unlikely
// has the digits.
__device__ inline Term binary_term(float student, float teacher, const Softening& softening) {
  const float flip = copysignf(1.0f, teacher), s = flip * student, t = flip * teacher;
  const float small_s = exp2f(-fabsf(s) * softening.bits), small_t = exp2f(-t * softening.bits);
  const float high_s = 1 / (1 + small_s), high_t = 1 / (1 + small_t);
  const float low_s = small_s * high_s, low_t = small_t * high_t;
  const float log_ratio = logf((1 + small_s) / (1 + small_t));
  // The logits' part of log(q / p) is min(s, 0) for yes and t - max(s, 0) for no.
  const Term yes = softened_term(high_t, s < 0 ? low_s : high_s, fmaf(fminf(s, 0.0f), softening.inverse, -log_ratio));
  const Term no = softened_term(low_t, s < 0 ? high_s : low_s, fmaf(t - fmaxf(s, 0.0f), softening.inverse, -log_ratio));
  return {yes.divergence + no.divergence, -flip * no.gradient};
}

// Maxima and sums in one pass over the logits.
template <bool hard>
struct OnlineSums {
  Maxima maxima;
  Sums<hard> sums;

  // `count` classes, of which `label` is the label's index, if it is one of them.
  template <int count>
  __device__ void add(const float (&s)[count], const float (&t)[count], int label, const Softening& softening) {
    Maxima now = maxima;
    for (int i = 0; i < count; ++i) now.add(s[i], t[i]);
    change_maxima(now, softening);
    for (int i = 0; i < count; ++i) sums.add(s[i], t[i], i == label, maxima, softening);
  }
  __device__ void change_maxima(const Maxima& to, const Softening& softening) {
    sums.change_maxima(maxima, to, softening);
    maxima = to;
  }
};

}  // namespace preceptor::kernels
