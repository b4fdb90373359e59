// The terms of a student's loss, labels first, then the methods: the weight, running sum and gradient norm of each.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "engine/gradient_meter.h"

namespace preceptor {

// A term in an epoch; means over its steps.
struct TermSummary {
  std::string name;           // "labels", or the method's
  double loss = 0;            // unweighted
  double weighted_loss = 0;   // as it counts in the total loss
  double gradient_share = 0;  // of the norms, over the measured steps; NaN: there was none, or all norms were 0
};

// The gradient of a term is that of its weighted loss with respect to all trainable parameters of the student. Its
// share is its L2 norm divided by the sum of all terms' norms, so that shares add up to 1. (The norm of the sum may be
// much smaller: gradients can point against each other.)
//
// A weight has two parts: an argument of the loss, and a factor in device memory, which a recorded
// step reads each time.
class LossTerms {
 public:
  struct Term {
    std::string name;
    double argument = 1;  // the part of the weight that its loss takes; not 0, or the unweighted loss would be NaN
    double factor = 1;
    TermSummary sums = {};  // of the epoch
  };
  LossTerms(Context& context, std::vector<Term> terms, Parameters& student);

  // Between steps.
  void set_factors(const std::vector<double>& factors);
  const float* factor(std::size_t term) const { return device_factors_.data() + term; }

  // Within a step: adds to the sum of the term's losses.
  void add(std::size_t term, const Tensor& loss);
  // Within a step, before its backward(): one backward pass for each term. The losses of a term are those that the tape
  // recorded between two places.
  void measure(const std::vector<std::pair<std::size_t, std::size_t>>& places);

  // After a measured step: waits for it, and returns the norm of each term's gradient, without its factor.
  std::vector<double> take_norms();

  // After so many steps; resets the sums.
  std::vector<TermSummary> finish_epoch(int steps);

 private:
  void settle();

  Context& context_;
  std::vector<Term> terms_;
  GradientMeter meter_;
  Tensor device_factors_, norms_;  // [terms]
  Buffer totals_;                  // [terms] doubles: sums since the factors were set, without them
  int measured_ = 0;               // steps in the sums of gradient shares
};

// The factor of all methods' terms that gives them `share`, in (0, 1), of the gradient norms: share / (1 - share) times
// labels / transfer, the norms of the labels' term and, at factor 1, of all methods'. Each measurement moves the
// logarithm of `before` by three tenths of the way, the first one (before = 0: none yet) all of it; within 1e-6 to 1e6.
// The factor stays as it is if a norm is 0 or not finite.
double balanced_factor(double before, double share, double labels, double transfer);

}  // namespace preceptor
