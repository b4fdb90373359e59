// Terms of a row of decoupled distillation, in double: the same on every device.
#pragma once

#include <cmath>

#include "kernels/decoupled_kl/decoupled_kl.h"

namespace preceptor::kernels {

// One network's side of a row: the log of the sum of exp(z / T) over the classes beside the label is
// maximum / T + log(sum), and the label's z / T lies `lead` above that.
struct DecoupledSide {
  double maximum;  // largest logit of the other classes
  double log_sum;
  double lead;

  ON_ANY_DEVICE DecoupledSide(double others_maximum, double others_sum, double label, double inverse)
      : maximum(others_maximum), log_sum(std::log(others_sum)), lead((label - others_maximum) * inverse - log_sum) {}
  ON_ANY_DEVICE double log_label() const { return -softplus(-lead); }  // log probability of the label
  ON_ANY_DEVICE double log_others() const { return -softplus(lead); }  // log probability of all others together
  ON_ANY_DEVICE double log_among_others(double z, double inverse) const { return (z - maximum) * inverse - log_sum; }

 private:
  // log(1 + e^x) with the digits of both ends.
  ON_ANY_DEVICE static double softplus(double x) {
    return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
  }
};

struct DecoupledRow {
  DecoupledSide student, teacher;
  double inverse;
  double target;  // KL of label against others
  double excess;  // student's probability of the label less the teacher's

  ON_ANY_DEVICE DecoupledRow(const DecoupledSide& of_student, const DecoupledSide& of_teacher,
                             double inverse_temperature)
      : student(of_student), teacher(of_teacher), inverse(inverse_temperature) {
    const double p = std::exp(teacher.log_label()), p_rest = std::exp(teacher.log_others());
    target = p * (teacher.log_label() - student.log_label()) + p_rest * (teacher.log_others() - student.log_others());
    // If both networks are confident, the digits are in the remainders.
    excess = student.lead > 0 && teacher.lead > 0 ? p_rest - std::exp(student.log_others())
                                                  : std::exp(student.log_label()) - p;
  }
  // The term of another class in KL(p' || q'), and the derivative of of_target ... + of_others ... by
  // its logit, times T.
  struct Class {
    double divergence, derivative;
  };
  ON_ANY_DEVICE Class of_class(double s, double t, double of_target, double of_others) const {
    const double log_q = student.log_among_others(s, inverse), log_p = teacher.log_among_others(t, inverse);
    const double q = std::exp(log_q), p = std::exp(log_p);
    return {p > 0 ? p * (log_p - log_q) : 0, of_others * (q - p) - of_target * excess * q};
  }
};

}  // namespace preceptor::kernels
