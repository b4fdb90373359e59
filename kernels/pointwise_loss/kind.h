// The losses on what a student has and a teacher has in the same place.
#pragma once

namespace preceptor::kernels {

// With x = student - teacher, s and t the values themselves and p the parameter:
enum class PointwiseLossKind {
  square,       // x^2
  correlation,  // (k(s) - k(t))^2, k(g) = exp(-2p) (1 + 2p g + 2 p^2 g^2): a Gaussian kernel of unit vectors with the
                // product g, to second order (Peng et al. 2019)
  boundary,     // the side of 0 with a margin p: (s - p)^2 where t > 0 and s <= p, (s + p)^2 where t <= 0 and s > -p
                // (Heo et al. 2019a)
  partial,      // x^2 but where s <= t <= 0, which costs nothing (Heo et al. 2019b, equation 4)
  absolute,     // |x|, whose derivative at 0 is 0
};

}  // namespace preceptor::kernels
