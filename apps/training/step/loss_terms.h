// The terms of a student's loss, labels first, then the methods: what each weighs, adds up to, and asks of the weights.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "engine/gradient_meter.h"

namespace preceptor {

// A term in an epoch; means over its steps.
struct TermSummary {
  std::string name;           // "labels", or the method's
  double loss = 0;            // before its weight
  double weighted_loss = 0;   // as it counts in the total loss
  double gradient_share = 0;  // of the norms, over the steps that were measured; NaN: none was, or all were 0
};

// The gradient of a term is that of its weighted loss by all parameters of the student that learn; its share is its L2
// norm by the sum of all terms' norms, so that shares add up to 1. (The norm of the sum may be much smaller: gradients
// can point against each other.)
//
// A weight has two parts: one that is an argument of the loss, and a factor in device memory, which a recorded step
// reads anew each time.
class LossTerms {
 public:
  // arguments: the part of each weight that its loss knows. 0 leaves no trace of the loss before it: NaN.
  LossTerms(Context& context, std::vector<std::string> names, std::vector<double> arguments, Parameters& student);

  // For steps that are not under way.
  void set_factors(const std::vector<double>& factors);
  const float* factor(std::size_t term) const { return device_factors_.data() + term; }

  // Within a step: adds to what the term's losses sum up to.
  void add(std::size_t term, const Tensor& loss);
  // Within a step, before its backward(): one backward pass for every term. The losses of a term are those that the
  // tape recorded between two places.
  void measure(const std::vector<std::pair<std::size_t, std::size_t>>& places);

  // After a step that measured: waits for it, and returns the norm of every term's gradient, without its factor.
  std::vector<double> take_norms();

  // After so many steps; begins again from zero.
  std::vector<TermSummary> finish_epoch(int steps);

 private:
  void settle();

  Context& context_;
  std::vector<std::string> names_;
  std::vector<double> arguments_, factors_;
  GradientMeter meter_;
  Tensor device_factors_, norms_;  // [terms]
  Buffer totals_;                  // [terms] doubles: sums since the factors were set, without them
  std::vector<double> losses_, weighted_, shares_;
  int measured_ = 0;  // steps behind shares_
};

// The factor of all methods' terms that gives them `share`, in (0, 1), of the gradient norms: share / (1 - share) times
// labels / transfer, the norms that the labels' term and, with the factor 1, all methods' have. Every measurement moves
// the logarithm of `before` by three tenths of the way, the first one (before = 0: none yet) all of it; within 1e-6 to
// 1e6. Where a norm is 0 or not finite, the factor stays what it was.
double balanced_factor(double before, double share, double labels, double transfer);

}  // namespace preceptor
