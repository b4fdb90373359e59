// The relations between the images of a batch that a student is to have as its teacher has them.
#pragma once

namespace preceptor::kernels {

enum class Relation {
  // Park et al. 2019, distance-wise: Huber's loss (delta 1) on the distances, each network's divided by their mean over
  // all pairs, averaged over all entries. In: squared distances. A distance of less than 1e-6 counts as that much and
  // passes no gradient.
  distances,
  // Park et al. 2019, angle-wise: Huber's loss on the cosines of all angles (j, i, k), averaged over all rows^3. In:
  // squared distances. Where i is j or k, or lies on one of them, the cosine is 0.
  angles,
  // Passalis and Tefas 2018: rows of (1 + cosine) / 2, divided by their sum, are distributions; the mean over all
  // entries of t log((t + 1e-7) / (s + 1e-7)). In: cosines of all pairs.
  similarities,
};

}  // namespace preceptor::kernels
