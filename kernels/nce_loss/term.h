// The loss of one candidate and its derivative, for every device.
#pragma once

#include <cmath>

#include "kernels/nce_loss/nce_loss.h"

namespace preceptor::kernels {

// Computed in double, like the sums over thousands of candidates that it goes into.
struct NceTerm {
  double log_constant, noise, offset;  // offset: m / images + 1e-7

  ON_ANY_DEVICE explicit NceTerm(const NceLoss& a)
      : log_constant(std::log(static_cast<double>(*a.constant))),
        noise(static_cast<double>(a.candidates - 1) / a.images),
        offset(noise + 1e-7) {}

  // The logarithm of a probability is never taken of what exp() made 0.
  ON_ANY_DEVICE double loss(float score, bool own) const {
    const double log_probability = static_cast<double>(score) - log_constant;
    return std::log(std::exp(log_probability) + offset) - (own ? log_probability : std::log(noise));
  }
  // By the score.
  ON_ANY_DEVICE double derivative(float score, bool own) const {
    const double probability = std::exp(static_cast<double>(score) - log_constant);
    return (own ? -offset : probability) / (probability + offset);
  }
};

}  // namespace preceptor::kernels
